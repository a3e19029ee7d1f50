// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/chunk_reader.h"

#include "base/limits.h"
#include "sources/postgres/block_range.h"
#include "sources/postgres/copy.h"
#include "sources/postgres/discover.h"
#include "sources/postgres/key_range.h"
#include "sources/postgres/type_catalog.h"

namespace freshet::sources::postgres {
namespace {

Status Stale(const record::TableShape& shape, std::string_view why) {
  return Error(ErrorClass::SNAPSHOT_STALE, "the table changed while its snapshot was read: {}", why)
      .With("table", shape.name.ToString());
}

/// What a view's rows come from, each with its file and, of a view, its definition; of a foreign
/// table where it points. Partitions and heirs count too.
/// Source: PostgreSQL, "System Catalogs", pg_rewrite, pg_depend.
constexpr std::string_view kOrigins = R"sql(
 || ' ' || (WITH RECURSIVE base(oid) AS (
   SELECT {0}::oid
   UNION
   SELECT e.oid FROM base b JOIN pg_class k ON k.oid = b.oid CROSS JOIN LATERAL (
     SELECT d.refobjid AS oid FROM pg_rewrite r JOIN pg_depend d ON d.classid =
       'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
     WHERE r.ev_class = b.oid AND k.relkind = 'v'
     UNION ALL SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = b.oid) e)
 SELECT string_agg(concat_ws(' ', p.oid, p.relfilenode, (SELECT string_agg(md5(r.ev_action::text),
     ' ' ORDER BY r.oid) FROM pg_rewrite r WHERE r.ev_class = p.oid), f.ftserver,
     f.ftoptions::text), ',' ORDER BY p.oid)
 FROM base JOIN pg_class p ON p.oid = base.oid LEFT JOIN pg_foreign_table f ON f.ftrelid = p.oid)
)sql";

/// What a chunk's text stands for. `keys`: of a range of keys, else `blocks` is what is read.
struct Piece {
  uint32_t oid = 0;
  BlockRange blocks;
  std::optional<KeyRange> keys;
};

Result<Piece> PieceFrom(const std::string& text) {
  Piece piece;
  if (IsKeyRange(text)) {
    FRESHET_TRY(piece.keys, KeyRangeFrom(text));
    piece.oid = piece.keys->oid;
  } else {
    FRESHET_TRY(piece.blocks, BlockRangeFrom(text));
    piece.oid = piece.blocks.oid;
  }
  return piece;
}

/// One line that differs when the columns that are read, or the files that hold the rows, are
/// others. Under the reader's own snapshot it tells what was then; asked by another session it
/// tells what is now: no one can alter a table that is locked. Beside it stands the table's name,
/// quoted, which is that of now in either, for rows are asked for by name; it is in the line too.
/// One that is gone has its number for a name.
/// Source: PostgreSQL, src/backend/utils/adt/regproc.c, regclassout.
std::string SignatureQuery(const Piece& piece, const record::TableShape& shape, bool view) {
  std::vector<std::string> names;
  for (const auto& field : shape.schema->fields()) names.push_back(field->name());
  bool fields = std::any_of(shape.schema->fields().begin(), shape.schema->fields().end(),
                            [](const auto& field) { return HasFields(*field->type()); });
  std::string of_composites = fields ? " || ' ' || (" + FieldsQuery(piece.oid) + ")" : "";
  std::string of_view = view ? fmt::format(kOrigins, piece.oid) : "";
  return fmt::format(
      "SELECT c.oid::regclass || ' ' || c.relfilenode || ' ' || coalesce((SELECT "
      "string_agg(format('%s %I %s %s', attnum, "
      "attname, atttypid, atttypmod), ',' ORDER BY attnum) "
      "FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attname = "
      "ANY ({}::text[])), ''){}{}, c.oid::regclass "
      "FROM pg_class c WHERE c.oid = {}",
      QuoteLiteral(ArrayParameter(names)), of_composites, of_view, piece.oid);
}

/// Reads one chunk in a transaction of its own, which begins at the first Next and ends with the
/// last.
class PostgresChunkReader final : public ChunkReader {
 public:
  PostgresChunkReader(std::shared_ptr<ReaderPool> pool,
                      std::shared_ptr<const record::TableShape> shape, Piece piece)
      : pool_(std::move(pool)), shape_(std::move(shape)), piece_(std::move(piece)) {}
  ~PostgresChunkReader() override {
    if (connection_ != nullptr) pool_->Return(std::move(connection_));
  }

