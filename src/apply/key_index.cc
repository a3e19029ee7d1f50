// SPDX-License-Identifier: Apache-2.0
#include "apply/key_index.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>

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
constexpr std::string_view kDamagedFile = "DAMAGED";

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

void PutHash(const KeyHash& hash, std::string* out) {
  PutBigEndian(hash.high, 8, out);
  PutBigEndian(hash.low, 8, out);
}

void PutAddress(const RowAddress& address, std::string* out) {
  PutBigEndian(address.file, 8, out);
  PutBigEndian(address.row, 4, out);
}

RowAddress GetAddress(const rocksdb::Slice& from) {
  return {GetBigEndian(from.data(), 8), static_cast<uint32_t>(GetBigEndian(from.data() + 8, 4))};
}

rocksdb::Options OptionsOf() {
  rocksdb::BlockBasedTableOptions table;
  // Few shards: RocksDB's default of 1 MiB each holds no filter whole, and a filter that is not
  // held is read and checked again for every batch of look-ups. In parts a filter of any size is
  // held where it is used.
  table.block_cache = rocksdb::NewLRUCache(limits::kIndexCacheBytesMax, /*num_shard_bits=*/2);
  table.partition_filters = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.metadata_block_size = 32 * limits::kKiB;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  table.block_size = 8 * limits::kKiB;
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;  // hashes do not compress
  options.write_buffer_size = limits::kIndexMemtableBytesMax;
  options.max_write_buffer_number = 2;
  options.max_open_files = 256;
  options.max_background_jobs = 1;
  options.keep_log_file_num = 2;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

/// The RocksDB of a pipeline. No write-ahead log: what was not flushed is lost in a crash, and the
/// mark with it, since both are always in the same memtable or file.
class RocksIndex final : public KeyIndex {
 public:
  explicit RocksIndex(std::string directory) : directory_(std::move(directory)) {}

  Result<std::optional<Mark>> Version(const record::FlowId& flow) override;
  Status Ingest(const record::FlowId& flow, bool keyless, std::vector<IndexEntry> entries,
                const Mark& mark) override;
  Result<std::vector<std::vector<RowAddress>>> Find(const record::FlowId& flow, bool keyless,
                                                    std::span<const KeyHash> keys) override;
  Status Forget(const record::FlowId& flow, std::span<const IndexEntry> entries) override;
  Status Reset(const record::FlowId& flow) override;

 private:
  Result<rocksdb::DB*> Get();
  Result<rocksdb::DB*> OpenLocked();
  Status Check(const rocksdb::Status& status);
  template <typename Writer>
  rocksdb::Status WriteEntries(const record::FlowId& flow, bool keyless,
                               const std::vector<IndexEntry>& entries, const Mark& mark,
                               Writer* writer);
  Status IngestFile(const record::FlowId& flow, bool keyless,
                    const std::vector<IndexEntry>& entries, const Mark& mark, rocksdb::DB* db);
  Result<std::vector<std::vector<RowAddress>>> FindKeyed(const std::string& prefix,
                                                         std::span<const KeyHash> keys,
                                                         rocksdb::DB* db);
  Result<std::vector<std::vector<RowAddress>>> FindKeyless(const std::string& prefix,
                                                           std::span<const KeyHash> keys,
                                                           rocksdb::DB* db);

  const std::string directory_;
  std::mutex mutex_;
  std::unique_ptr<rocksdb::DB> db_;  // guarded by mutex_ until set, then fixed
};

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
  rocksdb::DB* db = nullptr;
  auto status = rocksdb::DB::Open(OptionsOf(), directory_, &db);
  if (!status.ok() && !status.IsIOError() && !status.IsNoSpace()) {
    spdlog::warn("throwing away the damaged key index {}: {}", directory_, status.ToString());
    fs::remove_all(directory_, error);
    fs::create_directories(directory_, error);
    status = rocksdb::DB::Open(OptionsOf(), directory_, &db);
  }
  FRESHET_CHECK_OK(Check(status));
  db_.reset(db);
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    if (entry.path().filename().string().starts_with("ingest-")) fs::remove(entry.path(), error);
  }
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

template <typename Writer>
rocksdb::Status RocksIndex::WriteEntries(const record::FlowId& flow, bool keyless,
                                         const std::vector<IndexEntry>& entries, const Mark& mark,
                                         Writer* writer) {
  std::string value;
  PutBigEndian(static_cast<uint64_t>(mark.version), 8, &value);
  value += mark.layout;
  auto status = writer->Put(Prefix(flow, kMark), value);
  std::string key = Prefix(flow, kEntry);
  const size_t prefix = key.size();
  for (size_t i = 0; i < entries.size() && status.ok(); ++i) {
    bool same = i + 1 < entries.size() && entries[i + 1].key == entries[i].key;
    if (same && (!keyless || entries[i + 1].address == entries[i].address)) continue;
    key.resize(prefix);
    value.clear();
    PutHash(entries[i].key, &key);
    PutAddress(entries[i].address, keyless ? &key : &value);
    status = writer->Put(key, value);
  }
  return status;
}

Status RocksIndex::IngestFile(const record::FlowId& flow, bool keyless,
                              const std::vector<IndexEntry>& entries, const Mark& mark,
                              rocksdb::DB* db) {
  std::string path = (fs::path(directory_) / ("ingest-" + RandomHex(8))).string();
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), db->GetOptions());
  FRESHET_CHECK_OK(Check(writer.Open(path)));
  FRESHET_CHECK_OK(Check(WriteEntries(flow, keyless, entries, mark, &writer)));
  FRESHET_CHECK_OK(Check(writer.Finish()));
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.snapshot_consistency = false;
  return Check(db->IngestExternalFile({path}, options));
}

Status RocksIndex::Ingest(const record::FlowId& flow, bool keyless, std::vector<IndexEntry> entries,
                          const Mark& mark) {
  FRESHET_TRY(rocksdb::DB * db, Get());
  if (keyless) {
    std::sort(entries.begin(), entries.end(), [](const IndexEntry& a, const IndexEntry& b) {
      return std::tie(a.key, a.address) < std::tie(b.key, b.address);
    });
  } else {  // of one key's entries the last given wins
    std::stable_sort(entries.begin(), entries.end(),
                     [](const IndexEntry& a, const IndexEntry& b) { return a.key < b.key; });
  }
  if (entries.size() >= limits::kIndexIngestEntriesMin) {
    return IngestFile(flow, keyless, entries, mark, db);
  }
  rocksdb::WriteBatch batch;
  FRESHET_CHECK_OK(Check(WriteEntries(flow, keyless, entries, mark, &batch)));
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return Check(db->Write(options, &batch));
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
    bytes.clear();
    bytes.reserve(part.size() * width);
    for (const auto& key : part) {
      bytes += prefix;
      PutHash(key, &bytes);
    }
    for (size_t i = 0; i < part.size(); ++i) {
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
  std::string key = prefix;
  for (size_t i = 0; i < keys.size(); ++i) {
    key.resize(prefix.size());
    PutHash(keys[i], &key);
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
  while (!entries.empty()) {
    auto part = entries.first(std::min(entries.size(), limits::kIndexIngestEntriesMin));
    entries = entries.subspan(part.size());
    rocksdb::WriteBatch batch;
    for (const auto& entry : part) {
      key.resize(prefix);
      PutHash(entry.key, &key);
      PutAddress(entry.address, &key);
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
