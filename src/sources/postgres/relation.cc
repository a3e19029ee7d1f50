// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/relation.h"

#include <algorithm>
#include <map>
#include <set>

#include "sources/postgres/relation_match.h"
#include "sources/postgres/type_catalog.h"

namespace freshet::sources::postgres {
namespace {

Status Unsupported(const record::TableShape& shape, std::string words) {
  return MakeError(ErrorClass::SHAPE_CHANGE_UNSUPPORTED, std::move(words))
      .With("table", shape.name.ToString());
}

/// Whether an error says that the rows do not fit, and not that the catalog cannot be read.
bool IsMisfit(const Status& status) {
  return status.Is(ErrorClass::SHAPE_CHANGE_UNSUPPORTED) || status.Is(ErrorClass::KEY_CHANGED) ||
         status.Is(ErrorClass::COLUMN_NAME_CONFLICT) || status.Is(ErrorClass::COLUMN_RESERVED);
}

/// The key the old rows are sent by must still be the one we know the table by.
Status CheckKey(const RelationMessage& relation, const std::vector<int32_t>& ids,
                const std::optional<SourceTable>& now, const record::TableShape& shape) {
  std::vector<int32_t> known;
  for (int ordinal : shape.key) known.push_back(shape.ids[static_cast<size_t>(ordinal)].value());
  bool same = false;
  if (relation.identity == 'd' || relation.identity == 'i') {
    std::set<int32_t> sent;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (relation.columns[i].key) sent.insert(ids[i]);
    }
    same = sent == std::set<int32_t>(known.begin(), known.end()) && !known.empty();
  } else if (relation.identity == 'f') {
    // Every column is marked as key; which the primary key is, only the catalog knows.
    same = shape.keyless() || !now || now->key == known;
  }
  if (same) return Status::Ok();
  return Error(ErrorClass::KEY_CHANGED,
               "the table's key or replica identity is another than when it was first read")
      .With("table", shape.name.ToString());
}

/// The type of a column that was sent. The message does not tell an array's dimensions: they are
/// the catalog's, else those it was known with.
Result<std::optional<ColumnType>> TypeIn(Connection* connection, const RelationColumn& column,
                                         const SourceColumn* now, const arrow::Field* known,
                                         TypeMapping mapping) {
  if (now != nullptr && now->use.oid == column.type && now->use.modifier == column.modifier)
    return std::optional(now->type);
  int32_t dimensions = known == nullptr ? 0 : DimensionsOf(*known->type());
  return ReadType(connection, {column.type, column.modifier, dimensions}, mapping);
}

int PlaceOf(const record::TableShape& shape, int32_t id) {
  auto found = std::find(shape.ids.begin(), shape.ids.end(), record::ColumnId(id));
  return found == shape.ids.end() ? -1 : static_cast<int>(found - shape.ids.begin());
}

const SourceColumn* FindColumn(const std::optional<SourceTable>& table, int32_t id) {
  if (!table) return nullptr;
  for (const auto& column : table->columns) {
    if (column.number == id) return &column;
  }
  return nullptr;
}

/// Every column that the table has, and those that it had since we know it.
std::vector<TraceColumn> TracesOf(const record::TableShape& shape,
                                  const std::optional<SourceTable>& now) {
  std::map<int32_t, TraceColumn> traces;
  int32_t last = shape.last_column;
  for (int i = 0; i < shape.width(); ++i) {
    const int32_t id = shape.ids[static_cast<size_t>(i)].value();
    last = std::max(last, id);
    traces[id] = {id, shape.schema->field(i)->name(), std::nullopt};
    if (!now) traces[id].now = traces[id].ours;
  }
  if (now) {
    for (const auto& column : now->columns) {
      traces[column.number].id = column.number;
      traces[column.number].now = column.name;
    }
    for (int32_t id : now->dropped) {
      if (id > last) traces[id].id = id;
    }
  }
  std::vector<TraceColumn> ordered;
  for (auto& [id, trace] : traces) ordered.push_back(std::move(trace));
  return ordered;
}

Status CheckAdded(const record::TableShape& shape, const SourceColumn* now,
                  const std::optional<ColumnType>& type, const std::string& name) {
  if (now == nullptr || !type || now->type != *type)
    return Unsupported(shape, "a column was added and is gone or altered again: " + name);
  if (now->has_default && shape.keyless()) {
    return Unsupported(shape,
                       "a column was added with a default or as identity, which fills rows the log "
                       "does not carry: " +
                           name);
  }
  return Status::Ok();
}

/// What the shape becomes when these are the columns that rows are sent with.
class ShapeMaker {
 public:
  explicit ShapeMaker(const record::TableShape& before) : after_(before) { Clear(); }
  void Add(int32_t id, const std::string& name, std::shared_ptr<arrow::DataType> type) {
    columns_[id] = arrow::field(name, std::move(type));
  }
  /// Rows that were there before the column hold something in it.
  void Fill(int32_t id) { filled_.insert(id); }
  /// Errors: KEY_CHANGED (a key column is gone).
  Result<record::TableShape> Make(const record::TableShape& before) {
    arrow::FieldVector fields;
    for (auto& [id, field] : columns_) {
      fields.push_back(field);
      after_.ids.emplace_back(id);
      after_.filled.push_back(filled_.contains(id));
      after_.last_column = std::max(after_.last_column, id);
    }
    after_.schema = arrow::schema(std::move(fields));
    for (int ordinal : before.key) {
      int place = PlaceOf(after_, before.ids[static_cast<size_t>(ordinal)].value());
      if (place < 0) {
        return Error(ErrorClass::KEY_CHANGED, "a column of the key was dropped: {}",
                     before.schema->field(ordinal)->name())
            .With("table", before.name.ToString());
      }
      after_.key.push_back(place);
    }
    FRESHET_CHECK_OK(record::CheckShape(after_));
    return after_;
  }