  Status Begin();
  Result<std::shared_ptr<arrow::RecordBatch>> Next() override;
  int64_t values_nulled() const override {
    return decoder_ == nullptr ? 0 : decoder_->values_nulled();
  }

 private:
  Result<std::string> Condition();
  Result<std::string> CopyStatement(std::string_view name);
  Status TakeMessages();
  Status CheckSame();
  Status Explain(Status status) const;

  const std::shared_ptr<ReaderPool> pool_;
  const std::shared_ptr<const record::TableShape> shape_;
  const Piece piece_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<CopyDecoder> decoder_;
  bool view_ = false;  // or a foreign table
  std::string signature_;
  bool copying_ = false;
  bool ended_ = false;
};

/// What a statement's failure says about the table: gone, or without a column that it had.
Status PostgresChunkReader::Explain(Status status) const {
  const std::string& state = connection_->sql_state();
  if (!status.Is(ErrorClass::SOURCE_QUERY))
    return std::move(status).With("table", shape_->name.ToString());
  if (state == "42P01" || state == "3F000") return Stale(*shape_, "it is gone or has another name");
  if (state == "42703") return Stale(*shape_, "a column is gone or has another name");
  return std::move(status).With("table", shape_->name.ToString());
}

/// Return the SQL condition of the chunk's rows.
Result<std::string> PostgresChunkReader::Condition() {
  // A view has no places for its rows; it is one chunk.
  if (view_) return std::string("true");
  if (piece_.keys) {
    FRESHET_TRY(Rows column,
                connection_->Query("SELECT attname FROM pg_attribute WHERE attrelid = $1::oid AND "
                                   "attnum = $2::int2 AND NOT attisdropped AND atttypid = "
                                   "('pg_catalog.' || $3)::regtype",
                                   {std::to_string(piece_.oid), std::to_string(piece_.keys->column),
                                    piece_.keys->type}));
    if (column.empty()) return Stale(*shape_, "the column that divides it is another one");
    // The planner may take the table for another than the one that was looked at.
    FRESHET_CHECK_OK(connection_->Execute("SET LOCAL enable_seqscan = off"));
    return ConditionOf(*piece_.keys, column.text(0, 0));
  }
  const BlockRange& blocks = piece_.blocks;
  std::string condition = fmt::format("ctid >= '({},0)'::tid", blocks.first);
  if (blocks.end) condition += fmt::format(" AND ctid < '({},0)'::tid", *blocks.end);
  return condition;
}

Result<std::string> PostgresChunkReader::CopyStatement(std::string_view name) {
  FRESHET_TRY(auto columns, ReadColumns(connection_.get(), piece_.oid, pool_->type_mapping()));
  std::vector<ColumnType> types;
  std::string expressions;
  for (const auto& field : shape_->schema->fields()) {
    auto found = std::find_if(columns.begin(), columns.end(), [&](const SourceColumn& column) {
      return column.name == field->name();
    });
    if (found == columns.end() || !ArrowTypeOf(found->type)->Equals(field->type())) {
      return Stale(*shape_, "its columns are not those the snapshot began with");
    }
    types.push_back(found->type);
  }
  const CopyFormat format = CheaperCopyFormat(types);
  for (size_t i = 0; i < types.size(); ++i) {
    if (i > 0) expressions += ", ";
    expressions += CopyExpression(
        types[i], QuoteIdentifier(shape_->schema->field(static_cast<int>(i))->name()), format);
  }
  decoder_ = std::make_unique<CopyDecoder>(shape_->schema, types, format);
  FRESHET_TRY(std::string condition, Condition());
  std::string alive = pool_->ConditionOf(shape_->name);
  if (!alive.empty()) condition += " AND " + alive;
  return fmt::format("COPY (SELECT {} FROM {}{} WHERE {}) TO STDOUT (FORMAT {})", expressions,
                     view_ ? "" : "ONLY ", name, condition, CopyFormatName(format));
}

Status PostgresChunkReader::Begin() {
  FRESHET_TRY(connection_, pool_->Borrow());
  Status joined = Join(connection_.get(), pool_->snapshot());
  if (!joined.ok()) return std::move(joined).With("table", shape_->name.ToString());
  FRESHET_TRY(Rows kind,
              connection_->Query("SELECT relkind IN ('v', 'f') FROM pg_class WHERE oid = $1::oid",
                                 {std::to_string(piece_.oid)}));
  if (kind.empty()) return Stale(*shape_, "it was not there when the snapshot was taken");
  view_ = kind.truth(0, 0);
  FRESHET_TRY(Rows then, connection_->Query(SignatureQuery(piece_, *shape_, view_)));
  signature_ = then.text(0, 0);
  std::string_view name = then.text(0, 1);
  if (name.find('.') == std::string_view::npos) return Stale(*shape_, "it is gone");
  FRESHET_TRY(std::string copy, CopyStatement(name));
  Status begun = connection_->BeginCopy(copy);
  if (!begun.ok()) return Explain(std::move(begun));
  copying_ = true;
  return Status::Ok();
}

Result<std::shared_ptr<arrow::RecordBatch>> PostgresChunkReader::Next() {
  if (ended_) return std::shared_ptr<arrow::RecordBatch>();
  if (copying_) FRESHET_CHECK_OK(TakeMessages());
  if (decoder_->rows() > 0) return decoder_->Finish();
  FRESHET_CHECK_OK(CheckSame());
  ended_ = true;
  pool_->Return(std::move(connection_));
  return std::shared_ptr<arrow::RecordBatch>();
}

Status PostgresChunkReader::TakeMessages() {
  while (decoder_->rows() < limits::kBatchRowsMax && decoder_->bytes() < limits::kBatchBytesMax) {
    char* buffer = nullptr;
    auto size = connection_->CopyData(&buffer);
    if (!size.ok()) return Explain(size.status());
    if (*size == -1) {
      copying_ = false;
      return decoder_->End();
    }
    std::unique_ptr<char, decltype(&PQfreemem)> owner(buffer,
                                                      [](void* memory) { PQfreemem(memory); });
    Status taken = decoder_->Take({buffer, static_cast<size_t>(*size)});
    // The server writes a composite's fields as they are now, whatever the snapshot says of them.
    if (taken.Is(ErrorClass::SHAPE_CHANGE_UNSUPPORTED))
      return Stale(*shape_, "a composite type of it was altered");
    FRESHET_CHECK_OK(taken);
  }
  return Status::Ok();
}

Status PostgresChunkReader::CheckSame() {
  FRESHET_TRY(std::string now, pool_->SignatureNow(SignatureQuery(piece_, *shape_, view_)));
  if (now != signature_) return Stale(*shape_, "it was rewritten, truncated or altered");
  return connection_->Execute("COMMIT");
}

}  // namespace

