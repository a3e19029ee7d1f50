// SPDX-License-Identifier: Apache-2.0
// The stream's part that knows which relations are partitions of which tables.
#include "sources/postgres/stream.h"

namespace freshet::sources::postgres {

PostgresStream::Table* PostgresStream::OwnerOf(uint32_t oid) {
  auto root = roots_.find(oid);
  return &tables_[root == roots_.end() ? oid : root->second];
}

Status PostgresStream::TakeLeaves(const std::vector<Leaf>& leaves,
                                  const std::set<uint32_t>& roots) {
  std::erase_if(roots_, [&](const auto& each) { return roots.contains(each.second); });
  std::map<uint32_t, std::vector<record::Partition>> partitions;
  for (const auto& leaf : leaves) {
    roots_[leaf.oid] = leaf.root;
    partitions[leaf.root].push_back(leaf.partition);
  }
  for (uint32_t root : roots) {
    Table& table = tables_[root];
    std::set<std::string> ids;
    for (const auto& partition : partitions[root]) ids.insert(partition.id);
    if (!table.followed() || ids == table.partitions) continue;
    table.partitions = std::move(ids);
    FRESHET_CHECK_OK(FlushTable(&table));
    ready_.emplace_back(
        record::TableEvent(record::PartitionsSeen{table.shape->id, std::move(partitions[root])}));
  }
  for (auto& [oid, relation] : relations_) {
    Table* owner = OwnerOf(oid);
    if (relation.table == owner) continue;
    relation.table = owner;
    relation.layout.reset();
  }
  return Status::Ok();
}

/// The log says nothing of whose partition a relation is, so the catalog is asked, which may be
/// ahead of the log. That is enough: where the two differ, a partition came or went, so the table
/// is read again, at a position after all changes that went to the wrong side.
Status PostgresStream::Settle(uint32_t oid, Relation* relation) {
  FRESHET_TRY(auto lineage, ReadLineage(side_.get(), oid));
  std::set<uint32_t> concerned;
  auto known = roots_.find(oid);
  uint32_t before = known == roots_.end() ? 0 : known->second;
  uint32_t after = 0;
  for (size_t i = 1; i < lineage.size(); ++i) {
    auto table = tables_.find(lineage[i]);
    if (table != tables_.end() && table->second.followed()) after = lineage[i];
  }
  if (before != after) {
    if (before != 0) concerned.insert(before);
    if (after != 0) concerned.insert(after);
    FRESHET_TRY(auto leaves, ReadLeaves(side_.get(), origin_.config.publication, concerned));
    FRESHET_CHECK_OK(TakeLeaves(leaves, concerned));
  }
  relation->table = OwnerOf(oid);
  relation->layout.reset();
  return Status::Ok();
}

Status PostgresStream::GiveUp(const record::TableId& id, Status why) {
  FRESHET_TRY(uint32_t oid, OidOf(id));
  Table& table = tables_[oid];
  if (table.shape != nullptr && !table.failed) Fail(&table, std::move(why));
  return Status::Ok();
}

/// A truncate of the table comes as one of all its partitions. Where the catalog knows fewer by now
/// than there were then, one went: that is announced before, and the table is read again anyway.
Status PostgresStream::TruncatePartitions(Table* table, const std::set<uint32_t>& truncated,
                                          record::Sequence at) {
  FRESHET_TRY(uint32_t root, OidOf(table->shape->id));
  FRESHET_TRY(auto leaves,
              ReadLeaves(side_.get(), origin_.config.publication, std::set<uint32_t>{root}));
  FRESHET_CHECK_OK(TakeLeaves(leaves, {root}));
  FRESHET_CHECK_OK(FlushTable(table));
  std::string names;
  bool whole = true;
  for (const auto& leaf : leaves) {
    if (!truncated.contains(leaf.oid)) {
      whole = false;
    } else {
      names += (names.empty() ? "" : ", ") + leaf.partition.name;
    }
  }
  if (whole) {
    ready_.emplace_back(record::TableEvent(record::TableEnd{
        record::TableEnd::Kind::kTruncated, table->shape->id, at, begin_.committed_at}));
  } else {
    ready_.emplace_back(record::TableEvent(
        record::RowsUntold{table->shape->id, at, "partitions were truncated: " + names}));
  }
  return Status::Ok();
}

}  // namespace freshet::sources::postgres
