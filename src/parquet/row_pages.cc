// SPDX-License-Identifier: Apache-2.0
#include "parquet/row_pages.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/table.h>
#include <parquet/arrow/reader.h>
#include <parquet/metadata.h>
#include <parquet/page_index.h>
#include <parquet/schema.h>

#include <string>
#include <string_view>

namespace freshet::parquet {
namespace {

constexpr std::string_view kMagic = "PAR1";  // leads a file: no page lies at its very begin
using Pages = std::vector<::parquet::PageLocation>;

/// The chosen pages of a column chunk, and what a reader has to know of them.
struct Selection {
  Pages pages;
  int64_t bytes = 0, rows = 0;
};

/// Choose the pages that hold `rows`, which become ordinals in those pages' rows.
Selection Select(const Pages& pages, int64_t group_rows, std::vector<int64_t>* rows) {
  Selection selection;
  auto next = rows->begin();
  for (size_t page = 0; page < pages.size() && next != rows->end(); ++page) {
    const int64_t first = pages[page].first_row_index;
    const int64_t end = page + 1 < pages.size() ? pages[page + 1].first_row_index : group_rows;
    if (*next >= end) continue;
    for (; next != rows->end() && *next < end; ++next) *next += selection.rows - first;
    selection.pages.push_back(pages[page]);
    selection.bytes += pages[page].compressed_page_size;
    selection.rows += end - first;
  }
  return selection;
}

/// Append bytes of the file.
arrow::Status Append(arrow::io::RandomAccessFile* file, int64_t offset, int64_t length,
                     std::string* bytes) {
  ARROW_ASSIGN_OR_RAISE(auto buffer, file->ReadAt(offset, length));
  if (buffer->size() != length) return arrow::Status::IOError("the file ends within a page");
  bytes->append(reinterpret_cast<const char*>(buffer->data()), static_cast<size_t>(length));
  return arrow::Status::OK();
}

/// The footer of a file that has this one column with these pages and nothing else.
std::shared_ptr<::parquet::FileMetaData> Footer(const ::parquet::ColumnDescriptor& column,
                                                const ::parquet::ColumnChunkMetaData& chunk,
                                                int64_t rows, int64_t dictionary_bytes,
                                                int64_t bytes) {
  auto node = ::parquet::schema::PrimitiveNode::Make(
      column.name(), column.schema_node()->repetition(), column.logical_type(),
      column.physical_type(), column.type_length());
  auto root = ::parquet::schema::GroupNode::Make("schema", ::parquet::Repetition::REQUIRED, {node});
  ::parquet::SchemaDescriptor schema;
  schema.Init(root);
  auto properties =
      ::parquet::WriterProperties::Builder().compression(chunk.compression())->build();
  auto file = ::parquet::FileMetaDataBuilder::Make(&schema, properties);
  auto* group = file->AppendRowGroup();
  group->set_num_rows(rows);
  const bool dictionary = dictionary_bytes > 0;
  constexpr auto kFirst = static_cast<int64_t>(kMagic.size());
  group->NextColumnChunk()->Finish(rows, dictionary ? kFirst : 0, -1, kFirst + dictionary_bytes,
                                   bytes, bytes, dictionary, false, {}, {});
  group->Finish(bytes);
  return file->Finish();
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::ChunkedArray>> ReadRowPages(
    ::parquet::ParquetFileReader* reader, arrow::io::RandomAccessFile* file, int row_group,
    int leaf, const ::parquet::ArrowReaderProperties& properties, std::vector<int64_t>* rows) {
  const std::shared_ptr<arrow::ChunkedArray> none;
  const auto metadata = reader->metadata();
  const auto& column = *metadata->schema()->Column(leaf);
  if (column.max_repetition_level() > 0 || column.path()->ToDotVector().size() != 1) return none;
  auto index = reader->GetPageIndexReader();
  auto of_group = index == nullptr ? nullptr : index->RowGroup(row_group);
  auto offsets = of_group == nullptr ? nullptr : of_group->GetOffsetIndex(leaf);
  if (offsets == nullptr || offsets->page_locations().empty()) return none;
  const Pages& pages = offsets->page_locations();
  const auto group = metadata->RowGroup(row_group);
  const auto chunk = group->ColumnChunk(leaf);
  int64_t dictionary_bytes = 0;
  if (chunk->has_dictionary_page())
    dictionary_bytes = pages.front().offset - chunk->dictionary_page_offset();
  std::vector<int64_t> ordinals = *rows;
  const Selection selection = Select(pages, group->num_rows(), &ordinals);
  const int64_t bytes = dictionary_bytes + selection.bytes;
  if (dictionary_bytes < 0 || 2 * bytes > chunk->total_compressed_size()) return none;

  std::string content(kMagic);
  content.reserve(kMagic.size() + static_cast<size_t>(bytes));
  if (dictionary_bytes > 0) {
    ARROW_RETURN_NOT_OK(Append(file, chunk->dictionary_page_offset(), dictionary_bytes, &content));
  }
  for (size_t first = 0; first < selection.pages.size();) {
    int64_t length = 0;  // of pages that lie side by side: one read
    size_t end = first;
    for (; end < selection.pages.size() &&
           selection.pages[end].offset == selection.pages[first].offset + length;
         ++end)
      length += selection.pages[end].compressed_page_size;
    ARROW_RETURN_NOT_OK(Append(file, selection.pages[first].offset, length, &content));
    first = end;
  }
  ::parquet::arrow::FileReaderBuilder builder;
  auto source = std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(content));
  ARROW_RETURN_NOT_OK(
      builder.Open(source, ::parquet::default_reader_properties(),
                   Footer(column, *chunk, selection.rows, dictionary_bytes, bytes)));
  ARROW_ASSIGN_OR_RAISE(auto pages_reader, builder.properties(properties)->Build());
  ARROW_ASSIGN_OR_RAISE(auto table, pages_reader->ReadRowGroup(0));
  if (table->num_rows() != selection.rows)
    return arrow::Status::Invalid("the page index says other rows than the pages hold");
  *rows = std::move(ordinals);
  return table->column(0);
}

}  // namespace freshet::parquet
