// SPDX-License-Identifier: Apache-2.0
#include "apply/key_index.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "apply/entry_runs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"

namespace freshet::apply {
namespace {

namespace fs = std::filesystem;

// Keys, ordered as bytes:
//   flow's length (1 byte), flow, 'M'                       → version (8), layout       the mark
//   flow's length (1 byte), flow, 'k', key hash (16)        → file (8), row (4)         keyed
//   flow's length (1 byte), flow, 'k', key hash (16), file (8), row (4) → nothing       keyless
// The mark sorts before the entries, so it can lead the file that is ingested.
constexpr char kMark = 'M';
constexpr char kEntry = 'k';
constexpr char kFlowEnd = '~';
constexpr size_t kHashBytes = 16;
constexpr size_t kAddressBytes = 12;
/// Files a look-up may have to ask, each by its filter first, before they are merged.
constexpr int kSortedRunsMax = 6;
/// A file of this many has a filter of 640 KiB.
constexpr size_t kWholeFilterEntriesMax = 512 * 1024;
/// Filters of 10 MiB, which RocksDB keeps in memory until their file is finished.
constexpr size_t kFileEntriesMin = 8 * 1024 * 1024;
/// Each is a sorted run to the merging, which with a third of like size would write all of them
/// again.
constexpr size_t kFilesMax = 2;
/// Between two looks at whether to stop.
constexpr size_t kStopEntries = 4096;
constexpr std::string_view kDamagedFile = "DAMAGED";
constexpr std::string_view kIngested = "ingest-";

void PutBigEndian(uint64_t value, int bytes, std::string* out) {
  for (int i = bytes - 1; i >= 0; --i) out->push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t GetBigEndian(const char* from, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(from[i]);
  return value;
}

std::string Prefix(const record::FlowId& flow, char kind) {
  FRESHET_ASSERT(flow.value().size() < 256);
  std::string key;
  key.push_back(static_cast<char>(flow.value().size()));
  key += flow.value();
  key.push_back(kind);
  return key;
}

/// REQUIRES: kHashBytes writable.
void PutHash(const KeyHash& hash, char* to) {
  const uint64_t high = __builtin_bswap64(hash.high), low = __builtin_bswap64(hash.low);
  std::memcpy(to, &high, sizeof high);
  std::memcpy(to + sizeof high, &low, sizeof low);
}

/// REQUIRES: kAddressBytes writable.
void PutAddress(const RowAddress& address, char* to) {
  const uint64_t file = __builtin_bswap64(address.file);
  const uint32_t row = __builtin_bswap32(address.row);
  std::memcpy(to, &file, sizeof file);
  std::memcpy(to + sizeof file, &row, sizeof row);
}

RowAddress GetAddress(const rocksdb::Slice& from) {
  return {GetBigEndian(from.data(), 8), static_cast<uint32_t>(GetBigEndian(from.data() + 8, 4))};
}

/// `whole`: filter and index in one block each, which costs a look-up least. They must fit in the
/// cache, so large files have theirs in parts.
std::shared_ptr<rocksdb::TableFactory> TableOf(const std::shared_ptr<rocksdb::Cache>& cache,
                                               bool whole) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.partition_filters = !whole;
  table.index_type = whole ? rocksdb::BlockBasedTableOptions::kBinarySearch
                           : rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.metadata_block_size = 32 * limits::kKiB;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  table.block_size = 8 * limits::kKiB;
  return std::shared_ptr<rocksdb::TableFactory>(rocksdb::NewBlockBasedTableFactory(table));
}

/// The cache has few shards: RocksDB's default of 1 MiB each holds no filter whole, and a filter
/// that is not held is read and checked again for every batch of look-ups.
rocksdb::Options OptionsOf(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;  // hashes do not compress
  options.write_buffer_size = limits::kIndexMemtableBytesMax;
  options.max_write_buffer_number = 2;
  options.max_open_files = 256;
  options.max_background_jobs = 1;
  // Hashes are spread evenly, so each ingested file overlaps all of the index: merging by levels
  // would write the whole table's entries again every few commits. Universal merges files of like
  // size, and the whole only when the newer files hold twice as much.
  options.compaction_style = rocksdb::kCompactionStyleUniversal;
  options.level0_file_num_compaction_trigger = kSortedRunsMax;
  options.keep_log_file_num = 2;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.table_factory = TableOf(cache, /*whole=*/false);
  return options;
}

/// Files that are to be ingested; what was not moved into the database by then goes with this.
class NewFiles {
 public:
  NewFiles() = default;
  NewFiles(const NewFiles&) = delete;
  NewFiles& operator=(const NewFiles&) = delete;
  ~NewFiles() {
    std::error_code ignored;  // the next opening sweeps it
    for (const auto& path : paths_) fs::remove(path, ignored);
  }

