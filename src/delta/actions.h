// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

/// The actions of a Delta commit. Source: Delta transaction log protocol, "Actions".
namespace freshet::delta {

struct Protocol {
  int min_reader = 1, min_writer = 2;
  std::set<std::string> reader_features, writer_features;
  bool operator==(const Protocol&) const = default;
};

struct Metadata {
  std::string id;
  std::string name, description;  // empty: absent
  std::string schema_json;        // Spark's JSON form
  std::vector<std::string> partition_columns;
  std::map<std::string, std::string> configuration;
  std::optional<int64_t> created_at_ms;
  bool operator==(const Metadata&) const = default;
};

struct DeletionVectorDescriptor {
  char storage = 'u';  // u: file by UUID, i: inline, p: absolute path
  std::string path_or_inline;
  std::optional<int32_t> offset;
  int32_t bytes = 0;
  int64_t cardinality = 0;
  bool operator==(const DeletionVectorDescriptor&) const = default;
};

struct AddFile {
  std::string path;  // decoded, relative to the table
  std::map<std::string, std::optional<std::string>> partition_values;
  int64_t bytes = 0;
  int64_t modified_at_ms = 0;
  bool data_change = true;
  std::string stats_json;  // empty: none
  std::map<std::string, std::string> tags;
  std::optional<DeletionVectorDescriptor> deletion_vector;
  std::optional<int64_t> base_row_id, default_row_commit_version;
  bool operator==(const AddFile&) const = default;
};

struct RemoveFile {
  std::string path;
  std::optional<int64_t> deleted_at_ms;
  bool data_change = true;
  std::map<std::string, std::optional<std::string>> partition_values;
  std::optional<int64_t> bytes;
  std::optional<DeletionVectorDescriptor> deletion_vector;
  std::optional<int64_t> base_row_id, default_row_commit_version;
  bool operator==(const RemoveFile&) const = default;
};

/// Rows of a commit as the change data feed tells them. Readers of the feed take a version's from
/// these alone, if it has some.
struct ChangeFile {
  std::string path;  // decoded, relative to the table
  int64_t bytes = 0;
  bool operator==(const ChangeFile&) const = default;
};

struct Txn {
  std::string app_id;
  int64_t version = 0;
  std::optional<int64_t> updated_at_ms;
  bool operator==(const Txn&) const = default;
};

struct DomainMetadata {
  std::string domain, configuration;
  bool removed = false;
  bool operator==(const DomainMetadata&) const = default;
};

struct CommitInfo {
  int64_t at_ms = 0;
  std::string operation;               // "CREATE TABLE", "WRITE", "MERGE" …
  std::string parameters_json = "{}";  // values are strings
  std::string metrics_json = "{}";
  std::string txn_id;  // names this very commit: how an unknown outcome is told
  std::string engine;
  std::optional<int64_t> in_commit_at_ms = {};  // the table's time of the commit
  std::map<std::string, std::string> tags = {};
};

using Action = std::variant<CommitInfo, Protocol, Metadata, AddFile, RemoveFile, ChangeFile, Txn,
                            DomainMetadata>;

/// One JSON object, no newline. sidecar and checkpointMetadata lines are for readers of others'
/// logs only.
std::string ToJson(const Action& action);
/// Nothing for kinds that are not known. Errors: DELTA_CORRUPT.
Result<std::optional<Action>> ActionFromJson(std::string_view line);

}  // namespace freshet::delta
