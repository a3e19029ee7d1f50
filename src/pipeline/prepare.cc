// SPDX-License-Identifier: Apache-2.0
#include "pipeline/prepare.h"

#include <algorithm>
#include <map>

#include "pipeline/flow_book.h"
#include "pipeline/profile.h"
#include "staging/reader.h"
#include "staging/writer.h"
#include "store/file_store.h"

namespace freshet::pipeline {
namespace {

/// The slot's position is in the staging it was made for: another staging's must not be read on
/// with.
Status CheckStaging(const Destination& destination, const SourceRecord& record) {
  FRESHET_TRY(auto store, store::OpenLocalStore(destination.staging()));
  auto reader = staging::StagingReader::Open(store);
  if (!reader.ok() && !reader.status().Is(ErrorClass::NOT_FOUND)) return reader.status();
  if (reader.ok() && (*reader)->staging_id() == record.staging_id) return Status::Ok();
  return Error(ErrorClass::POSITION_LOST,
               "the staging that this destination was filled from is gone: {}", record.staging_id)
      .WithRemedy(
          "Restore DIR/_freshet/staging, or ingest into an empty directory; 'freshet drop' removes "
          "the slot.");
}

/// Fill in slot and publication: as remembered, as given, or as named from the staging.
Status TakeRecord(const Destination& destination, const std::optional<SourceRecord>& record,
                  Clock* clock, SourceSettings* source, SourceRecord* next) {
  if (record) {
    if ((source->slot_given && source->slot != record->slot) ||
        (source->publication_given && source->publication != record->publication)) {
      return Error(ErrorClass::INVALID_ARGUMENT, "this destination uses slot {} and publication {}",
                   record->slot, record->publication)
          .WithRemedy("Leave --slot and --publication out, or ingest into another directory.");
    }
    if (!source->type_mapping.empty() && source->type_mapping != record->type_mapping) {
      return Error(ErrorClass::INVALID_ARGUMENT,
                   "this destination's tables were made with the type mapping {}, not {}",
                   record->type_mapping, source->type_mapping)
          .WithRemedy("Leave the type mapping out, or ingest into another directory.");
    }
    FRESHET_CHECK_OK(CheckStaging(destination, *record));
    *next = *record;
  } else {
    FRESHET_TRY(auto store, store::OpenLocalStore(destination.staging()));
    FRESHET_TRY(auto writer, staging::StagingWriter::Open(store, clock));
    next->staging_id = writer->staging_id();
    auto ours = SlotNameFor(destination.root(), next->staging_id);
    next->type_mapping = source->type_mapping.empty() ? "lossless" : source->type_mapping;
    next->slot_given = source->slot_given;
    next->publication_given = source->publication_given;
    next->slot = source->slot_given ? source->slot : ours;
    next->publication = source->publication_given ? source->publication : ours;
  }
  source->type_mapping = next->type_mapping;
  source->slot = next->slot;
  source->publication = next->publication;
  source->slot_given = next->slot_given;
  source->publication_given = next->publication_given;
  return Status::Ok();
}

/// The profile of the tables: as given, as remembered, or the default.
Status TakeProfile(const std::optional<SourceRecord>& record, std::string* profile,
                   SourceRecord* next) {
  const std::string before(record ? std::string_view(record->profile) : kPortable);
  if (profile->empty()) *profile = before;
  if (record) FRESHET_CHECK_OK(CheckProfileChange(before, *profile));
  next->profile = *profile;
  return Status::Ok();
}

Status CheckIdentity(const sources::Traits& traits, const std::optional<SourceRecord>& record) {
  if (!record || (record->identity == traits.identity && record->connector == traits.name))
    return Status::Ok();
  return Error(ErrorClass::DESTINATION_FOREIGN,
               "the destination was filled from another source; its identity is {}, not {}",
               record->identity, traits.identity);
}

/// Two tables that would share a folder, told before either is written.
Status CheckFolders(const PipelineSpec& spec, const std::vector<record::TableName>& names) {
  std::map<std::string, record::TableName> taken;
  for (const auto& name : names) {
    auto folder = FolderOf(spec.DestinationOf(name));
    auto [other, fresh] = taken.emplace(folder, name);
    if (fresh) continue;
    return Error(ErrorClass::INVALID_ARGUMENT, "{} and {} would both land in {}",
                 other->second.ToString(), name.ToString(), folder)
        .WithRemedy("Give one of them another destination_table in the specification.");
  }
  return Status::Ok();
}

Status CheckCatalogs(const IngestOptions& options) {
  auto catalogs = options.spec.catalogs;
  for (const auto& object : options.spec.objects) catalogs.push_back(object.source_catalog);
  for (const auto& catalog : catalogs) {
    if (catalog.empty() || options.database.empty() || catalog == options.database) continue;
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "source_catalog {} is not the database that was given: {}", catalog,
                 options.database);
  }
  return Status::Ok();
}

/// The tables that the gateway staged and the specification selects.
Result<std::vector<record::TableName>> StagedTables(const IngestOptions& options,
                                                    staging::StagingReader& reader) {
  FRESHET_TRY(auto checkpoint, reader.Latest());
  std::vector<record::TableName> selected;
  for (const auto& [table, state] : checkpoint->tables) {
    if (options.spec.Selects(state.name) && !state.dropped) selected.push_back(state.name);
  }
  return selected;
}

/// The objects of the specification that neither a known table is nor one that is staged.
Result<std::vector<std::string>> Missing(const IngestOptions& options,
                                         const Destination& destination,
                                         std::vector<record::TableName> known) {
  FRESHET_TRY(auto store, store::OpenLocalStore(destination.staging()));
  FRESHET_TRY(auto reader, staging::StagingReader::Open(store));
  FRESHET_TRY(auto staged, StagedTables(options, *reader));
  known.insert(known.end(), staged.begin(), staged.end());
  return options.spec.Unmatched(known);
}

/// `begun`: the destination was filled before, or it is a pipeline's, whose tables fail alone. A
/// table that is gone by now is no reason to leave the others stale.
Status TakeTables(const IngestOptions& options, const Destination& destination,
                  sources::Source& source, bool begun, Prepared* prepared) {
  FRESHET_TRY(auto listings, source.ListTables());
  std::vector<record::TableName> all, selected;
  bool passed_over = false;
  for (const auto& listing : listings) {
    all.push_back(listing.name);
    if (!options.spec.Selects(listing.name)) continue;
    if (listing.derived && !options.spec.Names(listing.name)) {
      passed_over = true;
      continue;
    }
    if (listing.problem.ok()) {
      selected.push_back(listing.name);
    } else if (options.spec.Updates(listing.name)) {
      prepared->left_out.emplace_back(listing.name.ToString(), listing.problem);
    }
  }
  auto unmatched = options.spec.Unmatched(all);
  if (begun && !unmatched.empty()) {
    // What was there at the last run is the gateway's to tell, behind its last changes.
    FRESHET_TRY(auto missing, Missing(options, destination, std::move(all)));
    for (const auto& name : missing) prepared->left_out.emplace_back(name, NoSuchTable(name));
  } else if (!unmatched.empty()) {
    return Error(ErrorClass::NO_TABLE_MATCHES, "no table at the source matches {}",
                 fmt::join(unmatched, ", "));
  }
  auto not_refreshed = UnmatchedPatterns(options.refresh, selected);
  if (!not_refreshed.empty()) {
    return Error(ErrorClass::NO_TABLE_MATCHES, "no table that is ingested matches --refresh {}",
                 fmt::join(not_refreshed, ", "));
  }
  if (selected.empty() && prepared->left_out.empty() && !options.continuous) {
    Status none = Error(ErrorClass::NO_TABLE_MATCHES, "there is no table to ingest at the source");
    if (!passed_over) return none;
    return std::move(none).WithRemedy(
        "Views and foreign tables are taken when they are named in full: --tables schema.view");
  }
  for (const auto& listing : listings) {
    bool checked = listing.problem.ok() && options.spec.Updates(listing.name) &&
                   RuleOf(options.spec.table_rules, listing.name).selects_columns();
    if (!checked) continue;
    auto shape = source.Describe(listing.id).status();
    if (shape.Is(ErrorClass::KEY_NOT_SELECTED)) return shape;
  }
  return CheckFolders(options.spec, selected);
}

Status CheckSource(sources::Source& source, Prepared* prepared) {
  Status first;
  for (auto& finding : source.Check()) {
    if (finding.table) continue;  // a table's own problem comes with its listing
    if (finding.fatal && first.ok()) {
      first = finding.problem;
    } else {
      prepared->warnings.push_back(finding.problem.ToString());
    }
  }
  return first;
}

WorkerStart StartOf(const IngestOptions& options, const Destination& destination) {
  return {.destination = destination.root(),
          .source = options.source,
          .continuous = options.continuous,
          .spec = options.spec,
          .pipeline = options.pipeline,
          .apart = options.halves != Halves::kBoth,
          .pipelines = options.pipelines,
          .revision = options.revision};
}

/// Write what the destination is filled from, and ask for the refreshes that were asked of it.
Status Remember(const IngestOptions& options, const Destination& destination,
                const SourceRecord& next, Prepared* prepared) {
  FRESHET_CHECK_OK(destination.WriteSource(next));
  FRESHET_TRY(auto root, store::OpenLocalStore(destination.root()));
  FRESHET_TRY(auto book, FlowBook::Open(root));
  FRESHET_TRY(prepared->refreshed,
              AskForRefresh(root, book, record::PipelineId(options.pipeline), options.refresh));
  return Status::Ok();
}

/// Of the applying half alone: instead of a source there is the staging of a gateway.
Result<Prepared> PrepareApply(const IngestOptions& options, const Destination& destination) {
  Prepared prepared;
  prepared.start = StartOf(options, destination);
  FRESHET_TRY(auto record, destination.ReadSource());
  FRESHET_TRY(auto store, store::OpenLocalStore(destination.staging()));
  auto reader = staging::StagingReader::Open(store);
  if (reader.status().Is(ErrorClass::NOT_FOUND))
    return Error(ErrorClass::SOURCE_UNREACHABLE, "the gateway has not staged anything yet");
  FRESHET_CHECK_OK(reader);
  if (record && record->staging_id != (*reader)->staging_id()) {
    return Error(ErrorClass::POSITION_LOST,
                 "the tables were filled from another staging than the gateway has: {}",
                 record->staging_id)
        .WithRemedy("Delete the pipeline and make it again: its tables are read anew.");
  }
  SourceRecord next{.connector = {}, .identity = {}, .staging_id = (*reader)->staging_id()};
  next.pipeline = options.pipeline;
  FRESHET_CHECK_OK(TakeProfile(record, &prepared.start.spec.profile, &next));
  FRESHET_TRY(auto tables, StagedTables(options, **reader));
  auto unmatched = UnmatchedPatterns(options.refresh, tables);
  if (!unmatched.empty()) {
    return Error(ErrorClass::NO_TABLE_MATCHES, "no table that is ingested is {}",
                 fmt::join(unmatched, ", "));
  }
  FRESHET_CHECK_OK(CheckFolders(options.spec, tables));
  for (const auto& each : options.left_out) {
    if (options.spec.Updates(each.first))
      prepared.left_out.emplace_back(each.first.ToString(), each.second);
  }
  FRESHET_CHECK_OK(Remember(options, destination, next, &prepared));
  return prepared;
}

}  // namespace