  const std::string& Add(const std::string& directory) {
    return paths_.emplace_back(fs::path(directory) / (std::string(kIngested) + RandomHex(8)));
  }
  const std::vector<std::string>& paths() const { return paths_; }

 private:
  std::vector<std::string> paths_;
};

/// The RocksDB of a pipeline. No write-ahead log: what was not flushed is lost in a crash, and the
/// mark with it, since both are always in the same memtable or file.
class RocksIndex final : public KeyIndex {
 public:
  explicit RocksIndex(std::string directory) : directory_(std::move(directory)) {}
  ~RocksIndex() override;

  Result<std::optional<Mark>> Version(const record::FlowId& flow) override;
  Status Ingest(const record::FlowId& flow, bool keyless, std::vector<IndexEntry> entries,
                const Mark& mark) override;
  Status IngestRuns(const record::FlowId& flow, EntryRuns* entries, const Mark& mark,
                    const std::stop_token& stop) override;
  Result<std::vector<std::vector<RowAddress>>> Find(const record::FlowId& flow, bool keyless,
                                                    std::span<const KeyHash> keys) override;
  Status Forget(const record::FlowId& flow, std::span<const IndexEntry> entries) override;
  Status Reset(const record::FlowId& flow) override;

 private:
  Result<rocksdb::DB*> Get();
  Result<rocksdb::DB*> OpenLocked();
  Status Check(const rocksdb::Status& status);
  template <typename Write>
  Status WriteFile(bool whole_filter, rocksdb::DB* db, NewFiles* files, const Write& write);
  Status IngestFiles(const NewFiles& files, rocksdb::DB* db);
  Result<std::vector<std::vector<RowAddress>>> FindKeyed(const std::string& prefix,
                                                         std::span<const KeyHash> keys,
                                                         rocksdb::DB* db);
  Result<std::vector<std::vector<RowAddress>>> FindKeyless(const std::string& prefix,
                                                           std::span<const KeyHash> keys,
                                                           rocksdb::DB* db);

