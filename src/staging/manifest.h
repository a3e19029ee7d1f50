// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "record/change.h"
#include "record/ids.h"
#include "record/sequence.h"
#include "record/shape.h"

namespace freshet::staging {

using record::FlowId;
using record::Generation;
using record::SegmentNumber;
using record::Sequence;
using record::TableId;

// What a manifest says, in the order it happened. Source of every field: docs/formats/staging.md.

/// A table was found at the source, or has a new name. `former` had that name before and is gone:
/// who reads that one goes on with this one.
struct TableListed {
  TableId table;
  record::TableName name;
  std::optional<TableId> former = {};
};
/// A table's shape from `at` on (all zero: from its first row); `shape.version` is new. One that
/// was broken is followed again.
struct ShapeNoted {
  record::TableShape shape;
  Sequence at;
  /// Only what is written about the table is new: rows go on as they were.
  bool words_only = false;
  /// Columns in which rows from before it may hold values that no change tells: generations of
  /// these columns alone bring them.
  std::vector<record::ColumnId> unfilled{};
};
/// The partitions that a table's rows lie in from here on, by the source's ids for them.
struct PartitionsNoted {
  TableId table;
  std::set<std::string> partitions;
};
/// What the source has kept of a table from this segment's cursor on, in its own words; empty:
/// nothing. It touches no row.
struct MemoNoted {
  TableId table;
  std::string memo;
};
/// What tells whether a table's values read as they did; it touches no row.
struct ImprintNoted {
  TableId table;
  record::Imprint imprint;
};
/// Rows of one table and one shape in one of the segment's packs: an Arrow IPC stream of
/// ChangeSchema's form, whose fields carry their column ids (`PARQUET:field_id`), in sequence
/// order.
struct ChangeRun {
  TableId table;
  int32_t shape_version = 0;
  int32_t pack = 0;                // ordinal in Manifest::packs
  int64_t offset = 0, length = 0;  // bytes in the pack
  uint32_t crc32c = 0;             // of those bytes
  int64_t rows = 0, inserts = 0, updates = 0, deletes = 0;
  Sequence first, last;
  UtcMicros committed_first = 0, committed_last = 0;
  bool has_missing = false;
};
/// All rows went at once (truncate), or the table is gone at the source (drop; its rows stay at the
/// destination).
struct TableEnded {
  record::TableEnd::Kind kind = record::TableEnd::Kind::kTruncated;
  TableId table;
  Sequence at;
  UtcMicros committed_at = 0;
};
/// The table's changes end here until it is read anew; every flow of it fails with this.
struct TableBroken {
  TableId table;
  std::string error_class, message, remedy;
};
/// A flow's snapshot begins: everything at or below `position` is in it, `first_segment` is the
/// first that can hold a later change.
struct GenerationBegun {
  FlowId flow;
  TableId table;
  Generation generation;
  Sequence position;
  UtcMicros taken_at = 0;
  int32_t shape_version = 0;
  SegmentNumber first_segment;
  int64_t chunks = 0;
  int64_t rows_estimated = -1;
  /// An earlier one was complete, and no change tells what came since: what differs is applied.
  bool difference = false;
  /// Only the key and these columns are read, for rows of a flow that has all else of them.
  std::optional<std::vector<record::ColumnId>> columns{};
  /// A state's: parts of this segment and later ones may be read from later snapshots, so they are
  /// rows among the changes and not what these start from (RestBegun).
  std::optional<SegmentNumber> rest_from{};
  /// What names the snapshot at the source, so that another gateway can read on from it, and each
  /// chunk in the source's words. A state has both only until the generation ends or is abandoned.
  std::string view{};
  std::vector<std::string> plan{};
};
/// The snapshot is gone, and what its chunks have not read yet is read from a later one. A row that
/// changed between the two may be in chunks of both, or in none: the changes above the generation's
/// position make it what it is, and it ends once all of them up to the later one are staged.
struct RestBegun {
  FlowId flow;
  TableId table;
  Generation generation;
  Sequence position;  // of the later snapshot
  UtcMicros taken_at = 0;
  std::string view{};
  std::vector<std::string> plan{};  // every chunk's, in the order of their numbers
};
/// A Parquet file with rows of one chunk: exactly the shape's columns, physical name = column name,
/// field id = column id.
struct SnapshotPart {
  FlowId flow;
  TableId table;
  Generation generation;
  int64_t chunk = 0;
  std::string path;  // below the staging's root
  int64_t rows = 0, bytes = 0;
};
/// Every part of the chunk is named before this, in this same manifest.
struct ChunkDone {
  FlowId flow;
  TableId table;
  Generation generation;
  int64_t chunk = 0;
  int64_t rows = 0;
  int64_t values_nulled = 0;
};
struct GenerationEnded {
  FlowId flow;
  TableId table;
  Generation generation;
  int64_t rows = 0;
  int64_t values_nulled = 0;
};
/// The generation will never end, or its rows are no longer what the changes make of them: changes
/// of this segment and later ones are not applied to it, and with `untold` to no earlier one
/// either. `successor` takes its place.
struct GenerationAbandoned {
  FlowId flow;
  TableId table;
  Generation generation, successor;
  std::string why;
  bool untold = false;  // rows came or went that no change tells of
};

using Entry = std::variant<TableListed, ShapeNoted, PartitionsNoted, MemoNoted, ImprintNoted,
                           ChangeRun, TableEnded, TableBroken, GenerationBegun, RestBegun,
                           SnapshotPart, ChunkDone, GenerationEnded, GenerationAbandoned>;

/// Where a flow's newest generation stands.
struct GenerationState {
  GenerationBegun begun;
  std::set<int64_t> chunks_done;
  int64_t rows = 0;
  int64_t values_nulled = 0;
  bool ended = false;
  std::optional<Generation> successor;       // abandoned, and this one takes its place
  SegmentNumber abandoned_in;                // with a successor: the segment that says so
  bool untold = false;                       // with a successor: it has to be a whole one
  std::optional<GenerationBegun> base = {};  // of one of some columns: the last whole one; it ended

