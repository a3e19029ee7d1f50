// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/copy_column.h"

#include <arrow/buffer.h>
#include <arrow/memory_pool.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/decimal.h>
#include <charconv>

#include <algorithm>
#include <cstring>

#include "record/arrow_status.h"
#include "sources/postgres/decode.h"
#include "sources/postgres/text_encoding.h"
#include "sources/postgres/values.h"

namespace freshet::sources::postgres {
namespace {

Status Bad() {
  return Error(ErrorClass::SOURCE_PROTOCOL,
               "binary COPY data is not in its format: a value of another type");
}

/// A buffer that grows, and begins as large as it ended the last time, with a sixteenth to spare.
class GrowingBuffer {
 public:
  /// Make room for this many more bytes.
  Status Reserve(size_t more) {
    const size_t needed = size_ + more;
    if (buffer_ != nullptr && needed <= capacity_) return Status::Ok();
    if (buffer_ == nullptr) {
      capacity_ = std::max(needed, last_ + last_ / 16);
      FRESHET_TRY(buffer_, arrow::AllocateResizableBuffer(static_cast<int64_t>(capacity_)));
      return Status::Ok();
    }
    capacity_ = std::max(needed, 2 * capacity_);
    FRESHET_CHECK_OK(buffer_->Resize(static_cast<int64_t>(capacity_), /*shrink_to_fit=*/false));
    return Status::Ok();
  }
  size_t size() const { return size_; }
  uint8_t* data() { return buffer_->mutable_data(); }
  uint8_t* end() { return data() + size_; }
  void Grew(size_t bytes) { size_ += bytes; }
  Result<std::shared_ptr<arrow::Buffer>> Finish() {
    if (buffer_ == nullptr) FRESHET_CHECK_OK(Reserve(0));
    FRESHET_CHECK_OK(buffer_->Resize(static_cast<int64_t>(size_), /*shrink_to_fit=*/false));
    last_ = std::exchange(size_, 0);
    return std::shared_ptr<arrow::Buffer>(std::move(buffer_));
  }

 private:
  std::unique_ptr<arrow::ResizableBuffer> buffer_;
  size_t size_ = 0, capacity_ = 0;
  size_t last_ = 0;
};

/// Which rows are NULL: nothing until the first that is.
class Validity {
 public:
  void Clear(size_t row) {
    if (row / 8 >= bits_.size()) bits_.resize(std::max(2 * bits_.size(), row / 8 + 1), 0xFF);
    arrow::bit_util::ClearBit(bits_.data(), static_cast<int64_t>(row));
    ++nulls_;
  }
  int64_t nulls() const { return nulls_; }
  std::shared_ptr<arrow::Buffer> Finish(size_t rows) {
    if (nulls_ == 0) return nullptr;
    nulls_ = 0;
    bits_.resize((rows + 7) / 8, 0xFF);
    return arrow::Buffer::FromVector(std::exchange(bits_, {}));
  }

 private:
  std::vector<uint8_t> bits_;
  int64_t nulls_ = 0;
};

/// What all columns with buffers of their own share.
class BufferedColumn : public CopyColumn {
 public:
  explicit BufferedColumn(const ColumnType& type) : type_(ArrowTypeOf(type)) {}
  int64_t values_nulled() const override { return values_nulled_; }

 protected:
  int64_t values_nulled_ = 0;

  void AppendNull(size_t row) { validity_.Clear(row); }
  void AppendUnholdable(size_t row) {
    ++values_nulled_;
    validity_.Clear(row);
  }
  std::shared_ptr<arrow::Array> ToArray(size_t rows,
                                        std::vector<std::shared_ptr<arrow::Buffer>> buffers) {
    const int64_t nulls = validity_.nulls();
    buffers.insert(buffers.begin(), validity_.Finish(rows));
    return arrow::MakeArray(
        arrow::ArrayData::Make(type_, static_cast<int64_t>(rows), std::move(buffers), nulls));
  }