  const std::string directory_;
  const std::shared_ptr<rocksdb::Cache> cache_ =
      rocksdb::NewLRUCache(limits::kIndexCacheBytesMax, /*num_shard_bits=*/2);
  std::mutex mutex_;
  std::unique_ptr<rocksdb::DB> db_;  // guarded by mutex_ until set, then fixed
};

/// A merge that runs is lost when its database closes. Where runs have been too short for any to
/// end, this one waits, or files would only ever be added.
RocksIndex::~RocksIndex() {
  std::string files;
  bool starved = db_ != nullptr && db_->GetProperty("rocksdb.num-files-at-level0", &files) &&
                 std::atoi(files.c_str()) >= 2 * kSortedRunsMax;
  if (starved && db_->PauseBackgroundWork().ok()) (void)db_->ContinueBackgroundWork();
}

Status RocksIndex::Check(const rocksdb::Status& status) {
  if (status.ok()) return Status::Ok();
  if (status.IsCorruption()) {
    // The next process starts with an empty index; a half-read one could only cost rows.
    std::ofstream(fs::path(directory_) / kDamagedFile) << status.ToString();
  }
  auto error_class = status.IsNoSpace() ? ErrorClass::STORE_FULL : ErrorClass::STORE_UNAVAILABLE;
  return MakeError(error_class, "the key index failed: " + status.ToString())
      .With("path", directory_);
}

Result<rocksdb::DB*> RocksIndex::OpenLocked() {
  std::error_code error;
  if (fs::exists(fs::path(directory_) / kDamagedFile, error)) {
    spdlog::warn("throwing away the damaged key index {}", directory_);
    fs::remove_all(directory_, error);
  }
  fs::create_directories(directory_, error);
  if (error) {
    return Error(ErrorClass::STORE_UNAVAILABLE, "cannot make the key index's folder: {}",
                 error.message())
        .With("path", directory_);
  }
  // First, for on a full disk nothing opens.
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    if (entry.path().filename().string().starts_with(kIngested)) fs::remove(entry.path(), error);
  }
  rocksdb::DB* db = nullptr;
  auto status = rocksdb::DB::Open(OptionsOf(cache_), directory_, &db);
  if (!status.ok() && !status.IsIOError() && !status.IsNoSpace()) {
    spdlog::warn("throwing away the damaged key index {}: {}", directory_, status.ToString());
    fs::remove_all(directory_, error);
    fs::create_directories(directory_, error);
    status = rocksdb::DB::Open(OptionsOf(cache_), directory_, &db);
  }
  FRESHET_CHECK_OK(Check(status));
  db_.reset(db);
  return db;
}

Result<rocksdb::DB*> RocksIndex::Get() {
  std::lock_guard lock(mutex_);
  if (db_ != nullptr) return db_.get();
  return OpenLocked();
}

Result<std::optional<KeyIndex::Mark>> RocksIndex::Version(const record::FlowId& flow) {
  FRESHET_TRY(rocksdb::DB * db, Get());
  std::string value;
  auto status = db->Get({}, Prefix(flow, kMark), &value);
  if (status.IsNotFound()) return std::optional<Mark>();
  FRESHET_CHECK_OK(Check(status));
  if (value.size() < 8) return std::optional<Mark>();
  return std::optional<Mark>(
      Mark{static_cast<int64_t>(GetBigEndian(value.data(), 8)), value.substr(8)});
}

/// Puts a flow's mark, then its entries, into a file or a batch.
template <typename Writer>
class EntryWriter {
 public:
  EntryWriter(const record::FlowId& flow, bool keyless, Writer* writer)
      : flow_(flow), keyless_(keyless), writer_(writer), key_(Prefix(flow, kEntry)) {
    prefix_ = key_.size();
    key_.resize(prefix_ + kHashBytes + (keyless ? kAddressBytes : 0));
  }

  rocksdb::Status PutMark(const KeyIndex::Mark& mark) {
    std::string value;
    PutBigEndian(static_cast<uint64_t>(mark.version), 8, &value);
    value += mark.layout;
    return writer_->Put(Prefix(flow_, kMark), value);
  }
  rocksdb::Status Put(const IndexEntry& entry) {
    char address[kAddressBytes];
    PutHash(entry.key, key_.data() + prefix_);
    PutAddress(entry.address, keyless_ ? key_.data() + prefix_ + kHashBytes : address);
    return writer_->Put(key_, keyless_ ? rocksdb::Slice() : rocksdb::Slice(address, kAddressBytes));
  }
  /// All of them. REQUIRES: they are sorted.
  rocksdb::Status PutAll(const KeyIndex::Mark& mark, const std::vector<IndexEntry>& entries) {
    auto status = PutMark(mark);
    for (size_t i = 0; i < entries.size() && status.ok(); ++i) {
      if (i + 1 < entries.size() && SameEntry(keyless_, entries[i], entries[i + 1])) continue;
      status = Put(entries[i]);
    }
    return status;
  }

