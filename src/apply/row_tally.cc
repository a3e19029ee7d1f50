// SPDX-License-Identifier: Apache-2.0
#include "apply/row_tally.h"

#include <algorithm>
#include <type_traits>

namespace freshet::apply {
namespace {

constexpr size_t kPartsMax = 4096;
/// Rows that are read back at a time.
constexpr size_t kRowsRead = 8 * 1024;

static_assert(std::is_trivially_copyable_v<RowTally::Row>, "rows are put aside as they are");

/// A part's counts take about twice the bytes of its rows, should all of them differ.
size_t PartsFor(int64_t rows, size_t bytes_max) {
  const size_t bytes = static_cast<size_t>(std::max<int64_t>(0, rows)) * sizeof(RowTally::Row);
  const size_t of_part = std::max<size_t>(1, bytes_max / 4);
  return std::clamp<size_t>((bytes + of_part - 1) / of_part, 1, kPartsMax);
}

}  // namespace

RowTally::RowTally(std::string scratch_folder, bool keyed, int64_t rows_expected, size_t bytes_max)
    : keyed_(keyed),
      bytes_max_(bytes_max),
      scratch_(std::move(scratch_folder)),
      parts_(PartsFor(rows_expected, bytes_max)) {}

Status RowTally::Add(const Row& row) {
  parts_[row.key.high % parts_.size()].rows.push_back(row);
  bytes_ += sizeof(Row);
  // Vectors hold up to twice what is in them.
  return bytes_ < bytes_max_ / 2 ? Status::Ok() : PutAside();
}

Status RowTally::PutAside() {
  for (Part& part : parts_) {
    if (part.rows.empty()) continue;
    std::string_view bytes(reinterpret_cast<const char*>(part.rows.data()),
                           part.rows.size() * sizeof(Row));
    FRESHET_CHECK_OK(scratch_.Append(bytes, &part.aside));
    part.rows = {};
  }
  bytes_ = 0;
  return Status::Ok();
}

Status RowTally::Each(const Part& part, const std::function<Status(const Row&)>& take) const {
  std::vector<Row> read;
  for (size_t at = 0; at < part.aside.size; at += read.size() * sizeof(Row)) {
    read.resize(std::min(kRowsRead, (part.aside.size - at) / sizeof(Row)));
    std::span<char> into(reinterpret_cast<char*>(read.data()), read.size() * sizeof(Row));
    FRESHET_CHECK_OK(scratch_.Read(part.aside, at, into));
    for (const Row& row : read) FRESHET_CHECK_OK(take(row));
  }
  for (const Row& row : part.rows) FRESHET_CHECK_OK(take(row));
  return Status::Ok();
}

Result<RowTally::Totals> RowTally::Compare(const std::function<Status(const Row&)>& surplus) {
  Totals totals;
  for (Part& part : parts_) {
    FRESHET_CHECK_OK(ComparePart(part, surplus, &totals));
    scratch_.Free(&part.aside);
    part.rows = {};
  }
  return totals;
}

/// Take the same rows in the same order each time.
Status RowTally::EachSurplus(const Part& part,
                             const std::function<Status(const Row&)>& take) const {
  std::unordered_map<KeyHash, int64_t, KeyHasher> more;  // of each content at the new side
  FRESHET_CHECK_OK(Each(part, [&](const Row& row) {
    more[row.content] += row.side == Side::kNew ? 1 : -1;
    return Status::Ok();
  }));
  return Each(part, [&](const Row& row) -> Status {
    int64_t& left = more[row.content];
    const bool is_new = row.side == Side::kNew;
    if (is_new ? left <= 0 : left >= 0) return Status::Ok();
    left += is_new ? -1 : 1;
    return take(row);
  });
}

Status RowTally::ComparePart(const Part& part, const std::function<Status(const Row&)>& surplus,
                             Totals* totals) const {
  std::unordered_map<KeyHash, Change, KeyHasher> changes;
  FRESHET_CHECK_OK(EachSurplus(part, [&](const Row& row) -> Status {
    const bool is_new = row.side == Side::kNew;
    ++(is_new ? totals->inserted : totals->deleted);
    if (keyed_) ++(is_new ? changes[row.key].come : changes[row.key].gone);
    return surplus(row);
  }));
  for (const auto& [key, change] : changes) {
    const int64_t updated = std::min(change.gone, change.come);
    totals->updated += updated;
    totals->inserted -= updated;
    totals->deleted -= updated;
  }
  return Status::Ok();
}

Status RowTally::Pair(const std::function<Status(const Row&, bool paired)>& surplus) {
  for (Part& part : parts_) {
    FRESHET_CHECK_OK(PairPart(part, surplus));
    scratch_.Free(&part.aside);
    part.rows = {};
  }
  return Status::Ok();
}

Status RowTally::PairPart(const Part& part,
                          const std::function<Status(const Row&, bool paired)>& surplus) const {
  std::unordered_map<KeyHash, Change, KeyHasher> changes;
  FRESHET_CHECK_OK(EachSurplus(part, [&](const Row& row) {
    ++(row.side == Side::kNew ? changes[row.key].come : changes[row.key].gone);
    return Status::Ok();
  }));
  for (auto& [key, change] : changes)
    change.gone = change.come = std::min(change.gone, change.come);
  return EachSurplus(part, [&](const Row& row) {
    Change& change = changes.at(row.key);
    int64_t& left = row.side == Side::kNew ? change.come : change.gone;
    return surplus(row, left-- > 0);
  });
}

}  // namespace freshet::apply
