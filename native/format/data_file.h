#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace deltascope {

/// A regular file, mapped read-only. Moves, never copies.
class FileMapping {
 public:
  /// Throws FILE_NOT_FOUND or FILE_UNREADABLE (a folder, a device, no permission).
  explicit FileMapping(const std::string& path);
  FileMapping(FileMapping&& other) noexcept;
  FileMapping& operator=(FileMapping&&) = delete;
  ~FileMapping();

  std::span<const uint8_t> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

  /// The same file on disk, by device and inode: two models that share one can share its weights.
  bool same_file(const FileMapping& other) const {
    return device_ == other.device_ && inode_ == other.inode_;
  }

  /// Throws FILE_UNREADABLE when the file on disk has become shorter than what was mapped: reading on would
  /// kill the process with SIGBUS.
  void require_unchanged() const;

  /// Tells the system that these bytes are wanted soon.
  void prefetch(size_t offset, size_t length) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  uint64_t device_ = 0, inode_ = 0;
};

/// The whole of a small text file. Throws as FileMapping does, and FILE_UNREADABLE when it is larger than
/// `limit`.
std::string read_small_file(const std::string& path, size_t limit);

/// Whether a path exists and is a regular file (links are followed).
bool is_file(const std::string& path);
bool is_directory(const std::string& path);

}  // namespace deltascope