 private:
  const record::FlowId& flow_;
  const bool keyless_;
  Writer* const writer_;
  std::string key_;
  size_t prefix_ = 0;
};

/// Make one more file, which `write` fills.
template <typename Write>
Status RocksIndex::WriteFile(bool whole_filter, rocksdb::DB* db, NewFiles* files,
                             const Write& write) {
  const std::string& path = files->Add(directory_);
  rocksdb::Options file = db->GetOptions();
  if (whole_filter) file.table_factory = TableOf(cache_, /*whole=*/true);
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), file);
  FRESHET_CHECK_OK(Check(writer.Open(path)));
  FRESHET_CHECK_OK(write(&writer));
  return Check(writer.Finish());
}

/// All at once. REQUIRES: each of the files ends before the next one begins.
Status RocksIndex::IngestFiles(const NewFiles& files, rocksdb::DB* db) {
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.snapshot_consistency = false;
  return Check(db->IngestExternalFile(files.paths(), options));
}

Status RocksIndex::Ingest(const record::FlowId& flow, bool keyless, std::vector<IndexEntry> entries,
                          const Mark& mark) {
  FRESHET_TRY(rocksdb::DB * db, Get());
  entries = SortEntries(keyless, std::move(entries));
  if (entries.size() >= limits::kIndexIngestEntriesMin) {
    const bool whole = entries.size() <= kWholeFilterEntriesMax;
    NewFiles files;
    FRESHET_CHECK_OK(WriteFile(whole, db, &files, [&](rocksdb::SstFileWriter* writer) {
      return Check(EntryWriter(flow, keyless, writer).PutAll(mark, entries));
    }));
    return IngestFiles(files, db);
  }
  rocksdb::WriteBatch batch;
  FRESHET_CHECK_OK(Check(EntryWriter(flow, keyless, &batch).PutAll(mark, entries)));
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return Check(db->Write(options, &batch));
}

Status RocksIndex::IngestRuns(const record::FlowId& flow, EntryRuns* entries, const Mark& mark,
                              const std::stop_token& stop) {
  FRESHET_TRY(rocksdb::DB * db, Get());
  NewFiles files;
  const size_t file_entries =
      std::max(kFileEntriesMin, (entries->size() + kFilesMax - 1) / kFilesMax);
  FRESHET_TRY(auto entry, entries->Next());
  for (bool first = true; first || entry; first = false) {
    auto write = [&](rocksdb::SstFileWriter* writer) -> Status {
      EntryWriter out(flow, entries->keyless(), writer);
      if (first) FRESHET_CHECK_OK(Check(out.PutMark(mark)));
      for (size_t count = 0; entry && count < file_entries; ++count) {
        if (count % kStopEntries == 0 && stop.stop_requested())
          return Error(ErrorClass::CANCELLED, "indexing was stopped");
        FRESHET_CHECK_OK(Check(out.Put(*entry)));
        FRESHET_TRY(entry, entries->Next());
      }
      return Status::Ok();
    };
    FRESHET_CHECK_OK(WriteFile(/*whole_filter=*/false, db, &files, write));
  }
  return IngestFiles(files, db);
}