 private:
  const std::shared_ptr<arrow::DataType> type_;
  Validity validity_;
};

/// Values of one width. `Parse` is a function object: (bytes, T*) → Parsed.
template <typename T, typename Parse>
class FixedColumn final : public BufferedColumn {
 public:
  FixedColumn(const ColumnType& type, Parse parse) : BufferedColumn(type), parse_(parse) {}

  Status Append(const char* bytes, const CopyField* fields, size_t rows) override {
    FRESHET_CHECK_OK(values_.Reserve(rows * sizeof(T)));
    auto* to = reinterpret_cast<T*>(values_.end());
    const size_t first = values_.size() / sizeof(T);
    for (size_t i = 0; i < rows; ++i) {
      const CopyField field = fields[i];
      if (field.length >= 0) [[likely]] {
        const Parsed parsed = parse_(
            std::string_view(bytes + field.offset, static_cast<size_t>(field.length)), to + i);
        if (parsed == Parsed::kValue) [[likely]]
          continue;
        if (parsed == Parsed::kBad) return Bad();
        AppendUnholdable(first + i);
      } else {
        AppendNull(first + i);
      }
      to[i] = T();
    }
    values_.Grew(rows * sizeof(T));
    return Status::Ok();
  }

  Result<std::shared_ptr<arrow::Array>> Finish() override {
    const size_t rows = values_.size() / sizeof(T);
    FRESHET_TRY(auto values, values_.Finish());
    return ToArray(rows, {std::move(values)});
  }

 private:
  const Parse parse_;
  GrowingBuffer values_;
};

class BoolColumn final : public BufferedColumn {
 public:
  using BufferedColumn::BufferedColumn;

  Status Append(const char* bytes, const CopyField* fields, size_t rows) override {
    const size_t needed = (rows_ + rows + 7) / 8;
    FRESHET_CHECK_OK(values_.Reserve(needed - values_.size()));
    std::memset(values_.end(), 0, needed - values_.size());
    values_.Grew(needed - values_.size());
    for (size_t i = 0; i < rows; ++i) {
      const CopyField field = fields[i];
      if (field.length < 0) {
        AppendNull(rows_ + i);
      } else if (field.length != 1) {
        return Bad();
      } else if (bytes[field.offset] != 0) {
        arrow::bit_util::SetBit(values_.data(), static_cast<int64_t>(rows_ + i));
      }
    }
    rows_ += rows;
    return Status::Ok();
  }

  Result<std::shared_ptr<arrow::Array>> Finish() override {
    FRESHET_TRY(auto values, values_.Finish());
    return ToArray(std::exchange(rows_, 0), {std::move(values)});
  }

 private:
  GrowingBuffer values_;
  size_t rows_ = 0;
};

/// Copy a short value whole words at a time. REQUIRES: the pad behind both.
inline void CopyShort(const char* from, size_t size, uint8_t* to) {
  if (size <= 16) {
    std::memcpy(to, from, 16);
  } else if (size <= kCopyBlockPad) {
    std::memcpy(to, from, kCopyBlockPad);
  } else {
    std::memcpy(to, from, size);
  }
}

/// Copies the bytes as they are.
struct WholeBytes {
  static constexpr int32_t kSmallest = 0, kDropped = 0, kSize = -1;
  static bool Write(const char* from, size_t size, uint8_t* to) {
    CopyShort(from, size, to);
    return true;
  }
};
/// The binary form begins with its version, 1. Source: PostgreSQL 15,
/// src/backend/utils/adt/jsonb.c, jsonb_send.
struct JsonbText {
  static constexpr int32_t kSmallest = 1, kDropped = 1, kSize = -1;
  static bool Write(const char* from, size_t size, uint8_t* to) {
    CopyShort(from + 1, size, to);
    return from[0] == 1;
  }
};
struct UuidText {
  static constexpr int32_t kSmallest = 16, kDropped = 0, kSize = 36;
  static bool Write(const char* from, size_t /*size*/, uint8_t* to) {
    return FormatBinaryUuid({from, 16}, reinterpret_cast<char*>(to)) == 36;
  }
};

/// Text or bytes. `Form`: how a value's wire form becomes what is stored; kSize is -1 where that is
/// as long as the wire's, less kDropped.
template <typename Form>
class BytesColumn final : public BufferedColumn {
 public:
  using BufferedColumn::BufferedColumn;

