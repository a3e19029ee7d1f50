// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/relation.h"

#include <algorithm>
#include <set>

#include "sources/postgres/type_catalog.h"

namespace freshet::sources::postgres {
namespace {

const SourceColumn* FindColumn(const std::optional<SourceTable>& table, const std::string& name) {
  if (!table) return nullptr;
  for (const auto& column : table->columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

Status Unsupported(const record::TableShape& shape, std::string words) {
  return MakeError(ErrorClass::SHAPE_CHANGE_UNSUPPORTED, std::move(words))
      .With("table", shape.name.ToString());
}

/// The key the old rows are sent by must still be the one we know the table by.
Status CheckKey(const RelationMessage& relation, const std::optional<SourceTable>& now,
                const record::TableShape& shape) {
  bool same = false;
  if (relation.identity == 'd' || relation.identity == 'i') {
    std::set<std::string> sent, known;
    for (const auto& column : relation.columns) {
      if (column.key) sent.insert(column.name);
    }
    for (int ordinal : shape.key) known.insert(shape.schema->field(ordinal)->name());
    same = sent == known && !known.empty();
  } else if (relation.identity == 'f') {
    // Every column is marked as key; which the primary key is, only the catalog knows.
    std::vector<int32_t> known;
    for (int ordinal : shape.key) known.push_back(shape.ids[static_cast<size_t>(ordinal)].value());
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

/// Find the place of each column that was sent, and append those that are new.
Status PlaceColumns(Connection* connection, const RelationMessage& relation,
                    const std::optional<SourceTable>& now, TypeMapping mapping,
                    record::TableShape* shape, RelationFit* fit) {
  for (const auto& column : relation.columns) {
    const SourceColumn* found = FindColumn(now, column.name);
    int ordinal = shape->schema->GetFieldIndex(column.name);
    const arrow::Field* known = ordinal < 0 ? nullptr : shape->schema->field(ordinal).get();
    FRESHET_TRY(auto type, TypeIn(connection, column, found, known, mapping));
    if (ordinal >= 0) {
      const auto& field = *shape->schema->field(ordinal);
      bool reused =
          found != nullptr && found->number != shape->ids[static_cast<size_t>(ordinal)].value();
      if (reused) {
        fit->problem = Unsupported(
            *shape, "a column was dropped and another of its name added: " + column.name);
      } else if (type && !ArrowTypeOf(*type)->Equals(field.type())) {
        fit->problem = Unsupported(*shape, fmt::format("a column's type changed: {}, it was {}",
                                                       column.name, field.type()->ToString()));
      }
    } else if (found == nullptr || !type || found->type != *type) {
      fit->problem =
          Unsupported(*shape, "a column was added and is gone or altered again: " + column.name);
    } else if (found->has_default) {
      fit->problem = Unsupported(*shape,
                                 "a column was added with a default or as identity, which fills "
                                 "rows the log does not carry: " +
                                     column.name);
    } else {
      ordinal = shape->width();
      auto fields = shape->schema->fields();
      fields.push_back(arrow::field(column.name, ArrowTypeOf(*type)));
      shape->schema = arrow::schema(std::move(fields));
      shape->ids.emplace_back(found->number);
    }
    if (!fit->problem.ok()) return Status::Ok();
    fit->ordinals.push_back(ordinal);
  }
  return Status::Ok();
}

/// A column that was not sent is one that is newer than these changes, or one that is gone.
Status CheckAbsent(const RelationFit& fit, const std::optional<SourceTable>& now,
                   const record::TableShape& shape) {
  for (int ordinal = 0; ordinal < shape.width(); ++ordinal) {
    if (std::find(fit.ordinals.begin(), fit.ordinals.end(), ordinal) != fit.ordinals.end())
      continue;
    const std::string& name = shape.schema->field(ordinal)->name();
    const SourceColumn* found = FindColumn(now, name);
    if (found == nullptr || found->number != shape.ids[static_cast<size_t>(ordinal)].value()) {
      return Unsupported(shape, "a column was dropped or renamed: " + name);
    }
  }
  return Status::Ok();
}

}  // namespace

Result<RelationFit> FitRelation(Connection* connection, const RelationMessage& relation,
                                const std::shared_ptr<const record::TableShape>& shape,
                                TypeMapping mapping) {
  RelationFit fit;
  // A partition has a name of its own, and of its columns only the names tell which they are.
  FRESHET_TRY(uint32_t oid, OidOf(shape->id));
  bool partition = relation.oid != oid;
  if (!partition &&
      (relation.schema != shape->name.schema || relation.table != shape->name.table)) {
    fit.problem = Error(ErrorClass::TABLE_RENAMED, "the table is now called {}.{}", relation.schema,
                        relation.table)
                      .With("table", shape->name.ToString());
    return fit;
  }
  std::optional<SourceTable> now;
  auto read = ReadTable(connection, oid, mapping);
  if (read.ok()) now = std::move(*read);
  if (!read.ok() && !read.status().Is(ErrorClass::NOT_FOUND)) return read.status();

  auto after = std::make_shared<record::TableShape>(*shape);
  FRESHET_CHECK_OK(PlaceColumns(connection, relation, now, mapping, after.get(), &fit));
  if (fit.problem.ok()) fit.problem = CheckAbsent(fit, now, *shape);
  if (fit.problem.ok()) fit.problem = CheckKey(relation, now, *shape);
  if (fit.problem.ok() && after->width() > shape->width()) fit.problem = record::CheckShape(*after);
  if (!fit.problem.ok()) return fit;
  if (after->width() > shape->width()) {
    ++after->version;
    fit.shape = std::move(after);
  } else {
    fit.shape = shape;
  }
  // Sent under its table, a partition's identity may be less than the table's FULL: there an old
  // row can lack values without saying so.
  fit.whole_old_rows =
      relation.identity == 'f' && (shape->keyless() || partition || (now && !now->partitioned));
  return fit;
}

}  // namespace freshet::sources::postgres