  /// The generation that the flow's rows come from.
  const GenerationBegun& whole() const { return base ? *base : begun; }
  /// Whether the next generation may be one of some columns: the flow has, or will have, whole
  /// rows.
  bool fillable() const { return base ? !untold : ended && !successor; }
};
/// Columns that a shape came with and no change fills.
struct Unfilled {
  SegmentNumber since;  // the segment that notes the shape
  std::vector<record::ColumnId> columns;
};
/// What is known of one table up to some segment.
struct TableState {
  record::TableName name;
  std::optional<TableId> former;                    // whose place it took
  std::optional<record::TableShape> shape;          // the newest
  int32_t rows_since = 0;                           // the first version with the newest's rows
  std::optional<std::set<std::string>> partitions;  // the newest, of a partitioned table
  std::map<int32_t, Unfilled> unfilled = {};        // by version of the shape
  std::string memo;                                 // the newest
  std::optional<record::Imprint> imprint;           // the newest
  std::optional<TableBroken> broken;
  bool dropped = false;
  SegmentNumber last_segment;  // the last that touches it
  std::map<FlowId, GenerationState> generations;

  /// The columns that no generation from the last whole one on has filled for all of its rows.
  std::vector<record::ColumnId> Lacking(const GenerationState& generation) const;
  /// The segment that notes the first shape with such columns that is newer than `shape_version`;
  /// nothing: there is none.
  std::optional<SegmentNumber> LackingSince(const GenerationState& generation,
                                            int32_t shape_version) const;
  /// Whether the flow is to get a generation of such columns alone that has not been begun.
  bool WantsColumns(const GenerationState& generation) const;
};
/// Cursor + progress of every table: all it takes to resume. The fold of every manifest's entries
/// up to one of them.
struct Checkpoint {
  SegmentNumber through;
  record::Cursor cursor;
  UtcMicros committed_at = 0;  // newest source commit covered
  std::map<TableId, TableState> tables;
};

/// One durable step of the staging: a segment exists when its manifest exists.
struct Manifest {
  SegmentNumber number;
  std::string staging_id;
  std::string writer_id;
  UtcMicros sealed_at = 0;
  record::Cursor cursor;           // safe to resume the source after this segment
  UtcMicros committed_at = 0;      // newest source commit at or before the cursor; 0 none
  std::vector<std::string> packs;  // paths below the staging's root
  std::vector<Entry> entries;
  /// The whole state *before* this segment's entries; in the first manifest of each folder.
  std::optional<Checkpoint> checkpoint;
};

/// Apply a manifest to the state before it. REQUIRES: manifest.number == checkpoint.through + 1.
void Advance(const Manifest& manifest, Checkpoint* checkpoint);

/// Apply one entry of the segment `number` to the state.
void AdvanceBy(const Entry& entry, SegmentNumber number, Checkpoint* checkpoint);

/// The table an entry is about.
const TableId& TableOf(const Entry& entry);
/// The tables whose rows or state a manifest's entries touch.
std::set<TableId> TablesOf(const Manifest& manifest);

std::string ToJson(const Manifest& manifest);
/// Errors: STAGING_CORRUPT.
Result<Manifest> FromJson(std::string_view text);

/// Return `segments/<folder>/<number>.json`, 12 digits each, folder = number /
/// limits::kManifestsPerFolder.
std::string ManifestPath(SegmentNumber number);

}  // namespace freshet::staging
