// SPDX-License-Identifier: Apache-2.0
// Source: Delta protocol, "Deletion Vector Format" and "Deletion Vector File Storage Format".
#include "delta/deletion_vector.h"

#include <zlib.h>

#include <cstring>
#include <roaring/roaring64map.hh>

#include "base/random.h"
#include "delta/z85.h"

namespace freshet::delta {
namespace {

constexpr uint32_t kMagic = 1681511377;  // portable 64-bit roaring
constexpr char kFileVersion = 1;
constexpr int32_t kInlineBytesMax = 256;
constexpr size_t kUuidText = 20;  // a UUID in z85

void AppendBigEndian(uint32_t value, std::string* out) {
  for (unsigned shift = 32; shift > 0; shift -= 8)
    *out += static_cast<char>(static_cast<uint8_t>(value >> (shift - 8)));
}

uint32_t BigEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = (value << 8U) | static_cast<uint8_t>(bytes[i]);
  return value;
}

uint32_t Checksum(std::string_view data) {
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(data.data()), static_cast<uInt>(data.size())));
}

/// Magic, then the bitmap.
std::string Serialize(Roaring64Map bitmap) {
  bitmap.runOptimize();
  // CRoaring 0.2.66 writes and reads its count as an aligned word, so the bitmap gets a buffer of
  // its own.
  std::vector<char> bytes(bitmap.getSizeInBytes(true));
  bitmap.write(bytes.data(), true);
  std::string data(sizeof(kMagic), '\0');
  std::memcpy(data.data(), &kMagic, sizeof(kMagic));  // little-endian, as the machines we run on
  data.append(bytes.data(), bytes.size());
  return data;
}

std::string UuidBytes(const std::string& text) {
  std::string bytes;
  int high = -1;
  for (char c : text) {
    if (c == '-') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes += static_cast<char>(high * 16 + digit);
      high = -1;
    }
  }
  return bytes;
}

std::string UuidText(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<uint8_t>(bytes[i]));
  }
  return text;
}

Status Corrupt(std::string_view why, const DeletionVectorDescriptor& descriptor) {
  return Error(ErrorClass::DELTA_CORRUPT, "a deletion vector is damaged: {}", why)
      .With("vector", descriptor.path_or_inline);
}

/// Read magic and bitmap out of a file, its frame checked.
Result<std::string> ReadStored(store::FileStore& table,
                               const DeletionVectorDescriptor& descriptor) {
  const auto path = StoredPath(descriptor);
  if (!path) return Corrupt("its name is not z85 of an id", descriptor);
  const auto size = static_cast<size_t>(descriptor.bytes);
  FRESHET_TRY(auto framed,
              table.Get(*path, descriptor.offset.value_or(1), static_cast<int64_t>(size) + 8));
  const std::string_view bytes = *framed;
  if (bytes.size() != size + 8) return Corrupt("the file is too short", descriptor);
  if (BigEndian(bytes) != size) return Corrupt("its size differs", descriptor);
  const std::string_view data = bytes.substr(4, size);
  if (BigEndian(bytes.substr(4 + size)) != Checksum(data))
    return Corrupt("its checksum differs", descriptor);
  return std::string(data);
}

}  // namespace

std::optional<std::string> StoredPath(const DeletionVectorDescriptor& descriptor) {
  const std::string& text = descriptor.path_or_inline;
  if (descriptor.storage != 'u' || text.size() < kUuidText) return std::nullopt;
  auto uuid = DecodeZ85(std::string_view(text).substr(text.size() - kUuidText));
  if (!uuid) return std::nullopt;
  const std::string prefix = text.substr(0, text.size() - kUuidText);
  return fmt::format("{}{}deletion_vector_{}.bin", prefix, prefix.empty() ? "" : "/",
                     UuidText(*uuid));
}

struct DeletionVector::Rep {
  Roaring64Map bitmap;
};

DeletionVector::DeletionVector() : rep_(std::make_unique<Rep>()) {}
DeletionVector::~DeletionVector() = default;
DeletionVector::DeletionVector(const DeletionVector& other)
    : rep_(std::make_unique<Rep>(*other.rep_)) {}
