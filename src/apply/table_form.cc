// SPDX-License-Identifier: Apache-2.0
#include "apply/table_form.h"

#include <algorithm>
#include <charconv>

#include "apply/key_hash.h"

namespace freshet::apply {
namespace {

constexpr std::string_view kStaging = "freshet.staging", kFlow = "freshet.flow",
                           kTable = "freshet.table", kPipeline = "freshet.pipeline",
                           kKey = "freshet.key", kPosition = "freshet.position",
                           kShape = "freshet.shape", kSnapshot = "freshet.snapshot",
                           kInactive = "freshet.inactive", kHistory = "freshet.history";
constexpr std::string_view kComplete = "complete", kReading = "reading";
constexpr std::string_view kMaxColumnId = "delta.columnMapping.maxColumnId";

int64_t NumberOf(std::string_view text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::vector<record::ColumnId> IdsOf(std::string_view text) {
  std::vector<record::ColumnId> ids;
  while (!text.empty()) {
    size_t end = std::min(text.find(','), text.size());
    ids.emplace_back(static_cast<int32_t>(NumberOf(text.substr(0, end))));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return ids;
}

std::string TextOf(const std::vector<record::ColumnId>& ids) {
  std::string text;
  for (const auto& id : ids) text += (text.empty() ? "" : ",") + std::to_string(id.value());
  return text;
}

/// Whether the fields inside a type have names that need no mapping.
bool ArePlain(const arrow::DataType& type) {
  return std::all_of(type.fields().begin(), type.fields().end(), [](const auto& field) {
    return delta::IsPlainName(field->name()) && ArePlain(*field->type());
  });
}

bool NeedsMapping(const std::vector<delta::Column>& columns) {
  return std::any_of(columns.begin(), columns.end(), [](const delta::Column& column) {
    return !delta::IsPlainName(column.name) || column.name != column.physical ||
           !ArePlain(*column.type);
  });
}

}  // namespace

std::map<std::string, std::string> TableMark::ToProperties() const {
  std::map<std::string, std::string> properties;
  properties[std::string(kStaging)] = staging;
  properties[std::string(kFlow)] = flow;
  properties[std::string(kTable)] = table;
  properties[std::string(kPipeline)] = pipeline;
  properties[std::string(kKey)] = TextOf(key);
  properties[std::string(kPosition)] = position.ToHex();
  properties[std::string(kShape)] = std::to_string(shape_version);
  properties[std::string(kSnapshot)] = complete ? kComplete : kReading;
  properties[std::string(kHistory)] = history.ToText();
  if (!inactive.empty()) properties[std::string(kInactive)] = TextOf(inactive);
  return properties;
}

Result<std::optional<TableMark>> TableMark::Of(
    const std::map<std::string, std::string>& properties) {
  auto get = [&](std::string_view name) {
    auto found = properties.find(std::string(name));
    return found == properties.end() ? std::string() : found->second;
  };
  TableMark mark;
  mark.staging = get(kStaging);
  mark.flow = get(kFlow);
  mark.table = get(kTable);
  mark.pipeline = get(kPipeline);
  if (mark.staging.empty() && mark.flow.empty() && mark.table.empty()) {
    return std::optional<TableMark>();
  }
  auto position = record::Sequence::FromHex(get(kPosition));
  std::string snapshot = get(kSnapshot);
  auto history = HistoryMark::FromText(get(kHistory));
  if (!history || mark.staging.empty() || mark.flow.empty() || mark.table.empty() ||
      !position.ok() || !properties.contains(std::string(kKey)) || get(kShape).empty() ||
      (snapshot != kComplete && snapshot != kReading)) {
    return Error(ErrorClass::POSITION_LOST, "the table's freshet properties are not whole");
  }
  mark.key = IdsOf(get(kKey));
  mark.inactive = IdsOf(get(kInactive));
  mark.position = *position;
  mark.shape_version = static_cast<int32_t>(NumberOf(get(kShape)));
  mark.complete = snapshot == kComplete;
  mark.history = std::move(*history);
  return std::optional<TableMark>(std::move(mark));
}

Result<TableForm> TableForm::Of(const std::string& table_id, std::vector<delta::Column> columns,
                                const TableMark& mark) {
  TableForm form;
  form.columns = std::move(columns);
  arrow::FieldVector fields;
  for (const auto& column : form.columns) {
    fields.push_back(arrow::field(column.name, column.type));
    form.physical.push_back(arrow::field(column.physical, column.type));
    form.rows.ids.push_back(column.id);
  }
  form.rows.schema = arrow::schema(std::move(fields));
  for (const auto& id : mark.key) {
    auto found = std::find(form.rows.ids.begin(), form.rows.ids.end(), id);
    if (found == form.rows.ids.end()) {
      return Error(ErrorClass::POSITION_LOST, "the table lost its key column {}", id.value());
    }
    form.rows.key.push_back(static_cast<int>(found - form.rows.ids.begin()));
  }
  FRESHET_TRY(form.history, HistoryForm::Of(mark.history, form.columns));
  form.layout = fmt::format("{};{};{}{}", kKeyHashForm, table_id, TextOf(mark.key),
                            form.history.keeps_versions() ? ";open" : "");
  return form;
}

arrow::FieldVector TableForm::KeyFields() const {
  if (rows.keyless()) return physical;
  arrow::FieldVector fields;
  for (int ordinal : rows.key) fields.push_back(physical[static_cast<size_t>(ordinal)]);
  return fields;
}

arrow::FieldVector TableForm::IndexFields() const {
  auto fields = KeyFields();
  if (history.keeps_versions()) fields.push_back(physical[static_cast<size_t>(history.end)]);
  return fields;
}

bool TableForm::Indexed(const arrow::RecordBatch& of_index_fields, int64_t row) const {
  return !history.keeps_versions() || of_index_fields.columns().back()->IsNull(row);
}

std::string TableForm::KeyNames() const {
  std::string names;
  for (int ordinal : rows.key) {
    names += (names.empty() ? "" : ", ") + columns[static_cast<size_t>(ordinal)].name;
  }
  return names;
}

std::vector<delta::Column> ColumnsOf(const record::TableShape& shape) {
  std::vector<delta::Column> columns;
  for (int i = 0; i < shape.width(); ++i) {
    const auto& field = *shape.schema->field(i);
    delta::Column column;
    column.name = column.physical = field.name();
    column.id = shape.ids[static_cast<size_t>(i)];
    column.type = field.type();
    columns.push_back(std::move(column));
  }
  return columns;
}

std::vector<delta::Action> DescribeNew(std::vector<delta::Column> columns, const TableMark& mark,
                                       int64_t now_ms) {
  delta::NewTable table;
  table.column_mapping = NeedsMapping(columns);
  table.columns = std::move(columns);
  table.properties = mark.ToProperties();
  auto [protocol, metadata] = delta::Describe(table, now_ms);
  return {std::move(protocol), std::move(metadata)};
}

std::vector<delta::Action> Redescribe(const delta::Snapshot& snapshot,
                                      std::vector<delta::Column> columns, const TableMark& mark,
                                      int64_t now_ms) {
  delta::NewTable table;
  table.column_mapping = snapshot.column_mapping() || NeedsMapping(columns);
  table.columns = std::move(columns);
  auto [protocol, metadata] = delta::Describe(table, now_ms);
  const auto& old = snapshot.metadata;
  metadata.id = old.id;
  metadata.name = old.name;
  metadata.description = old.description;
  metadata.partition_columns = old.partition_columns;
  metadata.created_at_ms = old.created_at_ms;
  auto properties = old.configuration;
  properties.erase(std::string(kInactive));
  int64_t max_id = NumberOf(properties[std::string(kMaxColumnId)]);
  for (auto& [name, value] : metadata.configuration) properties[name] = value;
  for (auto& [name, value] : mark.ToProperties()) properties[name] = value;
  std::string& max_text = properties[std::string(kMaxColumnId)];
  if (NumberOf(max_text) < max_id) max_text = std::to_string(max_id);
  if (max_text.empty()) properties.erase(std::string(kMaxColumnId));
  metadata.configuration = std::move(properties);

  const auto& now = snapshot.protocol;
  protocol.min_reader = std::max(protocol.min_reader, now.min_reader);
  protocol.min_writer = std::max(protocol.min_writer, now.min_writer);
  protocol.reader_features.insert(now.reader_features.begin(), now.reader_features.end());
  protocol.writer_features.insert(now.writer_features.begin(), now.writer_features.end());
  std::vector<delta::Action> actions;
  if (protocol != now) actions.emplace_back(std::move(protocol));
  actions.emplace_back(std::move(metadata));
  return actions;
}

}  // namespace freshet::apply