 private:
  void Clear() {
    after_.ids.clear();
    after_.key.clear();
    after_.source_types.clear();
    after_.filled.clear();
  }
  record::TableShape after_;
  std::map<int32_t, std::shared_ptr<arrow::Field>> columns_;
  std::set<int32_t> filled_;
};

/// The shape of the rows that follow, given which columns they are sent with.
Result<record::TableShape> ShapeAfter(Connection* connection, const RelationMessage& relation,
                                      const std::vector<int32_t>& ids,
                                      const std::optional<SourceTable>& now,
                                      const record::TableShape& shape, TypeMapping mapping) {
  ShapeMaker maker(shape);
  for (size_t i = 0; i < ids.size(); ++i) {
    const RelationColumn& column = relation.columns[i];
    const SourceColumn* found = FindColumn(now, ids[i]);
    const int place = PlaceOf(shape, ids[i]);
    const arrow::Field* known = place < 0 ? nullptr : shape.schema->field(place).get();
    FRESHET_TRY(auto type, TypeIn(connection, column, found, known, mapping));
    if (known == nullptr) {
      FRESHET_CHECK_OK(CheckAdded(shape, found, type, column.name));
      if (found->has_default) maker.Fill(ids[i]);
    } else if (type && !ArrowTypeOf(*type)->Equals(known->type())) {
      return Unsupported(shape, fmt::format("a column's type changed: {}, it was {}", column.name,
                                            known->type()->ToString()));
    }
    maker.Add(ids[i], column.name, known != nullptr ? known->type() : ArrowTypeOf(*type));
  }
  for (int i = 0; i < shape.width(); ++i) {
    const int32_t id = shape.ids[static_cast<size_t>(i)].value();
    if (std::find(ids.begin(), ids.end(), id) != ids.end()) continue;
    // One that was not sent and is there is newer than these rows.
    const auto& field = shape.schema->field(i);
    if (!now || FindColumn(now, id) != nullptr) {
      maker.Add(id, field->name(), field->type());
    } else if (shape.keyless()) {
      return Unsupported(shape, "a column was dropped of a table without a key: " + field->name());
    }
  }
  return maker.Make(shape);
}

}  // namespace

Result<RelationFit> FitRelation(Connection* connection, const RelationMessage& sent,
                                const std::shared_ptr<const record::TableShape>& shape,
                                const Config& config) {
  RelationFit fit;
  const TypeMapping mapping = config.type_mapping;
  RelationMessage relation = sent;
  std::erase_if(relation.columns, [&](const RelationColumn& column) {
    return !config.columns.Selects(shape->name, column.name);
  });
  // A table stays the same one under another name. A partition's columns are known by their names
  // only.
  FRESHET_TRY(uint32_t oid, OidOf(shape->id));
  bool partition = relation.oid != oid;
  std::optional<SourceTable> now;
  auto read = ReadTable(connection, oid, mapping);
  if (read.ok()) {
    SelectColumns(config.columns, &*read);
    now = std::move(*read);
  }
  if (!read.ok() && !read.status().Is(ErrorClass::NOT_FOUND)) return read.status();

  std::vector<std::string> names;
  for (const auto& column : relation.columns) names.push_back(column.name);
  auto ids = MatchColumns(names, TracesOf(*shape, now), /*ordered=*/!partition);
  if (!ids) {
    fit.problem = Unsupported(
        *shape, "its columns are others than they were, and which they are cannot be told: " +
                    fmt::format("{}", fmt::join(names, ", ")));
    return fit;
  }
  fit.problem = CheckKey(relation, *ids, now, *shape);
  if (!fit.problem.ok()) return fit;
  auto after = ShapeAfter(connection, relation, *ids, now, *shape, mapping);
  if (!after.ok()) {
    if (!IsMisfit(after.status())) return after.status();
    fit.problem = after.status();
    return fit;
  }
  fit.shape = shape;
  if (now) after->imprint = ImprintOf(*now);
  if (!after->SameColumns(*shape)) {
    ++after->version;
    fit.shape = std::make_shared<const record::TableShape>(std::move(*after));
  }
  auto next = ids->begin();
  for (const auto& column : sent.columns) {
    bool selected = config.columns.Selects(shape->name, column.name);
    fit.ordinals.push_back(selected ? PlaceOf(*fit.shape, *next++) : -1);
  }
  // Sent under its table, a partition's identity may be less than the table's FULL: there an old
  // row can lack values without saying so.
  fit.whole_old_rows =
      relation.identity == 'f' && (shape->keyless() || partition || (now && !now->partitioned));
  return fit;
}

}  // namespace freshet::sources::postgres