Result<std::unique_ptr<Connection>> ReaderPool::Borrow() {
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  FRESHET_TRY(auto connection, Connection::Connect(config_, Connection::Mode::kQuery));
  connection->GiveUpWhen(&cancelled_);
  return connection;
}

void ReaderPool::Return(std::unique_ptr<Connection> connection) {
  if (!connection->usable()) return;
  std::lock_guard lock(mutex_);
  idle_.push_back(std::move(connection));
}

Result<std::string> ReaderPool::SignatureNow(const std::string& query) {
  std::lock_guard lock(now_mutex_);
  if (now_ == nullptr) {
    FRESHET_TRY(now_, Connection::Connect(config_, Connection::Mode::kQuery));
  }
  FRESHET_TRY(Rows rows, now_->Query(query));
  return rows.empty() ? std::string() : std::string(rows.text(0, 0));
}

Result<std::unique_ptr<ChunkReader>> OpenChunk(std::shared_ptr<ReaderPool> pool,
                                               std::shared_ptr<const record::TableShape> shape,
                                               const Chunk& chunk) {
  FRESHET_TRY(Piece piece, PieceFrom(chunk.text));
  auto reader =
      std::make_unique<PostgresChunkReader>(std::move(pool), std::move(shape), std::move(piece));
  FRESHET_CHECK_OK(reader->Begin());
  return std::unique_ptr<ChunkReader>(std::move(reader));
}

}  // namespace freshet::sources::postgres
