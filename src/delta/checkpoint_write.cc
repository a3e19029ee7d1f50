// SPDX-License-Identifier: Apache-2.0
#include <arrow/array.h>
#include <arrow/builder.h>

#include "delta/action_json.h"
#include "delta/checkpoint.h"
#include "record/arrow_status.h"

namespace freshet::delta {
namespace {

constexpr int64_t kRowsPerBatch = 4096;

std::shared_ptr<arrow::DataType> Text() { return arrow::utf8(); }
std::shared_ptr<arrow::DataType> Long() { return arrow::int64(); }

/// The columns of a checkpoint, as the actions' own field names.
arrow::FieldVector Columns(bool v2) {
  using arrow::field;
  using arrow::struct_;
  const auto map = arrow::map(Text(), Text());
  const auto texts = arrow::list(Text());
  const auto vector = struct_({field("storageType", Text()), field("pathOrInlineDv", Text()),
                               field("offset", arrow::int32()),
                               field("sizeInBytes", arrow::int32()), field("cardinality", Long())});
  arrow::FieldVector columns = {
      field("txn", struct_({field("appId", Text()), field("version", Long()),
                            field("lastUpdated", Long())})),
      field("add", struct_({field("path", Text()), field("partitionValues", map),
                            field("size", Long()), field("modificationTime", Long()),
                            field("dataChange", arrow::boolean()), field("tags", map),
                            field("deletionVector", vector), field("baseRowId", Long()),
                            field("defaultRowCommitVersion", Long()), field("stats", Text())})),
      field("remove",
            struct_({field("path", Text()), field("deletionTimestamp", Long()),
                     field("dataChange", arrow::boolean()),
                     field("extendedFileMetadata", arrow::boolean()), field("partitionValues", map),
                     field("size", Long()), field("deletionVector", vector),
                     field("baseRowId", Long()), field("defaultRowCommitVersion", Long())})),
      field("metaData",
            struct_({field("id", Text()), field("name", Text()), field("description", Text()),
                     field("format", struct_({field("provider", Text()), field("options", map)})),
                     field("schemaString", Text()), field("partitionColumns", texts),
                     field("configuration", map), field("createdTime", Long())})),
      field("protocol", struct_({field("minReaderVersion", arrow::int32()),
                                 field("minWriterVersion", arrow::int32()),
                                 field("readerFeatures", texts), field("writerFeatures", texts)})),
      field("domainMetadata", struct_({field("domain", Text()), field("configuration", Text()),
                                       field("removed", arrow::boolean())})),
  };
  if (v2)
    columns.push_back(
        field("checkpointMetadata", struct_({field("version", Long()), field("tags", map)})));
  return columns;
}

const Json* Member(const Json& object, const std::string& name) {
  auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

/// Append an action's JSON, projected on the builder's type.
arrow::Status Append(const Json* value, arrow::ArrayBuilder* builder) {
  if (value == nullptr || value->is_null()) return builder->AppendNull();
  switch (builder->type()->id()) {
    case arrow::Type::BOOL:
      return static_cast<arrow::BooleanBuilder*>(builder)->Append(value->get<bool>());
    case arrow::Type::INT32:
      return static_cast<arrow::Int32Builder*>(builder)->Append(value->get<int32_t>());
    case arrow::Type::INT64:
      return static_cast<arrow::Int64Builder*>(builder)->Append(value->get<int64_t>());
    case arrow::Type::STRING:
      return static_cast<arrow::StringBuilder*>(builder)->Append(
          value->get_ref<const std::string&>());
    case arrow::Type::LIST: {
      auto* list = static_cast<arrow::ListBuilder*>(builder);
      ARROW_RETURN_NOT_OK(list->Append());
      for (const auto& item : *value) ARROW_RETURN_NOT_OK(Append(&item, list->value_builder()));
      return arrow::Status::OK();
    }
    case arrow::Type::MAP: {
      auto* map = static_cast<arrow::MapBuilder*>(builder);
      ARROW_RETURN_NOT_OK(map->Append());
      for (const auto& [name, item] : value->items()) {
        const Json key = name;
        ARROW_RETURN_NOT_OK(Append(&key, map->key_builder()));
        ARROW_RETURN_NOT_OK(Append(&item, map->item_builder()));
      }
      return arrow::Status::OK();
    }
    case arrow::Type::STRUCT: {
      auto* row = static_cast<arrow::StructBuilder*>(builder);
      const auto type = builder->type();
      for (int i = 0; i < type->num_fields(); ++i) {
        ARROW_RETURN_NOT_OK(Append(Member(*value, type->field(i)->name()), row->field_builder(i)));
      }
      return row->Append();
    }
    default:
      return arrow::Status::TypeError("no action has a ", builder->type()->ToString());
  }
}

/// Collects rows and hands them to the encoder in batches.
class RowWriter {
 public:
  static Result<RowWriter> Make(const arrow::FieldVector& columns) {
    RowWriter writer;
    std::vector<std::string> names;
    for (const auto& column : columns) names.push_back(column->name());
    FRESHET_TRY(writer.encoder_, parquet::Encoder::Make(arrow::schema(columns), names, {}));
    FRESHET_TRY(auto builder, arrow::MakeBuilder(arrow::struct_(columns)));
    writer.rows_ = std::unique_ptr<arrow::StructBuilder>(
        static_cast<arrow::StructBuilder*>(builder.release()));
    return writer;
  }

  Status Write(const Json& line) {
    FRESHET_CHECK_OK(Append(&line, rows_.get()));
    ++count_;
    return rows_->length() >= kRowsPerBatch ? Flush() : Status::Ok();
  }

  Result<EncodedCheckpoint> Finish() {
    FRESHET_CHECK_OK(Flush());
    EncodedCheckpoint out;
    out.actions = count_;
    FRESHET_TRY(out.file, encoder_->Finish());
    return out;
  }

 private:
  Status Flush() {
    if (rows_->length() == 0) return Status::Ok();
    FRESHET_TRY(auto array, rows_->Finish());
    FRESHET_TRY(auto batch, arrow::RecordBatch::FromStructArray(array));
    return encoder_->Write(batch);
  }

  std::unique_ptr<parquet::Encoder> encoder_;
  std::unique_ptr<arrow::StructBuilder> rows_;
  int64_t count_ = 0;
};

}  // namespace

Result<EncodedCheckpoint> EncodeCheckpoint(const Snapshot& snapshot) {
  const bool v2 = snapshot.protocol.writer_features.contains("v2Checkpoint");
  FRESHET_TRY(auto writer, RowWriter::Make(Columns(v2)));
  if (v2)
    FRESHET_CHECK_OK(writer.Write(Json{{"checkpointMetadata", {{"version", snapshot.version}}}}));
  FRESHET_CHECK_OK(writer.Write(JsonOf(snapshot.protocol)));
  FRESHET_CHECK_OK(writer.Write(JsonOf(snapshot.metadata)));
  for (const auto& [id, txn] : snapshot.txns) FRESHET_CHECK_OK(writer.Write(JsonOf(txn)));
  for (const auto& [name, domain] : snapshot.domains)
    FRESHET_CHECK_OK(writer.Write(JsonOf(domain)));
  for (const auto& [key, tombstone] : snapshot.tombstones) {
    RemoveFile remove = tombstone;
    remove.data_change = false;  // a checkpoint's actions change nothing
    FRESHET_CHECK_OK(writer.Write(JsonOf(remove)));
  }
  for (const auto& [path, file] : snapshot.files) {
    AddFile add = file;
    add.data_change = false;
    FRESHET_CHECK_OK(writer.Write(JsonOf(add)));
  }
  FRESHET_TRY(auto checkpoint, writer.Finish());
  checkpoint.adds = static_cast<int64_t>(snapshot.files.size());
  return checkpoint;
}

}  // namespace freshet::delta
