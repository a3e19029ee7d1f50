// SPDX-License-Identifier: Apache-2.0
#include "apply/entry_runs.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <type_traits>

namespace freshet::apply {
namespace {

/// Entries of a run that are in memory at a time: a run a two million entries, so those of a
/// thousand million take 32 MiB.
constexpr size_t kPieceEntries = 2048;
static_assert(std::is_trivially_copyable_v<IndexEntry>);

bool Before(bool keyless, const IndexEntry& a, const IndexEntry& b) {
  if (!keyless) return a.key < b.key;
  return std::tie(a.key, a.address) < std::tie(b.key, b.address);
}

}  // namespace

/// Hashes are spread evenly, so that one pass by their first bits leaves parts that fit in a core's
/// cache.
std::vector<IndexEntry> SortEntries(bool keyless, std::vector<IndexEntry> entries) {
  constexpr int kBits = 11;
  auto before = [keyless](const IndexEntry& a, const IndexEntry& b) {
    return Before(keyless, a, b);
  };
  if (entries.size() < (size_t{4} << kBits)) {
    std::stable_sort(entries.begin(), entries.end(), before);
    return entries;
  }
  auto part_of = [](const IndexEntry& entry) { return entry.key.high >> (64 - kBits); };
  std::vector<size_t> ends((size_t{1} << kBits) + 1, 0);  // first of each part, then its end
  for (const auto& entry : entries) ++ends[part_of(entry) + 1];
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  std::vector<IndexEntry> sorted(entries.size());
  for (const auto& entry : entries) sorted[ends[part_of(entry)]++] = entry;
  auto first = sorted.begin();
  for (size_t part = 0; part + 1 < ends.size(); ++part) {
    auto end = sorted.begin() + static_cast<std::ptrdiff_t>(ends[part]);
    std::stable_sort(first, end, before);
    first = end;
  }
  return sorted;
}

bool SameEntry(bool keyless, const IndexEntry& a, const IndexEntry& b) {
  return a.key == b.key && (!keyless || a.address == b.address);
}

Status EntryRuns::Add(std::vector<IndexEntry> entries) {
  FRESHET_ASSERT(!reading_);
  if (entries.empty()) return Status::Ok();
  size_ += entries.size();
  entries = SortEntries(keyless_, std::move(entries));
  return scratch_.Append(
      {reinterpret_cast<const char*>(entries.data()), entries.size() * sizeof(IndexEntry)},
      &runs_.emplace_back().bytes);
}

Status EntryRuns::Fill(Run* run) {
  const size_t left = (run->bytes.size - run->read) / sizeof(IndexEntry);
  run->piece.resize(std::min(left, kPieceEntries));
  run->next = 0;
  const size_t size = run->piece.size() * sizeof(IndexEntry);
  FRESHET_CHECK_OK(
      scratch_.Read(run->bytes, run->read, {reinterpret_cast<char*>(run->piece.data()), size}));
  run->read += size;
  return Status::Ok();
}

bool EntryRuns::After(size_t a, size_t b) const {
  const auto& of_a = runs_[a].piece[runs_[a].next];
  const auto& of_b = runs_[b].piece[runs_[b].next];
  if (Before(keyless_, of_a, of_b)) return false;
  return Before(keyless_, of_b, of_a) || a > b;
}

Result<std::optional<IndexEntry>> EntryRuns::Pop() {
  auto after = [this](size_t a, size_t b) { return After(a, b); };
  if (heap_.empty()) return std::optional<IndexEntry>();
  std::pop_heap(heap_.begin(), heap_.end(), after);
  Run& run = runs_[heap_.back()];
  const IndexEntry entry = run.piece[run.next++];
  if (run.next == run.piece.size()) FRESHET_CHECK_OK(Fill(&run));
  if (run.piece.empty()) {
    heap_.pop_back();
  } else {
    std::push_heap(heap_.begin(), heap_.end(), after);
  }
  return std::optional(entry);
}

Result<std::optional<IndexEntry>> EntryRuns::Next() {
  if (!reading_) {
    reading_ = true;
    for (size_t i = 0; i < runs_.size(); ++i) {
      FRESHET_CHECK_OK(Fill(&runs_[i]));
      heap_.push_back(i);
    }
    std::make_heap(heap_.begin(), heap_.end(), [this](size_t a, size_t b) { return After(a, b); });
    FRESHET_TRY(ahead_, Pop());
  }
  auto entry = ahead_;
  while (ahead_ && SameEntry(keyless_, *entry, *ahead_)) {
    entry = ahead_;
    FRESHET_TRY(ahead_, Pop());
  }
  return entry;
}

}  // namespace freshet::apply
