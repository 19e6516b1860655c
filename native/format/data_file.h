#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace deltascope {

/// A regular file, open for reading at any place. Moves, never copies.
///
/// Read, not mapped: a mapped file that somebody cuts ends the process with SIGBUS, and weights are widened
/// into memory of ours anyway.
class DataFile {
 public:
  /// Throws FILE_NOT_FOUND or FILE_UNREADABLE (a folder, a device, no permission).
  explicit DataFile(const std::string& path);
  DataFile(DataFile&& other) noexcept;
  DataFile& operator=(DataFile&&) = delete;
  ~DataFile();

  size_t size() const { return size_; }
  const std::string& path() const { return path_; }

  /// Reads exactly `length` bytes from `offset` on. False when they are not there any more. Safe from any
  /// thread.
  bool read(size_t offset, size_t length, void* out) const;

  /// The same file on disk, by device and inode: two models that share one can share its weights.
  bool same_file(const DataFile& other) const { return device_ == other.device_ && inode_ == other.inode_; }

  /// Throws FILE_CHANGED when the file was written to or cut since it was opened: what was read before and
  /// what would be read now need not belong together.
  void require_unchanged() const;

  /// Tells the system that these bytes are wanted soon.
  void prefetch(size_t offset, size_t length) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  size_t size_ = 0;
  uint64_t device_ = 0, inode_ = 0;
  int64_t changed_seconds_ = 0, changed_nanoseconds_ = 0;
};

/// The whole of a small text file. Throws as DataFile does, and FILE_UNREADABLE when it is larger than
/// `limit`.
std::string read_small_file(const std::string& path, size_t limit);

/// Whether a path exists and is a regular file (links are followed).
bool is_file(const std::string& path);
bool is_directory(const std::string& path);

}  // namespace deltascope
