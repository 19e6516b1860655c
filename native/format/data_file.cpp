#include "format/file_mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/errors.h"

namespace deltascope {
namespace {

int open_regular(const std::string& path, struct stat* info) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const int why = errno;
    if (why == ENOENT || why == ENOTDIR) {
      throw Error(Code::file_not_found, "no such file: " + path, {{"file", path}});
    }
    throw Error(Code::file_unreadable, "cannot read " + path + ": " + std::strerror(why), {{"file", path}});
  }
  if (::fstat(descriptor, info) != 0 || !S_ISREG(info->st_mode)) {
    ::close(descriptor);
    throw Error(Code::file_unreadable, path + " is not a regular file", {{"file", path}});
  }
  return descriptor;
}

}  // namespace

FileMapping::FileMapping(const std::string& path) : path_(path) {
  struct stat info {};
  descriptor_ = open_regular(path, &info);
  size_ = static_cast<size_t>(info.st_size);
  device_ = static_cast<uint64_t>(info.st_dev);
  inode_ = static_cast<uint64_t>(info.st_ino);
  if (size_ == 0) return;
  void* data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor_, 0);
  if (data == MAP_FAILED) {
    const int why = errno;
    ::close(descriptor_);
    throw Error(Code::file_unreadable, "cannot map " + path + ": " + std::strerror(why), {{"file", path}});
  }
  data_ = static_cast<const uint8_t*>(data);
}

FileMapping::FileMapping(FileMapping&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      device_(other.device_),
      inode_(other.inode_) {}

FileMapping::~FileMapping() {
  if (data_ != nullptr) ::munmap(const_cast<uint8_t*>(data_), size_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

void FileMapping::require_unchanged() const {
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0 || static_cast<size_t>(info.st_size) < size_) {
    throw Error(Code::file_unreadable, path_ + " was cut while it was open", {{"file", path_}});
  }
}

void FileMapping::prefetch(size_t offset, size_t length) const {
  if (data_ == nullptr || length == 0) return;
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t begin = offset / page * page;
  (void)::madvise(const_cast<uint8_t*>(data_) + begin, offset + length - begin,
                  MADV_WILLNEED);  // only a hint
}

std::string read_small_file(const std::string& path, size_t limit) {
  struct stat info {};
  const int descriptor = open_regular(path, &info);
  const auto size = static_cast<size_t>(info.st_size);
  if (size > limit) {
    ::close(descriptor);
    throw Error(
        Code::file_unreadable,
        path + " has " + std::to_string(size) + " bytes; at most " + std::to_string(limit) + " are read",
        {{"file", path}, {"expected", std::to_string(limit)}, {"found", std::to_string(size)}});
  }
  std::string text(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(descriptor, text.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<size_t>(got);
  }
  ::close(descriptor);
  if (done != size)
    throw Error(Code::file_unreadable, "cannot read " + path + " to its end", {{"file", path}});
  return text;
}

bool is_file(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool is_directory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

}  // namespace deltascope
