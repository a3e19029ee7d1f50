// SPDX-License-Identifier: Apache-2.0
#include "store/scratch.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/random.h"
#include "store/path.h"

namespace freshet::store {
namespace {

/// The file has no name, so there is no missing object; and none is read-only once it is open.
Status Unavailable(Status status) {
  if (!status.Is(ErrorClass::NOT_FOUND)) return status;
  return MakeError(ErrorClass::STORE_UNAVAILABLE, status.message());
}

}  // namespace

/// Not every file system has O_TMPFILE. The name is one that an opening store sweeps, should this
/// process end between the two calls.
Status Scratch::Make() {
  std::string path = fmt::format("{}/{}{}", folder_, kOwnPrefix, RandomHex(8));
  OpenFile file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.ok()) return Unavailable(FromErrno(errno, "cannot make a file", path));
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return Unavailable(FromErrno(errno, "cannot remove", path));
  file_ = std::move(file);
  return Status::Ok();
}

uint32_t Scratch::TakeBlock() {
  if (free_blocks_.empty()) return blocks_++;
  uint32_t block = free_blocks_.back();
  free_blocks_.pop_back();
  return block;
}

Status Scratch::Append(std::string_view more, Bytes* bytes) {
  if (!file_.ok()) FRESHET_CHECK_OK(Make());
  size_t size = bytes->size;
  while (!more.empty()) {
    size_t within = size % kBlockBytes;
    if (size == bytes->blocks.size() * kBlockBytes) bytes->blocks.push_back(TakeBlock());
    std::string_view piece = more.substr(0, kBlockBytes - within);
    auto at = static_cast<off_t>(bytes->blocks[size / kBlockBytes] * kBlockBytes + within);
    ssize_t written = pwrite(file_.get(), piece.data(), piece.size(), at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Unavailable(FromErrno(errno, "cannot put bytes aside", folder_));
    size += static_cast<size_t>(written);
    more.remove_prefix(static_cast<size_t>(written));
  }
  bytes->size = size;
  return Status::Ok();
}

Status Scratch::Read(const Bytes& bytes, size_t offset, std::span<char> into) const {
  FRESHET_ASSERT(offset + into.size() <= bytes.size);
  while (!into.empty()) {
    size_t within = offset % kBlockBytes;
    auto at = static_cast<off_t>(bytes.blocks[offset / kBlockBytes] * kBlockBytes + within);
    ssize_t got = pread(file_.get(), into.data(), std::min(into.size(), kBlockBytes - within), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unavailable(FromErrno(errno, "cannot read what was put aside", folder_));
    if (got == 0)
      return Error(ErrorClass::STORE_UNAVAILABLE, "what was put aside is cut short: {}", folder_);
    offset += static_cast<size_t>(got);
    into = into.subspan(static_cast<size_t>(got));
  }
  return Status::Ok();
}

void Scratch::Free(Bytes* bytes) {
  free_blocks_.insert(free_blocks_.end(), bytes->blocks.begin(), bytes->blocks.end());
  *bytes = {};
  if (free_blocks_.size() < blocks_) return;
  free_blocks_ = {};
  blocks_ = 0;
  // Where that fails the room is used again all the same.
  if (file_.ok()) (void)!ftruncate(file_.get(), 0);
}

}  // namespace freshet::store