Result<Prepared> Prepare(const IngestOptions& options, const Destination& destination,
                         Clock* clock) {
  if (options.halves == Halves::kApply) return PrepareApply(options, destination);
  Prepared prepared;
  prepared.start = StartOf(options, destination);
  FRESHET_CHECK_OK(CheckCatalogs(options));
  FRESHET_TRY(auto record, destination.ReadSource());
  SourceRecord next;
  FRESHET_CHECK_OK(TakeRecord(destination, record, clock, &prepared.start.source, &next));
  FRESHET_CHECK_OK(TakeProfile(record, &prepared.start.spec.profile, &next));
  // The oldest readers know no other times.
  if (next.profile == kClassic)
    prepared.start.source.parameters.emplace_back("freshet_timestamps", "utc");
  FRESHET_TRY(auto source, options.open_source(prepared.start.source));
  auto traits = source->traits();
  FRESHET_CHECK_OK(CheckIdentity(traits, record));
  FRESHET_CHECK_OK(CheckSource(*source, &prepared));
  // What of the tables is wrong for those who read the staging is told by the gateway.
  if (options.halves == Halves::kBoth) {
    const bool begun = record.has_value() || !options.update.empty();
    FRESHET_CHECK_OK(TakeTables(options, destination, *source, begun, &prepared));
  }
  next.connector = traits.name;
  next.identity = traits.identity;
  next.parameters = options.source.parameters;
  // Before slot and publication are made, so that `drop` finds them whatever happens next.
  FRESHET_CHECK_OK(Remember(options, destination, next, &prepared));
  return prepared;
}

Status NoSuchTable(const std::string& name) {
  return Error(ErrorClass::NO_TABLE_MATCHES,
               "there is no such table at the source, or its user may not see it: {}", name);
}

Result<std::vector<std::string>> NotStaged(const IngestOptions& options,
                                           const Destination& destination) {
  std::vector<record::TableName> left_out;
  for (const auto& [table, why] : options.left_out) left_out.push_back(table);
  return Missing(options, destination, std::move(left_out));
}

}  // namespace freshet::pipeline