  Status Append(const char* bytes, const CopyField* fields, size_t rows) override {
    size_t more = 0;
    for (size_t i = 0; i < rows; ++i) more += static_cast<size_t>(std::max(fields[i].length, 0));
    if (Form::kSize >= 0) more = rows * static_cast<size_t>(Form::kSize);
    FRESHET_CHECK_OK(values_.Reserve(more + kCopyBlockPad));
    FRESHET_CHECK_OK(offsets_.Reserve((rows + 1) * sizeof(int32_t)));
    auto* ends = reinterpret_cast<int32_t*>(offsets_.end());
    const size_t first = offsets_.size() / sizeof(int32_t);
    uint8_t* const begin = values_.data();
    uint8_t* to = values_.end();
    for (size_t i = 0; i < rows; ++i) {
      // Each value's start: what follows the last one's is known at the end only.
      ends[i] = static_cast<int32_t>(to - begin);
      const CopyField field = fields[i];
      if (field.length < 0) {
        AppendNull(first + i);
        continue;
      }
      if (field.length < Form::kSmallest || (Form::kSize >= 0 && field.length != Form::kSmallest))
        return Bad();
      const auto size =
          static_cast<size_t>(Form::kSize >= 0 ? Form::kSize : field.length - Form::kDropped);
      if (!Form::Write(bytes + field.offset, size, to)) return Bad();
      to += size;
    }
    offsets_.Grew(rows * sizeof(int32_t));
    values_.Grew(static_cast<size_t>(to - values_.end()));
    return Status::Ok();
  }

  Result<std::shared_ptr<arrow::Array>> Finish() override {
    const size_t rows = offsets_.size() / sizeof(int32_t);
    FRESHET_CHECK_OK(offsets_.Reserve(sizeof(int32_t)));
    const auto end = static_cast<int32_t>(values_.size());
    std::memcpy(offsets_.end(), &end, sizeof end);
    offsets_.Grew(sizeof end);
    FRESHET_TRY(auto offsets, offsets_.Finish());
    FRESHET_TRY(auto values, values_.Finish());
    FRESHET_TRY(auto array, SpellOutInvalid(ToArray(rows, {std::move(offsets), std::move(values)}),
                                            &values_nulled_));
    return array;
  }

 private:
  GrowingBuffer offsets_, values_;
};

/// Everything else, value by value.
class DecodedColumn final : public CopyColumn {
 public:
  DecodedColumn(const ColumnType& type, CopyFormat format) : decoder_(type), format_(format) {}

  Status Append(const char* bytes, const CopyField* fields, size_t rows) override {
    FRESHET_CHECK_OK(decoder_.Reserve(static_cast<int64_t>(rows)));
    for (size_t i = 0; i < rows; ++i) {
      const CopyField field = fields[i];
      if (field.length < 0) {
        decoder_.AppendNull();
        continue;
      }
      const std::string_view value(bytes + field.offset, static_cast<size_t>(field.length));
      if (!(format_ == CopyFormat::kText ? decoder_.AppendText(value)
                                         : decoder_.AppendBinary(value)))
        return Bad();
    }
    return Status::Ok();
  }
  Result<std::shared_ptr<arrow::Array>> Finish() override {
    FRESHET_TRY(auto array, decoder_.Finish());
    return array;
  }
  int64_t values_nulled() const override { return decoder_.values_nulled(); }

