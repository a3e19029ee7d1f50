// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>

#include "app/commands.h"
#include "app/source.h"
#include "base/log.h"
#include "delta/table.h"
#include "pipeline/display.h"
#include "pipeline/event_line.h"
#include "pipeline/run_options.h"
#include "pipeline/spec.h"

namespace freshet::app {
namespace {

using record::TableShape;
using sources::TableListing;

/// A table as it is shown: its listing, and its shape where it has one.
struct Discovered {
  TableListing listing;
  TableShape shape;
};

std::string KeyOf(const TableShape& shape) {
  std::vector<std::string> names;
  for (int ordinal : shape.key) names.push_back(shape.schema->field(ordinal)->name());
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string SourceTypeOf(const TableShape& shape, int column) {
  auto at = static_cast<size_t>(column);
  return at < shape.source_types.size() ? shape.source_types[at] : "";
}

/// `about 1,234 rows, 567 bytes`; what the source does not estimate is left out.
std::string SizeOf(const TableListing& listing) {
  std::vector<std::string> parts;
  if (listing.rows_estimated >= 0)
    parts.push_back(pipeline::Grouped(listing.rows_estimated) + " rows");
  if (listing.bytes_estimated >= 0)
    parts.push_back(pipeline::Grouped(listing.bytes_estimated) + " bytes");
  return parts.empty() ? "size not known" : fmt::format("about {}", fmt::join(parts, ", "));
}

std::string ToText(const Discovered& table) {
  auto text = fmt::format("{}  ({})\n", table.listing.name.ToString(), SizeOf(table.listing));
  if (!table.listing.problem.ok()) {
    text += fmt::format("  cannot be ingested: {}\n", table.listing.problem.ToString());
    if (!table.listing.problem.remedy().empty())
      text += fmt::format("    {}\n", table.listing.problem.remedy());
    return text;
  }
  const TableShape& shape = table.shape;
  size_t names = 0, types = 0;
  for (int i = 0; i < shape.width(); ++i) {
    names = std::max(names, shape.schema->field(i)->name().size());
    types = std::max(types, SourceTypeOf(shape, i).size());
  }
  for (int i = 0; i < shape.width(); ++i) {
    const auto& field = *shape.schema->field(i);
    auto part = std::ranges::find(shape.key, i) != shape.key.end() ? "  key" : "";
    text += fmt::format("  {:<{}}  {:<{}}  {}{}\n", field.name(), names, SourceTypeOf(shape, i),
                        types, delta::TypeName(*field.type()), part);
  }
  if (!table.listing.unlogged.ok()) {
    text += fmt::format("  read again each run{}: {}\n",
                        table.listing.derived ? " where it is named in full" : "",
                        table.listing.unlogged.ToString());
    text += fmt::format("    {}\n", table.listing.unlogged.remedy());
  }
  if (shape.keyless()) text += "  no key: rows are told apart by their whole content\n";
  return text;
}

std::string ToJsonLines(const Discovered& table) {
  auto name = table.listing.name.ToString();
  bool fits = table.listing.problem.ok();
  const Status& told = fits ? table.listing.unlogged : table.listing.problem;
  record::Event whole{"table",
                      {{"table", name},
                       {"schema", table.listing.name.schema},
                       {"name", table.listing.name.table},
                       {"ingestible", fits},
                       {"logged", table.listing.unlogged.ok()},
                       {"key", fits ? KeyOf(table.shape) : ""},
                       {"rows_estimated", table.listing.rows_estimated},
                       {"bytes_estimated", table.listing.bytes_estimated}}};
  auto lines = pipeline::ToLine(pipeline::WithStatus(std::move(whole), told));
  for (int i = 0; fits && i < table.shape.width(); ++i) {
    const auto& field = *table.shape.schema->field(i);
    auto place = std::ranges::find(table.shape.key, i) - table.shape.key.begin();
    bool in_key = place < std::ssize(table.shape.key);
    lines += pipeline::ToLine({"column",
                               {{"table", name},
                                {"column", field.name()},
                                {"source_type", SourceTypeOf(table.shape, i)},
                                {"delta_type", delta::TypeName(*field.type())},
                                {"key_place", in_key ? int64_t{place} + 1 : int64_t{0}}}});
  }
  return lines;
}

/// The selected tables by name. A table that went since it was listed is left out.
Result<std::vector<Discovered>> Discover(const DiscoverArguments& arguments) {
  pipeline::PipelineSpec spec;
  FRESHET_TRY(spec.tables, pipeline::ParsePatterns(arguments.tables));
  FRESHET_TRY(auto parsed, ParseSource(arguments.source));
  if (!arguments.cursor_columns.empty()) {
    pipeline::CursorRule rule;
    rule.cursor_columns = arguments.cursor_columns;
    pipeline::CaptureByQueries({rule}, &parsed.settings);
  }
  FRESHET_TRY(auto source, OpenSource(parsed.settings));
  FRESHET_TRY(auto listings, source->ListTables());
  std::vector<record::TableName> all;
  for (const auto& listing : listings) all.push_back(listing.name);
  auto unmatched = spec.Unmatched(all);
  if (!unmatched.empty()) {
    return Error(ErrorClass::NO_TABLE_MATCHES, "no table at the source matches {}",
                 fmt::join(unmatched, ", "));
  }
  std::vector<Discovered> tables;
  for (auto& listing : listings) {
    if (!spec.Selects(listing.name)) continue;
    Discovered table{.listing = std::move(listing), .shape = {}};
    if (table.listing.problem.ok()) {
      auto shape = source->Describe(table.listing.id);
      if (shape.status().Is(ErrorClass::NOT_FOUND)) continue;
      if (shape.status().Is(ErrorClass::SOURCE_UNREACHABLE)) return shape.status();
      if (shape.ok())
        table.shape = *std::move(shape);
      else
        table.listing.problem = shape.status();
    }
    tables.push_back(std::move(table));
  }
  std::ranges::sort(tables, {}, [](const auto& table) { return table.listing.name; });
  return tables;
}

}  // namespace

pipeline::ExitCode RunDiscover(const DiscoverArguments& arguments) {
  SetUpLog("freshet", "warn");
  auto tables = Discover(arguments);
  if (!tables.ok()) return Fail(tables.status());
  for (const auto& table : *tables) {
    auto text = arguments.json ? ToJsonLines(table) : ToText(table);
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
  if (tables->empty() && !arguments.json) std::puts("there is no table at the source");
  return pipeline::ExitCode::kOk;
}

}  // namespace freshet::app
