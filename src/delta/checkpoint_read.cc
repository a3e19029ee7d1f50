// SPDX-License-Identifier: Apache-2.0
#include <arrow/array.h>

#include "delta/action_json.h"
#include "delta/checkpoint.h"
#include "parquet/reader.h"

namespace freshet::delta {
namespace {

using Store = std::shared_ptr<store::FileStore>;

Json ValueOf(const arrow::Array& array, int64_t row);

Json StructOf(const arrow::StructArray& array, int64_t row) {
  Json out = Json::object();
  for (int i = 0; i < array.num_fields(); ++i) {
    const std::string& name = array.struct_type()->field(i)->name();
    if (!name.ends_with("_parsed")) out[name] = ValueOf(*array.field(i), row);
  }
  return out;
}

template <typename ListArray>
Json ListOf(const ListArray& array, int64_t row) {
  Json out = Json::array();
  for (auto i = array.value_offset(row); i < array.value_offset(row + 1); ++i)
    out.push_back(ValueOf(*array.values(), i));
  return out;
}

Json MapOf(const arrow::MapArray& array, int64_t row) {
  Json out = Json::object();
  for (int64_t i = array.value_offset(row); i < array.value_offset(row + 1); ++i) {
    const Json key = ValueOf(*array.keys(), i);
    if (key.is_string()) out[key.get<std::string>()] = ValueOf(*array.items(), i);
  }
  return out;
}

/// One value as the JSON of a commit would have it; kinds that no action holds come as null.
Json ValueOf(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return nullptr;
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(array).Value(row);
    case arrow::Type::INT32:
      return static_cast<const arrow::Int32Array&>(array).Value(row);
    case arrow::Type::INT64:
      return static_cast<const arrow::Int64Array&>(array).Value(row);
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return static_cast<const arrow::BinaryArray&>(array).GetString(row);
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return static_cast<const arrow::LargeBinaryArray&>(array).GetString(row);
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW:
      return static_cast<const arrow::BinaryViewArray&>(array).GetString(row);
    case arrow::Type::STRUCT:
      return StructOf(static_cast<const arrow::StructArray&>(array), row);
    case arrow::Type::LIST:
      return ListOf(static_cast<const arrow::ListArray&>(array), row);
    case arrow::Type::LARGE_LIST:
      return ListOf(static_cast<const arrow::LargeListArray&>(array), row);
    case arrow::Type::MAP:
      return MapOf(static_cast<const arrow::MapArray&>(array), row);
    case arrow::Type::DICTIONARY: {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
      return ValueOf(*coded.dictionary(), coded.GetValueIndex(row));
    }
    default:
      return nullptr;
  }
}

/// A writer may keep stats only in their parsed form; the row count is what we cannot do without.
void RowsFromParsed(const arrow::Array& adds, int64_t row, Json* add) {
  if (add->contains("stats") && (*add)["stats"].is_string()) return;
  auto parsed = static_cast<const arrow::StructArray&>(adds).GetFieldByName("stats_parsed");
  if (parsed == nullptr || parsed->type_id() != arrow::Type::STRUCT || parsed->IsNull(row)) return;
  auto records = static_cast<const arrow::StructArray&>(*parsed).GetFieldByName("numRecords");
  if (records == nullptr) return;
  const Json count = ValueOf(*records, row);
  if (count.is_number_integer())
    (*add)["stats"] = fmt::format("{{\"numRecords\":{}}}", count.get<int64_t>());
}

bool IsActionColumn(const std::string& name) {
  static const std::set<std::string> kNames = {"add",      "remove",         "txn",    "metaData",
                                               "protocol", "domainMetadata", "sidecar"};
  return kNames.contains(name);
}

/// Take one line or row: an action, or the path of a sidecar.
Status Take(const Json& line, std::vector<Action>* actions, std::vector<std::string>* sidecars) {
  if (line.contains("sidecar") && line["sidecar"].is_object()) {
    const Json& sidecar = line["sidecar"];
    if (!sidecar.contains("path") || !sidecar["path"].is_string()) {
      return Error(ErrorClass::DELTA_CORRUPT, "a sidecar without a path");
    }
    sidecars->push_back(
        fmt::format("{}/_sidecars/{}", kLogFolder, DecodePath(sidecar["path"].get<std::string>())));
    return Status::Ok();
  }
  FRESHET_TRY(auto action, ActionOf(line));
  if (action) actions->push_back(std::move(*action));
  return Status::Ok();
}

Status ReadParquet(const Store& table, const std::string& path, Replay* replay,
                   std::vector<std::string>* sidecars) {
  FRESHET_TRY(auto reader, parquet::Reader::Open(table, path));
  arrow::FieldVector fields;
  for (const auto& field : reader->schema()->fields()) {
    if (IsActionColumn(field->name()) && field->type()->id() == arrow::Type::STRUCT)
      fields.push_back(field);
  }
  for (int group = 0; group < reader->row_groups(); ++group) {
    FRESHET_TRY(const auto batch, reader->Read(group, fields));
    std::vector<Action> actions;
    for (int column = 0; column < batch->num_columns(); ++column) {
      const std::string& kind = fields[static_cast<size_t>(column)]->name();
      const arrow::Array& values = *batch->column(column);
      for (int64_t row = 0; row < values.length(); ++row) {
        if (values.IsNull(row)) continue;
        Json body = ValueOf(values, row);
        if (kind == "add") RowsFromParsed(values, row, &body);
        FRESHET_CHECK_OK(Take(Json{{kind, std::move(body)}}, &actions, sidecars));
      }
    }
    replay->Apply(std::move(actions));
  }
  return Status::Ok();
}

Status ReadJson(const Store& table, const std::string& path, Replay* replay,
                std::vector<std::string>* sidecars) {
  FRESHET_TRY(const auto text, table->Get(path, 0, -1));
  std::vector<Action> actions;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \r\t") == std::string_view::npos) continue;
    const Json json = ParseJson<Json>(line);
    if (!json.is_object())
      return Error(ErrorClass::DELTA_CORRUPT, "a line of a checkpoint is not JSON")
          .With("file", path);
    FRESHET_CHECK_OK(Take(json, &actions, sidecars));
  }
  replay->Apply(std::move(actions));
  return Status::Ok();
}

}  // namespace

Status ReadCheckpoint(const Store& table, const CheckpointFiles& files, Replay* replay) {
  std::vector<std::string> sidecars, nested;
  for (const auto& path : files.paths) {
    const bool json = path.ends_with(".json");
    FRESHET_CHECK_OK(json ? ReadJson(table, path, replay, &sidecars)
                          : ReadParquet(table, path, replay, &sidecars));
  }
  for (const auto& path : sidecars) FRESHET_CHECK_OK(ReadParquet(table, path, replay, &nested));
  if (!nested.empty())
    return Error(ErrorClass::DELTA_CORRUPT, "a sidecar names a sidecar: {}", nested[0]);
  return Status::Ok();
}

}  // namespace freshet::delta
