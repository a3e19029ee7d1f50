// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// Every bound of the program, with its unit in its name and its reason beside it. Memory does not
/// grow with table, row, transaction or table count: these are why.
namespace freshet::limits {

inline constexpr size_t kKiB = 1024;
inline constexpr size_t kMiB = 1024 * kKiB;
inline constexpr size_t kGiB = 1024 * kMiB;

/// A cursor is the source's own text and goes into every manifest.
inline constexpr size_t kCursorBytesMax = 64 * kKiB;
/// What a source may have kept of one table, beside its cursor.
inline constexpr size_t kTableMemoBytesMax = 16 * kKiB;
/// One batch of changes: large enough to amortise a virtual call, small enough to hold several.
inline constexpr size_t kBatchBytesMax = 8 * kMiB;
inline constexpr int64_t kBatchRowsMax = 64 * 1024;
/// How long a commit may wait for more to share its seal.
inline constexpr std::chrono::milliseconds kCommitDelayMax{50};
/// What one open segment holds in memory before a pack is written.
inline constexpr size_t kPackBytesMax = 32 * kMiB;
/// What one segment may hold in all its packs before it is sealed at the next commit.
inline constexpr size_t kSegmentBytesMax = 64 * kMiB;
/// A snapshot part, as encoded: it becomes a data file of the table as it is.
inline constexpr size_t kSnapshotPartBytesMax = 64 * kMiB;
/// Arrow bytes of one Parquet row group while it is collected.
inline constexpr size_t kRowGroupBytesMax = 32 * kMiB;
inline constexpr int64_t kRowGroupRowsMax = 256 * 1024;
/// A dictionary that would not fit in one page of this size is not worth starting.
inline constexpr size_t kDictionaryBytesMax = 1 * kMiB;
/// Values looked at to decide on a column's dictionary.
inline constexpr int64_t kDictionarySampleRows = 16 * 1024;
/// A smallest or largest value longer than this is not kept in a file's statistics.
inline constexpr size_t kStatisticsBytesMax = 4 * kKiB;
/// What a snapshot chunk covers at the source: work lost at a crash is at most this.
inline constexpr size_t kChunkBytesMax = 128 * kMiB;
inline constexpr int kSnapshotReadersMax = 2;
/// Encoded parts waiting between the snapshot readers and the capture thread.
inline constexpr size_t kSnapshotQueueBytesMax = 64 * kMiB;
/// Received bytes waiting between a source's wire and the capture thread.
inline constexpr size_t kWireQueueBytesMax = 32 * kMiB;
/// Arrow bytes one fold keeps; more changes than that are folded slice by slice, in their order.
inline constexpr size_t kFoldBytesMax = 128 * kMiB;
/// Staged change bytes one commit takes together, beyond its first segment.
inline constexpr size_t kApplyBytesMax = 64 * kMiB;
/// Snapshot parts one commit adopts.
inline constexpr size_t kApplyPartsMax = 256;
/// What comparing a table with a new reading of it keeps of both in memory (a row is 48 bytes);
/// more is put aside on disk, in as many parts as it takes for one to need no more than half of
/// this.
inline constexpr size_t kDifferenceBytesMax = 128 * kMiB;
/// Rows that are encoded at a time.
inline constexpr int64_t kApplyRowsMax = 64 * 1024;
/// The key index's block cache, which holds its filters too (10 bits a key), and one memtable.
inline constexpr size_t kIndexCacheBytesMax = 64 * kMiB;
inline constexpr size_t kIndexMemtableBytesMax = 16 * kMiB;
/// From this many entries on they are ingested as one sorted file, below it as a write batch; and
/// the most that are sorted in memory at a time (32 bytes each).
inline constexpr size_t kIndexIngestEntriesMin = 8 * 1024;
inline constexpr size_t kIndexIngestEntriesMax = 2 * 1024 * 1024;
/// So many files of one class of size are rewritten to one; each class is so many times larger than
/// the one below it. A row is written again about as often as there are classes.
inline constexpr size_t kCompactionFilesMin = 8;
inline constexpr size_t kCompactionFilesMax = 256;
/// The smallest class of size; a smaller file's dead rows are not worth a commit of their own.
inline constexpr int64_t kCompactionBytesMin = 64 * kKiB;
/// From this size on a file is not small: opening it costs little beside reading it.
inline constexpr int64_t kCompactionSmallBytes = 8 * kMiB;
/// A file is rewritten when one row in so many is dead: reading a table costs at most a ninth more
/// for them, and on average half of that. Each row of a table of which everything changes is
/// written as many times again as this says.
inline constexpr int64_t kCompactionDeadShare = 10;
/// Commits of changes between two looks for files worth rewriting. A look costs as many steps as
/// there are files, so where nothing else waits it comes sooner: a commit for so many files.
inline constexpr int64_t kCommitsPerCompaction = 8;
inline constexpr int64_t kCompactionFilesPerCommit = 128;
/// Segments one apply takes together.
inline constexpr int kApplySegmentsMax = 512;
/// How long connecting to a source may take when its URI does not say.
inline constexpr std::chrono::seconds kConnectWaitMax{15};
/// How long making a replication slot may wait for the transactions that run at the source.
inline constexpr std::chrono::seconds kSlotWaitMax{60};
/// How long a source may say nothing at all before it is asked whether it is still there.
inline constexpr std::chrono::seconds kSourceSilenceMax{60};
/// How long a commit waits for the wire to bring more, so that a stream of small ones becomes few
/// batches.
inline constexpr std::chrono::milliseconds kWireQuietMax{2};
/// Received bytes handed from the receiving thread to the capture thread in one go.
inline constexpr size_t kWireBlockBytes = 256 * kKiB;
/// Our own dead process's session at the source is waited for this long, then ended.
inline constexpr std::chrono::seconds kSlotReleaseWaitMax{2};
/// A manifest that is the first of its folder carries the whole checkpoint.
inline constexpr int64_t kManifestsPerFolder = 1000;
/// How often an idle source's position is made durable.
inline constexpr std::chrono::seconds kIdlePositionInterval{10};
/// How often a continuous gateway looks for new tables and wishes.
inline constexpr std::chrono::seconds kDiscoverInterval{10};
inline constexpr std::chrono::hours kStagingRetention{24 * 30};
/// How long a continuous gateway lets a table rest that it has to read again to see its changes.
inline constexpr std::chrono::minutes kRereadInterval{5};
/// How often a table that is found rewritten under its reading is begun anew before it is given up
/// until the next time.
inline constexpr int kRereadsStaleMax = 3;
/// How often a gateway looks for wishes; a new flow waits this long at most.
inline constexpr std::chrono::milliseconds kWishInterval{200};
/// How often a gateway looks for segments that have expired.
inline constexpr std::chrono::hours kExpiryInterval{1};
/// Snapshots of the source held open at once; further wishes wait.
inline constexpr int kSnapshotsMax = 4;
/// Chunks handed to the snapshot readers and not yet taken back.
inline constexpr int kChunksOutstandingMax = 64;
/// How long a stopping gateway reads on to the end of the source transaction it is in.
inline constexpr std::chrono::seconds kStopDelayMax{2};
/// Commits between two checkpoints of a table: readers parse each commit since the last one, and a
/// checkpoint writes every live and every removed file again. So few commits where those are few,
/// one more for so many of them, and these at most.
inline constexpr int64_t kCommitsPerCheckpointMin = 10;
inline constexpr int64_t kActionsPerCheckpointCommit = 2000;
inline constexpr int64_t kCommitsPerCheckpoint = 50;
/// Between two looks at a table's folder for what outlived its retention.
inline constexpr std::chrono::hours kCleanUpInterval{6};
/// How often a lost commit race is planned again before the flow reports it.
inline constexpr int kCommitAttemptsMax = 16;

static_assert(kBatchBytesMax <= kPackBytesMax, "a pack holds at least one batch");
static_assert(kPackBytesMax <= kSegmentBytesMax, "a segment holds at least one pack");

}  // namespace freshet::limits