DeletionVector& DeletionVector::operator=(const DeletionVector& other) {
  if (this != &other) rep_ = std::make_unique<Rep>(*other.rep_);
  return *this;
}
DeletionVector::DeletionVector(DeletionVector&&) noexcept = default;
DeletionVector& DeletionVector::operator=(DeletionVector&&) noexcept = default;

void DeletionVector::Add(uint64_t row) { rep_->bitmap.add(row); }
void DeletionVector::Union(const DeletionVector& other) { rep_->bitmap |= other.rep_->bitmap; }
bool DeletionVector::Contains(uint64_t row) const { return rep_->bitmap.contains(row); }
int64_t DeletionVector::cardinality() const {
  return static_cast<int64_t>(rep_->bitmap.cardinality());
}
bool DeletionVector::Covers(const DeletionVector& other) const {
  return other.Minus(*this).empty();
}

std::vector<uint64_t> DeletionVector::Minus(const DeletionVector& other) const {
  Roaring64Map rest = rep_->bitmap;
  rest -= other.rep_->bitmap;
  std::vector<uint64_t> rows(rest.cardinality());
  if (!rows.empty()) rest.toUint64Array(rows.data());
  return rows;
}

Result<DeletionVector> DeletionVector::Load(store::FileStore& table,
                                            const DeletionVectorDescriptor& descriptor) {
  if (descriptor.bytes < static_cast<int32_t>(sizeof(kMagic)))
    return Corrupt("its size is too small", descriptor);
  const auto size = static_cast<size_t>(descriptor.bytes);
  std::string data;
  if (descriptor.storage == 'i') {
    auto decoded = DecodeZ85(descriptor.path_or_inline);
    if (!decoded || decoded->size() < size) return Corrupt("it is not z85 of its size", descriptor);
    data = decoded->substr(0, size);
  } else if (descriptor.storage == 'u') {
    FRESHET_TRY(data, ReadStored(table, descriptor));
  } else {
    return Error(ErrorClass::DELTA_UNSUPPORTED,
                 "a deletion vector outside of its table: storage type {}", descriptor.storage);
  }
  uint32_t magic = 0;
  std::memcpy(&magic, data.data(), sizeof(magic));
  if (magic != kMagic) return Corrupt("its magic number differs", descriptor);
  DeletionVector vector;
  try {
    const std::vector<char> bytes(data.begin() + sizeof(kMagic), data.end());
    vector.rep_->bitmap = Roaring64Map::readSafe(bytes.data(), bytes.size());
  } catch (const std::exception& error) {
    return Corrupt(error.what(), descriptor);
  }
  if (vector.cardinality() != descriptor.cardinality)
    return Corrupt("its cardinality differs", descriptor);
  return vector;
}

Result<std::vector<DeletionVectorDescriptor>> DeletionVector::Write(
    store::FileStore& table, const std::vector<DeletionVector>& vectors) {
  std::vector<DeletionVectorDescriptor> descriptors;
  std::string file(1, kFileVersion);
  const std::string uuid = RandomUuid();
  for (const auto& vector : vectors) {
    std::string data = Serialize(vector.rep_->bitmap);
    DeletionVectorDescriptor descriptor;
    descriptor.bytes = static_cast<int32_t>(data.size());
    descriptor.cardinality = vector.cardinality();
    if (descriptor.bytes <= kInlineBytesMax) {
      descriptor.storage = 'i';
      data.resize((data.size() + 3) / 4 * 4, '\0');
      descriptor.path_or_inline = EncodeZ85(data);
    } else {
      descriptor.storage = 'u';
      descriptor.path_or_inline = EncodeZ85(UuidBytes(uuid));
      descriptor.offset = static_cast<int32_t>(file.size());
      AppendBigEndian(static_cast<uint32_t>(data.size()), &file);
      file += data;
      AppendBigEndian(Checksum(data), &file);
    }
    descriptors.push_back(std::move(descriptor));
  }
  if (file.size() > 1) {
    FRESHET_CHECK_OK(
        table.Put(fmt::format("deletion_vector_{}.bin", uuid), file, store::If::kAbsent));
  }
  return descriptors;
}

}  // namespace freshet::delta
