// SPDX-License-Identifier: Apache-2.0
// Source: Delta protocol, "Table Features" and "Valid Feature Names in Table Features".
#include "delta/protocol.h"

#include "base/random.h"
#include "delta/features.h"
#include "record/field_ids.h"

namespace freshet::delta {
namespace {

/// `variantType` asks for something only where a column is a variant, which the schema's reader
/// refuses; delta-rs lists it when it sets a table's properties.
const std::set<std::string>& ReaderFeatures() {
  static const std::set<std::string> kNames = {
      "columnMapping",        "deletionVectors",     "timestampNtz",
      "v2Checkpoint",         "vacuumProtocolCheck", "typeWidening",
      "typeWidening-preview", "variantType",         "variantType-preview"};
  return kNames;
}

/// What a writer may find listed. Those whose duties we don't fulfil are refused when the table
/// uses them: see RefuseInUse.
const std::set<std::string>& WriterFeatures() {
  static const std::set<std::string> kNames = {
      "appendOnly",           "invariants",          "checkConstraints", "generatedColumns",
      "identityColumns",      "changeDataFeed",      "columnMapping",    "deletionVectors",
      "timestampNtz",         "v2Checkpoint",        "domainMetadata",   "typeWidening",
      "typeWidening-preview", "vacuumProtocolCheck", "variantType",      "variantType-preview",
      "inCommitTimestamp",    "rowTracking"};
  return kNames;
}

Status Unsupported(std::string_view what) {
  return Error(ErrorClass::DELTA_UNSUPPORTED, "the table uses what Freshet does not write: {}",
               what);
}

/// Refuse what a listed (or, in protocols before 7, implied) feature asks of every writer, once the
/// table really uses it.
Status RefuseInUse(const Metadata& metadata) {
  for (const auto& [name, value] : metadata.configuration) {
    if (name.starts_with("delta.constraints.")) return Unsupported("a CHECK constraint, " + name);
  }
  // In the schema these stand as field metadata only, so the quoted key is enough to know them.
  for (const char* key : {"delta.invariants", "delta.generationExpression", "delta.identity.start",
                          "CURRENT_DEFAULT"}) {
    if (metadata.schema_json.find(fmt::format("\"{}\"", key)) != std::string::npos)
      return Unsupported(key);
  }
  if (!metadata.partition_columns.empty()) return Unsupported("partition columns");
  for (const char* key : {"delta.enableIcebergCompatV1", "delta.enableIcebergCompatV2",
                          "delta.enableIcebergCompatV3"}) {
    if (PropertyOf(metadata, key) == "true") return Unsupported(key);
  }
  return Status::Ok();
}

}  // namespace

Status CheckReadable(const Protocol& protocol, const Metadata& metadata) {
  if (protocol.min_reader > 3) {
    return Error(ErrorClass::DELTA_UNSUPPORTED, "the table asks for reader version {}",
                 protocol.min_reader);
  }
  for (const auto& feature : protocol.reader_features) {
    if (!ReaderFeatures().contains(feature)) {
      return Error(ErrorClass::DELTA_UNSUPPORTED,
                   "the table uses a reader feature that Freshet does not know: {}", feature);
    }
  }
  const std::string mode = PropertyOf(metadata, kMappingMode);
  if (!mode.empty() && mode != "none" && mode != "name") {
    return Error(ErrorClass::DELTA_UNSUPPORTED,
                 "columns are mapped in a mode that Freshet does not read: {}", mode);
  }
  return Status::Ok();
}

Status CheckWritable(const Protocol& protocol, const Metadata& metadata) {
  FRESHET_CHECK_OK(CheckReadable(protocol, metadata));
  if (protocol.min_writer > 7) {
    return Error(ErrorClass::DELTA_UNSUPPORTED, "the table asks for writer version {}",
                 protocol.min_writer);
  }
  for (const auto& feature : protocol.writer_features) {
    if (!WriterFeatures().contains(feature)) {
      return Error(ErrorClass::DELTA_UNSUPPORTED,
                   "the table uses a writer feature that Freshet does not write: {}", feature);
    }
  }
  return RefuseInUse(metadata);
}

bool Snapshot::column_mapping() const { return PropertyOf(metadata, kMappingMode) == "name"; }

bool Snapshot::deletion_vectors_enabled() const { return IsOn(protocol, metadata, kEnableVectors); }
bool Snapshot::tracks_rows() const { return IsOn(protocol, metadata, kEnableRowTracking); }
bool Snapshot::widens_types() const { return IsOn(protocol, metadata, kEnableWidening); }
bool Snapshot::keeps_feed() const { return IsOn(protocol, metadata, kEnableFeed); }
bool Snapshot::stamps_commits() const { return IsOn(protocol, metadata, kEnableCommitTimes); }

std::pair<Protocol, Metadata> Describe(const NewTable& table, int64_t now_ms) {
  Metadata metadata;
  metadata.id = RandomUuid();
  metadata.created_at_ms = now_ms;
  metadata.configuration = table.properties;
  metadata.configuration.try_emplace(std::string(kEnableVectors), "true");
  metadata.schema_json = ColumnsToJson(table.columns, table.column_mapping);
  int32_t max_id = 0;
  for (const auto& column : table.columns) {
    max_id = std::max(max_id, column.id.value());
    const int32_t fields = record::CountFields(*column.type);
    if (fields > 0) max_id = std::max(max_id, record::NestedFieldId(column.id, fields));
  }
  if (table.column_mapping) {
    metadata.configuration[std::string(kMappingMode)] = "name";
    metadata.configuration[std::string(kMaxColumnId)] = std::to_string(max_id);
  }
  Protocol protocol = ProtocolFor(metadata, table.columns);
  return {std::move(protocol), std::move(metadata)};
}

}  // namespace freshet::delta
