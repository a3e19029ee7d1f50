// SPDX-License-Identifier: Apache-2.0
#include "parquet/column_encoding.h"

#include <bit>
#include <cmath>
#include <string_view>

#include "base/limits.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace freshet::parquet {
namespace {

using Chunks = std::vector<std::shared_ptr<arrow::Array>>;

/// The values of a fixed-width or string-like array as hashes.
class ValueHash {
 public:
  explicit ValueHash(const arrow::Array& array) : array_(array) {
    const auto& type = *array.type();
    strings_ = arrow::is_base_binary_like(type.id());
    if (!strings_ && arrow::is_fixed_width(type) && type.bit_width() % 8 == 0)
      width_ = static_cast<size_t>(type.bit_width() / 8);
  }
  bool supported() const { return strings_ || width_ > 0; }
  uint64_t operator()(int64_t row) const {
    const std::string_view bytes = Bytes(row);
    return XXH3_64bits(bytes.data(), bytes.size());
  }
  size_t bytes(int64_t row) const { return strings_ ? Bytes(row).size() + 4 : width_; }

 private:
  std::string_view Bytes(int64_t row) const {
    if (strings_) return static_cast<const arrow::BinaryArray&>(array_).GetView(row);
    const auto& data = *array_.data();
    return {reinterpret_cast<const char*>(data.buffers[1]->data()) +
                static_cast<size_t>(data.offset + row) * width_,
            width_};
  }

  const arrow::Array& array_;
  bool strings_ = false;
  size_t width_ = 0;
};

/// How often each of at most kDictionarySampleRows hashes was seen: once, or more. Open addressing;
/// a slot is a hash with its lowest bit saying which.
class SeenHashes {
 public:
  enum class Times : uint8_t { kFirst, kSecond, kMore };
  bool full() const { return used_ > kSlots / 4 * 3; }
  /// REQUIRES: !full().
  Times Add(uint64_t hash) {
    hash = std::max<uint64_t>(hash & ~kTwice, 2);  // 0 is a free slot
    for (size_t i = hash >> (64 - kBits);; i = (i + 1) % kSlots) {
      if (slots_[i] == 0) {
        ++used_;
        slots_[i] = hash;
        return Times::kFirst;
      }
      if ((slots_[i] & ~kTwice) != hash) continue;
      const bool known = (slots_[i] & kTwice) != 0;
      slots_[i] |= kTwice;
      return known ? Times::kMore : Times::kSecond;
    }
  }

