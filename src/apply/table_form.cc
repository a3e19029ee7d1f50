// SPDX-License-Identifier: Apache-2.0
#include "apply/table_form.h"

#include <algorithm>
#include <charconv>

#include "apply/key_hash.h"
#include "delta/features.h"

namespace freshet::apply {
namespace {

constexpr std::string_view kStaging = "freshet.staging", kFlow = "freshet.flow",
                           kTable = "freshet.table", kPipeline = "freshet.pipeline",
                           kKey = "freshet.key", kPosition = "freshet.position",
                           kShape = "freshet.shape", kSnapshot = "freshet.snapshot",
                           kInactive = "freshet.inactive", kHistory = "freshet.history",
                           kFilled = "freshet.filled", kDropped = "freshet.dropped";
constexpr std::string_view kComplete = "complete", kReading = "reading";
/// The table's comment is the source's.
constexpr char kCommented[] = "freshet.commented";

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

bool IsMapped(const delta::Metadata& metadata) {
  return delta::PropertyOf(metadata, delta::kMappingMode) == "name";
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
  if (dropped) properties[std::string(kDropped)] = "true";
  if (filled.value() > 0) properties[std::string(kFilled)] = std::to_string(filled.value());
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
  mark.dropped = get(kDropped) == "true";
  mark.filled = record::Generation(NumberOf(get(kFilled)));
  mark.position = *position;
  mark.shape_version = static_cast<int32_t>(NumberOf(get(kShape)));
  mark.complete = snapshot == kComplete;
  mark.history = std::move(*history);
  return std::optional<TableMark>(std::move(mark));
}

std::optional<RowIdColumns> RowIdColumns::Of(const delta::Snapshot& snapshot) {
  if (!snapshot.tracks_rows()) return std::nullopt;
  RowIdColumns columns{
      delta::PropertyOf(snapshot.metadata, "delta.rowTracking.materializedRowIdColumnName"),
      delta::PropertyOf(snapshot.metadata,
                        "delta.rowTracking.materializedRowCommitVersionColumnName")};
  if (columns.id.empty() || columns.version.empty()) return std::nullopt;
  return columns;
}

arrow::FieldVector RowIdColumns::Fields() const {
  return {arrow::field(id, arrow::int64()), arrow::field(version, arrow::int64())};
}

Result<TableForm> TableForm::Of(const delta::Snapshot& snapshot, std::vector<delta::Column> columns,
                                const TableMark& mark) {
  TableForm form;
  form.row_ids = RowIdColumns::Of(snapshot);
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
  form.layout = fmt::format("{};{};{}{}", kKeyHashForm, snapshot.metadata.id, TextOf(mark.key),
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
    if (shape.comments) {
      auto comment = shape.comments->columns.find(column.id);
      if (comment != shape.comments->columns.end()) delta::TakeComment(comment->second, &column);
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

namespace {

/// The comment is the source's, or somebody else's where the source has none.
void TakeWords(const TableWords& words, delta::Metadata* metadata) {
  auto& properties = metadata->configuration;
  for (const auto& [name, value] : words.properties) properties[name] = value;
  if (!words.comment) return;
  if (!words.comment->empty()) {
    metadata->description = *words.comment;
    properties[kCommented] = "true";
  } else if (properties.erase(kCommented) > 0) {
    metadata->description.clear();
  }
}

}  // namespace

std::vector<delta::Action> DescribeNew(std::vector<delta::Column> columns, const TableMark& mark,
                                       const TableWords& words, int64_t now_ms) {
  delta::Metadata metadata;
  metadata.configuration = mark.ToProperties();
  TakeWords(words, &metadata);
  delta::NewTable table;
  table.column_mapping = IsMapped(metadata) || NeedsMapping(columns);
  table.columns = std::move(columns);
  table.properties = std::move(metadata.configuration);
  auto [protocol, described] = delta::Describe(table, now_ms);
  described.description = std::move(metadata.description);
  return {std::move(protocol), std::move(described)};
}

std::vector<delta::Action> Redescribe(const delta::Snapshot& snapshot,
                                      std::vector<delta::Column> columns, const TableMark& mark,
                                      int64_t now_ms, const TableWords& words) {
  delta::Metadata metadata = snapshot.metadata;
  auto& properties = metadata.configuration;
  properties.erase(std::string(kInactive));
  properties.erase(std::string(kFilled));
  properties.erase(std::string(kDropped));
  for (auto& [name, value] : mark.ToProperties()) properties[name] = value;
  TakeWords(words, &metadata);
  const std::string max_id = delta::PropertyOf(metadata, delta::kMaxColumnId);
  const bool says_vectors = properties.contains(std::string(delta::kEnableVectors));
  delta::NewTable table;
  table.column_mapping = IsMapped(metadata) || NeedsMapping(columns) || mark.dropped;
  table.columns = std::move(columns);
  table.properties = std::move(properties);
  auto [fresh, described] = delta::Describe(table, now_ms);
  metadata.schema_json = std::move(described.schema_json);
  metadata.configuration = std::move(described.configuration);
  // What a new table has; this one lost it to another engine.
  if (!says_vectors) metadata.configuration.erase(std::string(delta::kEnableVectors));
  // Ids are never used again, so their highest never falls.
  auto highest = metadata.configuration.find(std::string(delta::kMaxColumnId));
  if (highest != metadata.configuration.end() && NumberOf(highest->second) < NumberOf(max_id))
    highest->second = max_id;

  auto protocol = delta::ProtocolFor(metadata, table.columns, &snapshot.protocol);
  std::vector<delta::Action> actions;
  if (protocol != snapshot.protocol) actions.emplace_back(std::move(protocol));
  actions.emplace_back(std::move(metadata));
  return actions;
}

}  // namespace freshet::apply