 private:
  ColumnDecoder decoder_;
  const CopyFormat format_;
};

template <typename T, typename Parse>
std::unique_ptr<CopyColumn> Fixed(const ColumnType& type, Parse parse) {
  return std::make_unique<FixedColumn<T, Parse>>(type, parse);
}

/// Numbers whose wire form is their own bytes, most significant first.
template <typename T, typename Bits>
std::unique_ptr<CopyColumn> Number(const ColumnType& type) {
  return Fixed<T>(type, [](std::string_view bytes, T* value) {
    if (bytes.size() != sizeof(T)) return Parsed::kBad;
    *value = std::bit_cast<T>(LoadBigEndian<Bits>(bytes.data()));
    return Parsed::kValue;
  });
}

/// Integers in text.
template <typename T>
std::unique_ptr<CopyColumn> DecimalDigits(const ColumnType& type) {
  return Fixed<T>(type, [](std::string_view text, T* value) {
    const char* const end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data(), end, *value);
    return error == std::errc() && stop == end ? Parsed::kValue : Parsed::kBad;
  });
}

std::unique_ptr<CopyColumn> MakeBinary(const ColumnType& type) {
  switch (type.kind) {
    case Kind::kBool:
      return std::make_unique<BoolColumn>(type);
    case Kind::kInt16:
      return Number<int16_t, int16_t>(type);
    case Kind::kInt32:
      return Number<int32_t, int32_t>(type);
    case Kind::kInt64:
      return Number<int64_t, int64_t>(type);
    case Kind::kFloat32:
      return Number<float, uint32_t>(type);
    case Kind::kFloat64:
      return Number<double, uint64_t>(type);
    case Kind::kNumeric:
      return Fixed<arrow::Decimal128>(type, [precision = type.precision, scale = type.scale](
                                                std::string_view bytes, arrow::Decimal128* value) {
        return ParseBinaryNumeric(bytes, precision, scale, value);
      });
    case Kind::kDate:
      return Fixed<int32_t>(type, [](auto... given) { return ParseBinaryDate(given...); });
    case Kind::kTimestamp:
    case Kind::kTimestampTz:
      return Fixed<int64_t>(type, [](auto... given) { return ParseBinaryTimestamp(given...); });
    case Kind::kText:
    case Kind::kBytea:
      return std::make_unique<BytesColumn<WholeBytes>>(type);
    case Kind::kJsonb:
      return std::make_unique<BytesColumn<JsonbText>>(type);
    case Kind::kUuid:
      return std::make_unique<BytesColumn<UuidText>>(type);
    default:
      return std::make_unique<DecodedColumn>(type, CopyFormat::kBinary);
  }
}

/// Only the kinds for whose sake a table is read as text have a form of their own.
std::unique_ptr<CopyColumn> MakeText(const ColumnType& type) {
  switch (type.kind) {
    case Kind::kInt16:
      return DecimalDigits<int16_t>(type);
    case Kind::kInt32:
      return DecimalDigits<int32_t>(type);
    case Kind::kInt64:
      return DecimalDigits<int64_t>(type);
    case Kind::kNumeric:
      return Fixed<arrow::Decimal128>(type, [precision = type.precision, scale = type.scale](
                                                std::string_view text, arrow::Decimal128* value) {
        return ParseTextNumeric(text, precision, scale, value);
      });
    case Kind::kText:
    case Kind::kJsonb:
    case Kind::kUuid:
      return std::make_unique<BytesColumn<WholeBytes>>(type);
    default:
      return std::make_unique<DecodedColumn>(type, CopyFormat::kText);
  }
}

}  // namespace

std::unique_ptr<CopyColumn> CopyColumn::Make(const ColumnType& type, CopyFormat format) {
  static_assert(sizeof(arrow::Decimal128) == 16, "an array's values lie as the class does");
  if (!type.children.empty() || (type.as_text && type.kind != Kind::kText))
    return std::make_unique<DecodedColumn>(type, format);
  return format == CopyFormat::kText ? MakeText(type) : MakeBinary(type);
}

}  // namespace freshet::sources::postgres
