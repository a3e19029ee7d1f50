// SPDX-License-Identifier: Apache-2.0
#include "apply/closed_versions.h"

#include <algorithm>
#include <limits>

#include "apply/key_hash.h"

namespace freshet::apply {
namespace {

struct HashOfKey {
  size_t operator()(const KeyHash& key) const { return key.low; }
};
using AskedByKey = std::unordered_map<KeyHash, ClosedVersions::Asked*, HashOfKey>;

Status LookThrough(parquet::Reader* reader, const std::string& path, const TableForm& form,
                   LiveRows* live, const AskedByKey& asked) {
  RowAddress address{HashPath(path), 0};
  for (int group = 0; group < reader->row_groups(); ++group) {
    FRESHET_TRY(auto batch, reader->Read(group, form.IndexFields()));
    auto columns = batch->columns();
    const auto ends = std::static_pointer_cast<arrow::TimestampArray>(columns.back());
    columns.pop_back();
    const auto keys = HashKeys(columns, batch->num_rows());
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      if (ends->IsNull(row)) continue;
      auto found = asked.find(keys[static_cast<size_t>(row)]);
      if (found == asked.end()) continue;
      auto& wanted = *found->second;
      if (ends->Value(row) < std::max(wanted.at, wanted.ended.value_or(wanted.at))) continue;
      address.row = static_cast<uint32_t>(reader->RowsOf(group).first + row);
      FRESHET_TRY(const auto* file, live->Find(address));
      if (file == nullptr) continue;
      wanted.ended = ends->Value(row);
      wanted.file = address.file;
    }
  }
  return Status::Ok();
}

}  // namespace

Result<UtcMicros> ClosedVersions::LastEnd(parquet::Reader* reader, const std::string& path,
                                          const std::string& column) {
  FRESHET_TRY(const auto statistics, reader->Statistics());
  UtcMicros last = std::numeric_limits<UtcMicros>::max();
  for (const auto& of_column : statistics.columns) {
    if (of_column.name != column) continue;
    if (of_column.null_count == statistics.rows) last = std::numeric_limits<UtcMicros>::min();
    if (of_column.max) last = std::get<int64_t>(*of_column.max);
  }
  last_ends_[path] = last;
  return last;
}

Status ClosedVersions::Find(const std::shared_ptr<store::FileStore>& table, const TableForm& form,
                            LiveRows* live, std::vector<Asked>* asked) {
  if (asked->empty()) return Status::Ok();
  UtcMicros earliest = std::numeric_limits<UtcMicros>::max();
  AskedByKey by_key;
  for (auto& wanted : *asked) {
    earliest = std::min(earliest, wanted.at);
    by_key.emplace(wanted.key, &wanted);
  }
  const auto files = live->Files();
  if (last_ends_.size() > 1024 + 2 * files.size()) last_ends_.clear();  // most are gone
  for (const auto* file : files) {
    auto known = last_ends_.find(file->path);
    if (known != last_ends_.end() && known->second < earliest) continue;
    FRESHET_TRY(auto reader, parquet::Reader::Open(table, file->path));
    FRESHET_TRY(const UtcMicros last,
                LastEnd(reader.get(), file->path,
                        form.physical[static_cast<size_t>(form.history.end)]->name()));
    if (last < earliest) continue;
    FRESHET_CHECK_OK(LookThrough(reader.get(), file->path, form, live, by_key));
  }
  return Status::Ok();
}

}  // namespace freshet::apply
