// SPDX-License-Identifier: Apache-2.0
#include "pipeline/event_rows.h"

#include <arrow/builder.h>

#include <chrono>
#include <cstdio>

#include "base/json.h"
#include "pipeline/event_log.h"
#include "record/arrow_status.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::ordered_json;

std::shared_ptr<arrow::DataType> Texts(std::initializer_list<const char*> names) {
  arrow::FieldVector fields;
  for (const auto* name : names) fields.push_back(arrow::field(name, arrow::utf8()));
  return arrow::struct_(std::move(fields));
}

std::shared_ptr<arrow::DataType> SequenceType() {
  auto plane = arrow::struct_(
      {arrow::field("instance", arrow::utf8()), arrow::field("seq_no", arrow::int64())});
  return arrow::struct_({arrow::field("data_plane_id", std::move(plane)),
                         arrow::field("control_plane_seq_no", arrow::int64())});
}

std::shared_ptr<arrow::DataType> OriginType() {
  arrow::FieldVector fields;
  for (const auto* name : {"cloud",
                           "region",
                           "org_id",
                           "host",
                           "pipeline_id",
                           "pipeline_name",
                           "pipeline_type",
                           "cluster_id",
                           "update_id",
                           "maintenance_id",
                           "request_id",
                           "table_id",
                           "dataset_name",
                           "flow_id",
                           "flow_name",
                           "batch_id",
                           "materialization_name",
                           "uc_resource_id",
                           "catalog_name",
                           "schema_name",
                           "ingestion_source_type",
                           "ingestion_source_catalog_name",
                           "ingestion_source_schema_name",
                           "ingestion_source_table_name",
                           "ingestion_source_table_version",
                           "ingestion_source_connection_name"}) {
    const std::string_view text = name;
    bool number = text == "org_id" || text == "batch_id";
    fields.push_back(arrow::field(name, number ? arrow::int64() : arrow::utf8()));
  }
  return arrow::struct_(std::move(fields));
}

std::shared_ptr<arrow::DataType> ErrorType() {
  auto stack = arrow::list(arrow::struct_(
      {arrow::field("declaring_class", arrow::utf8()), arrow::field("method_name", arrow::utf8()),
       arrow::field("file_name", arrow::utf8()), arrow::field("line_number", arrow::int64())}));
  auto fields = Texts({"class_name", "message", "error_class"})->fields();
  fields.push_back(arrow::field("stack", std::move(stack)));
  return arrow::struct_({arrow::field("fatal", arrow::boolean()),
                         arrow::field("exceptions", arrow::list(arrow::struct_(fields)))});
}

arrow::FieldVector RowFields() {
  return {arrow::field("id", arrow::utf8()),
          arrow::field("sequence", SequenceType()),
          arrow::field("origin", OriginType()),
          arrow::field("timestamp", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
          arrow::field("message", arrow::utf8()),
          arrow::field("level", arrow::utf8()),
          arrow::field("maturity_level", arrow::utf8()),
          arrow::field("error", ErrorType()),
          arrow::field("details", arrow::utf8()),
          arrow::field("event_type", arrow::utf8())};
}

/// `2026-01-31T00:00:00.000Z`, as the book writes it.
Result<int64_t> MicrosOf(const std::string& at) {
  int year = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0, milli = 0;
  int read = std::sscanf(at.c_str(), "%d-%u-%uT%u:%u:%u.%uZ", &year, &month, &day, &hour, &minute,
                         &second, &milli);
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (read != 7 || !date.ok())
    return Error(ErrorClass::DATA_CORRUPT, "an event's time is none: {}", at);
  const auto time = std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(hour) +
                    std::chrono::minutes(minute) + std::chrono::seconds(second) +
                    std::chrono::milliseconds(milli);
  return std::chrono::microseconds(time).count();
}

Result<Json> RowOf(const EventRecord& event) {
  FRESHET_TRY(auto at, MicrosOf(event.at));
  Json row{{"id", event.id},
           {"sequence", {{"control_plane_seq_no", event.number}}},
           {"origin", ParseJson<Json>(event.origin)},
           {"timestamp", at},
           {"message", event.message},
           {"level", event.level},
           {"maturity_level", kMaturityLevel},
           {"event_type", event.type}};
  if (!event.error.empty()) row["error"] = ParseJson<Json>(event.error);
  if (!event.details.empty()) row["details"] = event.details;
  return row;
}

arrow::Status Append(const Json& value, arrow::ArrayBuilder* builder);

arrow::Status AppendStruct(const Json& value, arrow::StructBuilder* builder) {
  ARROW_RETURN_NOT_OK(builder->Append());
  for (int i = 0; i < builder->num_fields(); ++i) {
    auto found = value.find(builder->type()->field(i)->name());
    ARROW_RETURN_NOT_OK(
        Append(found == value.end() ? Json(nullptr) : *found, builder->field_builder(i)));
  }
  return arrow::Status::OK();
}

/// What is of another kind than its column is NULL there.
arrow::Status Append(const Json& value, arrow::ArrayBuilder* builder) {
  switch (builder->type()->id()) {
    case arrow::Type::STRUCT:
      if (!value.is_object()) return builder->AppendNull();
      return AppendStruct(value, static_cast<arrow::StructBuilder*>(builder));
    case arrow::Type::LIST: {
      if (!value.is_array()) return builder->AppendNull();
      auto* list = static_cast<arrow::ListBuilder*>(builder);
      ARROW_RETURN_NOT_OK(list->Append());
      for (const auto& each : value) ARROW_RETURN_NOT_OK(Append(each, list->value_builder()));
      return arrow::Status::OK();
    }
    case arrow::Type::STRING:
      if (!value.is_string()) return builder->AppendNull();
      return static_cast<arrow::StringBuilder*>(builder)->Append(
          value.get_ref<const std::string&>());
    case arrow::Type::BOOL:
      if (!value.is_boolean()) return builder->AppendNull();
      return static_cast<arrow::BooleanBuilder*>(builder)->Append(value.get<bool>());
    case arrow::Type::TIMESTAMP:
      return static_cast<arrow::TimestampBuilder*>(builder)->Append(value.get<int64_t>());
    default:
      if (!value.is_number_integer()) return builder->AppendNull();
      return static_cast<arrow::Int64Builder*>(builder)->Append(value.get<int64_t>());
  }
}

}  // namespace

std::vector<delta::Column> EventColumns() {
  std::vector<delta::Column> columns;
  for (const auto& field : RowFields()) {
    delta::Column column;
    column.name = column.physical = field->name();
    column.id = record::ColumnId(static_cast<int32_t>(columns.size()) + 1);
    column.type = field->type();
    columns.push_back(std::move(column));
  }
  return columns;
}

Result<std::shared_ptr<arrow::RecordBatch>> EventRows(std::span<const EventRecord> events) {
  const auto fields = RowFields();
  FRESHET_TRY(auto builder, arrow::MakeBuilder(arrow::struct_(fields)));
  for (const auto& event : events) {
    FRESHET_TRY(auto row, RowOf(event));
    FRESHET_CHECK_OK(AppendStruct(row, static_cast<arrow::StructBuilder*>(builder.get())));
  }
  FRESHET_TRY(auto array, builder->Finish());
  const auto& rows = static_cast<const arrow::StructArray&>(*array);
  return arrow::RecordBatch::Make(arrow::schema(fields), rows.length(), rows.fields());
}

}  // namespace freshet::pipeline