Result<std::vector<std::vector<RowAddress>>> RocksIndex::FindKeyed(const std::string& prefix,
                                                                   std::span<const KeyHash> keys,
                                                                   rocksdb::DB* db) {
  constexpr size_t kBatch = 1024;
  std::vector<std::vector<RowAddress>> found(keys.size());
  rocksdb::ReadOptions options;
  std::string bytes;
  std::vector<rocksdb::Slice> slices(kBatch);
  std::vector<rocksdb::PinnableSlice> values(kBatch);
  std::vector<rocksdb::Status> statuses(kBatch);
  const size_t width = prefix.size() + kHashBytes;
  for (size_t first = 0; first < keys.size(); first += kBatch) {
    auto part = keys.subspan(first, std::min(kBatch, keys.size() - first));
    bytes.resize(part.size() * width);
    for (size_t i = 0; i < part.size(); ++i) {
      prefix.copy(bytes.data() + i * width, prefix.size());
      PutHash(part[i], bytes.data() + i * width + prefix.size());
      slices[i] = rocksdb::Slice(bytes.data() + i * width, width);
      values[i].Reset();
    }
    bool sorted = std::is_sorted(part.begin(), part.end());
    db->MultiGet(options, db->DefaultColumnFamily(), part.size(), slices.data(), values.data(),
                 statuses.data(), sorted);
    for (size_t i = 0; i < part.size(); ++i) {
      if (statuses[i].IsNotFound()) continue;
      FRESHET_CHECK_OK(Check(statuses[i]));
      if (values[i].size() == kAddressBytes) found[first + i] = {GetAddress(values[i])};
    }
  }
  return found;
}

Result<std::vector<std::vector<RowAddress>>> RocksIndex::FindKeyless(const std::string& prefix,
                                                                     std::span<const KeyHash> keys,
                                                                     rocksdb::DB* db) {
  std::vector<std::vector<RowAddress>> found(keys.size());
  std::unique_ptr<rocksdb::Iterator> iterator(db->NewIterator({}));
  std::string key = prefix + std::string(kHashBytes, '\0');
  for (size_t i = 0; i < keys.size(); ++i) {
    PutHash(keys[i], key.data() + prefix.size());
    for (iterator->Seek(key); iterator->Valid() && iterator->key().starts_with(key);
         iterator->Next()) {
      if (iterator->key().size() != key.size() + kAddressBytes) continue;
      rocksdb::Slice address = iterator->key();
      address.remove_prefix(key.size());
      found[i].push_back(GetAddress(address));
    }
    FRESHET_CHECK_OK(Check(iterator->status()));
  }
  return found;
}

Result<std::vector<std::vector<RowAddress>>> RocksIndex::Find(const record::FlowId& flow,
                                                              bool keyless,
                                                              std::span<const KeyHash> keys) {
  FRESHET_TRY(rocksdb::DB * db, Get());
  std::string prefix = Prefix(flow, kEntry);
  return keyless ? FindKeyless(prefix, keys, db) : FindKeyed(prefix, keys, db);
}

Status RocksIndex::Forget(const record::FlowId& flow, std::span<const IndexEntry> entries) {
  FRESHET_TRY(rocksdb::DB * db, Get());
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  std::string key = Prefix(flow, kEntry);
  const size_t prefix = key.size();
  key.resize(prefix + kHashBytes + kAddressBytes);
  while (!entries.empty()) {
    auto part = entries.first(std::min(entries.size(), limits::kIndexIngestEntriesMin));
    entries = entries.subspan(part.size());
    rocksdb::WriteBatch batch;
    for (const auto& entry : part) {
      PutHash(entry.key, key.data() + prefix);
      PutAddress(entry.address, key.data() + prefix + kHashBytes);
      FRESHET_CHECK_OK(Check(batch.Delete(key)));
    }
    FRESHET_CHECK_OK(Check(db->Write(options, &batch)));
  }
  return Status::Ok();
}

Status RocksIndex::Reset(const record::FlowId& flow) {
  FRESHET_TRY(rocksdb::DB * db, Get());
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  static_assert(kMark < kEntry && kEntry < kFlowEnd, "the range covers mark and entries");
  return Check(db->DeleteRange(options, db->DefaultColumnFamily(), Prefix(flow, kMark),
                               Prefix(flow, kFlowEnd)));
}

}  // namespace

Result<std::unique_ptr<KeyIndex>> KeyIndex::Open(const std::string& directory) {
  return std::unique_ptr<KeyIndex>(std::make_unique<RocksIndex>(directory));
}

}  // namespace freshet::apply
