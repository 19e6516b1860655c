#include "format/data_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/errors.h"

namespace deltascope {
namespace {

#ifdef __APPLE__
timespec modified(const struct stat& info) { return info.st_mtimespec; }
#else
timespec modified(const struct stat& info) { return info.st_mtim; }
#endif

}  // namespace

DataFile::DataFile(const std::string& path) : path_(path) {
  // Not blocking: a pipe in the place of a file must not hold us.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) {
    const int why = errno;
    if (why == ENOENT || why == ENOTDIR) {
      throw Error(Code::file_not_found, "no such file: " + path, {{"file", path}});
    }
    throw Error(Code::file_unreadable, "cannot read " + path + ": " + std::strerror(why), {{"file", path}});
  }
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(descriptor_);
    throw Error(Code::file_unreadable, path + " is not a regular file", {{"file", path}});
  }
  size_ = static_cast<size_t>(info.st_size);
  device_ = static_cast<uint64_t>(info.st_dev);
  inode_ = static_cast<uint64_t>(info.st_ino);
  changed_seconds_ = modified(info).tv_sec;
  changed_nanoseconds_ = modified(info).tv_nsec;
}

DataFile::DataFile(DataFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      device_(other.device_),
      inode_(other.inode_),
      changed_seconds_(other.changed_seconds_),
      changed_nanoseconds_(other.changed_nanoseconds_) {}

DataFile::~DataFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool DataFile::read(size_t offset, size_t length, void* out) const {
  auto* to = static_cast<uint8_t*>(out);
  while (length > 0) {
    const ssize_t got = ::pread(descriptor_, to, length, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    offset += static_cast<size_t>(got);
    length -= static_cast<size_t>(got);
  }
  return true;
}

void DataFile::require_unchanged() const {
  struct stat info {};
  const bool same = ::fstat(descriptor_, &info) == 0 && static_cast<size_t>(info.st_size) == size_ &&
                    modified(info).tv_sec == changed_seconds_ &&
                    modified(info).tv_nsec == changed_nanoseconds_;
  if (!same)
    throw Error(Code::file_changed, path_ + " was changed while it was open; open it again",
                {{"file", path_}});
}

void DataFile::prefetch(size_t offset, size_t length) const {
#ifdef POSIX_FADV_WILLNEED
  (void)::posix_fadvise(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(length),
                        POSIX_FADV_WILLNEED);
#else
  (void)offset, (void)length;  // only a hint
#endif
}

std::string read_small_file(const std::string& path, size_t limit) {
  const DataFile file(path);
  if (file.size() > limit) {
    throw Error(
        Code::file_unreadable,
        path + " has " + std::to_string(file.size()) + " bytes; at most " + std::to_string(limit) +
            " are read",
        {{"file", path}, {"expected", std::to_string(limit)}, {"found", std::to_string(file.size())}});
  }
  std::string text(file.size(), '\0');
  if (!file.read(0, text.size(), text.data())) {
    throw Error(Code::file_unreadable, "cannot read " + path + " to its end", {{"file", path}});
  }
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