 private:
  static constexpr uint64_t kTwice = 1;
  // Twice the largest sample (a step is rounded down), and a power of two.
  static constexpr int kBits =
      std::bit_width(static_cast<uint64_t>(limits::kDictionarySampleRows)) + 1;
  static constexpr size_t kSlots = size_t{1} << kBits;
  std::vector<uint64_t> slots_ = std::vector<uint64_t>(kSlots, 0);
  size_t used_ = 0;
};

struct Sample {
  int64_t rows = 0;     // not null, in all chunks
  int64_t sampled = 0;  // not null, looked at
  int64_t distinct = 0, once = 0;
  int64_t bytes = 0;  // of the values looked at
  bool supported = true;
};

/// Return 1 … 2 * stride - 1, on average the stride.
int64_t Step(int64_t stride, uint64_t* noise) {
  *noise ^= *noise << 13;
  *noise ^= *noise >> 7;
  *noise ^= *noise << 17;
  return 1 + static_cast<int64_t>(*noise % static_cast<uint64_t>(2 * stride - 1));
}

Sample Take(const Chunks& chunks) {
  Sample sample;
  int64_t total = 0;
  for (const auto& chunk : chunks) total += chunk->length();
  const int64_t stride = std::max<int64_t>(1, total / limits::kDictionarySampleRows);
  // steps of uneven length (a xorshift), else a periodic column shows a few of its values only
  uint64_t noise = 1;
  SeenHashes seen;
  int64_t row = 0;  // of the chunk, which the last one's step may have reached into
  for (const auto& chunk : chunks) {
    const ValueHash hash(*chunk);
    if (!hash.supported()) return {.supported = false};
    sample.rows += chunk->length() - chunk->null_count();
    for (; row < chunk->length() && !seen.full(); row += Step(stride, &noise)) {
      if (chunk->IsNull(row)) continue;
      ++sample.sampled;
      sample.bytes += static_cast<int64_t>(hash.bytes(row));
      switch (seen.Add(hash(row))) {
        case SeenHashes::Times::kFirst:
          ++sample.distinct;
          ++sample.once;
          break;
        case SeenHashes::Times::kSecond:
          --sample.once;
          break;
        case SeenHashes::Times::kMore:
          break;
      }
    }
    row = std::max<int64_t>(0, row - chunk->length());
  }
  return sample;
}

int64_t Distinct(const Sample& sample) {
  if (!sample.supported) return -1;
  if (sample.sampled == 0) return 0;
  const double scale =
      std::sqrt(static_cast<double>(sample.rows) / static_cast<double>(sample.sampled));
  return static_cast<int64_t>(scale * static_cast<double>(sample.once)) + sample.distinct -
         sample.once;
}

bool DictionaryPays(const Chunks& chunks) {
  const Sample sample = Take(chunks);
  const int64_t distinct = Distinct(sample);
  if (distinct < 0) return false;
  if (sample.sampled == 0) return true;
  // The estimator says sqrt(sampled / rows) of a column of unique values, 0.25 at the largest row
  // group: a fifth is below that.
  if (distinct > sample.rows / 5) return false;
  return distinct * (sample.bytes / sample.sampled) <=
         static_cast<int64_t>(limits::kDictionaryBytesMax);
}

constexpr int64_t kDeltaBlock = 128;  // values of one block of deltas, as Arrow writes them

/// How many bits the deltas of `kDeltaBlock` values from `row` on spread over.
template <typename ArrayType>
int64_t SpreadBits(const ArrayType& array, int64_t row) {
  int64_t low = INT64_MAX, high = INT64_MIN;
  for (int64_t i = row + 1; i < row + kDeltaBlock; ++i) {
    const auto delta = static_cast<int64_t>(static_cast<uint64_t>(array.Value(i)) -
                                            static_cast<uint64_t>(array.Value(i - 1)));
    low = std::min(low, delta);
    high = std::max(high, delta);
  }
  return static_cast<int64_t>(
      std::bit_width(static_cast<uint64_t>(high) - static_cast<uint64_t>(low)));
}

/// Whether deltas take at most half the bits of plain values, over a few blocks of each chunk.
template <typename ArrayType>
bool DeltaPaysFor(const Chunks& chunks) {
  int64_t bits = 0, blocks = 0;
  for (const auto& chunk : chunks) {
    const auto& array = static_cast<const ArrayType&>(*chunk);
    const int64_t stride = std::max(kDeltaBlock, array.length() / 8);
    for (int64_t row = 0; row + kDeltaBlock <= array.length(); row += stride, ++blocks) {
      bits += SpreadBits(array, row);
    }
  }
  constexpr auto kWidth = static_cast<int64_t>(sizeof(typename ArrayType::value_type)) * 8;
  return blocks > 0 && bits * 2 <= kWidth * blocks;
}

bool DeltaPays(const Chunks& chunks) {
  if (chunks.empty()) return false;
  switch (chunks[0]->type_id()) {
    case arrow::Type::INT32:
      return DeltaPaysFor<arrow::Int32Array>(chunks);
    case arrow::Type::INT64:
      return DeltaPaysFor<arrow::Int64Array>(chunks);
    case arrow::Type::TIMESTAMP:
      return DeltaPaysFor<arrow::TimestampArray>(chunks);
    default:
      return false;
  }
}

}  // namespace

int64_t EstimateDistinct(const Chunks& chunks) { return Distinct(Take(chunks)); }

ColumnEncoding ChooseEncoding(const Chunks& chunks) {
  if (DictionaryPays(chunks)) return ColumnEncoding::kDictionary;
  return DeltaPays(chunks) ? ColumnEncoding::kDelta : ColumnEncoding::kPlain;
}

}  // namespace freshet::parquet
