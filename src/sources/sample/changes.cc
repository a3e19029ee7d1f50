// SPDX-License-Identifier: Apache-2.0
#include "sources/sample/changes.h"

#include "sources/sample/stream.h"

namespace freshet::sources::sample {
namespace {

Status Gone(ErrorClass error_class, std::string_view why, const Position& from) {
  return Error(error_class, "{}: transaction {} of journal {}", why, from.number, from.journal)
      .WithRemedy("Restore the journal, or ingest into an empty directory.");
}

/// Read on to the cursor, so that the next line is the first after it. The catalog is what the
/// tables were there.
Result<Catalog> ReadTo(const Position& from, JournalReader* journal) {
  if (from.journal != journal->id()) {
    return Error(ErrorClass::SOURCE_CHANGED, "the journal is {}, not {}", journal->id(),
                 from.journal);
  }
  if (from.number < journal->base())
    return Gone(ErrorClass::SLOT_LOST, "the journal was compacted past the position", from);
  Catalog catalog;
  std::string mark = from.mark;
  uint64_t lines = journal->base_lines() + (from.number - journal->base());
  for (uint64_t line = 0; line < lines; ++line) {
    FRESHET_TRY(auto transaction, journal->Next());
    if (!transaction)
      return Gone(ErrorClass::SLOT_MOVED, "the journal ends before the position", from);
    for (const auto& change : transaction->changes) FRESHET_CHECK_OK(catalog.Apply(change));
    // The lines of the base are not those that were there when the position was theirs.
    if (line >= journal->base_lines()) mark = transaction->mark;
  }
  if (mark != from.mark)
    return Gone(ErrorClass::SLOT_MOVED, "the journal has another history at the position", from);
  return catalog;
}

}  // namespace

Result<std::unique_ptr<ChangeStream>> OpenChanges(
    const Config& config, std::vector<std::shared_ptr<const record::TableShape>> shapes,
    const record::Cursor& from) {
  FRESHET_TRY(JournalReader journal, JournalReader::Open(config));
  Position start;
  Catalog catalog;
  if (from.text.empty()) {
    FRESHET_TRY(JournalEnd end, ReadToEnd(&journal));
    start = {end.number, std::move(end.mark), journal.id()};
    catalog = std::move(end.catalog);
  } else {
    FRESHET_TRY(start, FromCursor(from));
    FRESHET_TRY(catalog, ReadTo(start, &journal));
  }
  auto stream = std::make_unique<SampleStream>(config, std::move(journal), std::move(catalog),
                                               std::move(start));
  FRESHET_CHECK_OK(stream->Watch(std::move(shapes)));
  return std::unique_ptr<ChangeStream>(std::move(stream));
}

}  // namespace freshet::sources::sample
