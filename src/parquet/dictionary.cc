// SPDX-License-Identifier: Apache-2.0
#include "parquet/dictionary.h"

#include <cmath>
#include <string_view>

#include "base/limits.h"

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
  size_t operator()(int64_t row) const { return std::hash<std::string_view>{}(Bytes(row)); }
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
  std::unordered_map<size_t, bool> seen;  // hash → more than once
  for (const auto& chunk : chunks) {
    const ValueHash hash(*chunk);
    if (!hash.supported()) return {.supported = false};
    sample.rows += chunk->length() - chunk->null_count();
    for (int64_t row = 0; row < chunk->length(); row += Step(stride, &noise)) {
      if (chunk->IsNull(row)) continue;
      ++sample.sampled;
      sample.bytes += static_cast<int64_t>(hash.bytes(row));
      auto [place, fresh] = seen.try_emplace(hash(row), false);
      if (fresh) {
        ++sample.distinct;
        ++sample.once;
      } else if (!place->second) {
        place->second = true;
        --sample.once;
      }
    }
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

}  // namespace

int64_t EstimateDistinct(const Chunks& chunks) { return Distinct(Take(chunks)); }

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

}  // namespace freshet::parquet
