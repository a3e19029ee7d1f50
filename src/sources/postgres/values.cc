// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/values.h"

#include <array>
#include <charconv>
#include <cstring>
#include <limits>

namespace freshet::sources::postgres {
namespace {

__extension__ using Int128 = __int128;

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;
/// The server counts from 2000-01-01.
constexpr int64_t kEpochDays = 10'957;

constexpr std::array<Int128, 39> PowersOfTen() {
  std::array<Int128, 39> powers{};
  powers[0] = 1;
  for (size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}
constexpr auto kPowersOfTen = PowersOfTen();

Int128 PowerOfTen(int64_t exponent) { return kPowersOfTen[static_cast<size_t>(exponent)]; }

arrow::Decimal128 ToDecimal(Int128 magnitude, bool negative) {
  Int128 value = negative ? -magnitude : magnitude;
  return {static_cast<int64_t>(value >> 64), static_cast<uint64_t>(value)};
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar; year 0 is 1 BC.
int64_t DaysOf(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

/// The two digits of every byte.
constexpr std::array<char, 512> HexPairs() {
  std::array<char, 512> pairs{};
  for (size_t i = 0; i < 256; ++i) {
    pairs[2 * i] = "0123456789abcdef"[i >> 4];
    pairs[2 * i + 1] = "0123456789abcdef"[i & 0xF];
  }
  return pairs;
}

/// Takes characters off the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool done() const { return at_ == end_; }
  bool Take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool Take(std::string_view text) {
    if (static_cast<size_t>(end_ - at_) < text.size() || std::string_view(at_, text.size()) != text)
      return false;
    at_ += text.size();
    return true;
  }
  /// Take at least `least` and at most `most` digits.
  bool Digits(int least, int most, int64_t* value) {
    int count = 0;
    int64_t number = 0;
    while (count < most && at_ != end_ && *at_ >= '0' && *at_ <= '9') {
      number = number * 10 + (*at_++ - '0');
      ++count;
    }
    *value = number;
    digits_ = count;
    return count >= least;
  }
  /// How many the last Digits took.
  int digits() const { return digits_; }

 private:
  const char* at_;
  const char* end_;
  int digits_ = 0;
};

bool ScanDate(Scanner* scanner, int64_t* year, int64_t* month, int64_t* day) {
  return scanner->Digits(4, 7, year) && scanner->Take('-') && scanner->Digits(2, 2, month) &&
         scanner->Take('-') && scanner->Digits(2, 2, day) && *month >= 1 && *month <= 12 &&
         *day >= 1 && *day <= 31;
}

bool ScanTime(Scanner* scanner, int64_t* micros) {
  int64_t hour = 0, minute = 0, second = 0, fraction = 0;
  if (!scanner->Digits(2, 2, &hour) || !scanner->Take(':') || !scanner->Digits(2, 2, &minute) ||
      !scanner->Take(':') || !scanner->Digits(2, 2, &second)) {
    return false;
  }
  if (scanner->Take('.')) {
    if (!scanner->Digits(1, 6, &fraction)) return false;
    for (int i = scanner->digits(); i < 6; ++i) fraction *= 10;
  }
  *micros = ((hour * 60 + minute) * 60 + second) * kMicrosPerSecond + fraction;
  return true;
}

bool IsInfinity(std::string_view text) { return text == "infinity" || text == "-infinity"; }

bool ScanEraAndEnd(Scanner* scanner, int64_t* year) {
  // The server's year before 1 AD is 1 BC, astronomically 0.
  if (scanner->Take(" BC")) *year = 1 - *year;
  return scanner->done();
}

/// Read the digit groups of a binary numeric as its unscaled value. REQUIRES: as many groups as it
/// says; Integer holds precision digits.
template <typename Integer>
Parsed ParseMagnitude(std::string_view bytes, int precision, int scale, Integer* value) {
  const int count = LoadBigEndian<uint16_t>(bytes.data());
  const int weight = LoadBigEndian<int16_t>(bytes.data() + 2);
  // The value is the sum of group * 10000^(weight - i); the unscaled one has `exponent` more
  // decimal places at group i.
  Integer magnitude = 0;
  int exponent = 4 * weight + scale;
  for (int i = 0; i < count; ++i, exponent -= 4) {
    auto group = LoadBigEndian<uint16_t>(bytes.data() + 8 + 2 * i);
    if (group > 9999) return Parsed::kBad;
    if (magnitude == 0 && group == 0) continue;
    if (exponent <= -4) break;
    if (exponent >= 0) {
      // Checked at the first group that counts: from there on no more digits than the precision can
      // come.
      int digits = group > 999 ? 4 : group > 99 ? 3 : group > 9 ? 2 : 1;
      if (magnitude == 0 && exponent + digits > precision) return Parsed::kUnholdable;
      magnitude = magnitude * 10'000 + group;
    } else {
      const auto dropped = static_cast<unsigned>(PowerOfTen(-exponent));
      magnitude = magnitude * static_cast<Integer>(PowerOfTen(4 + exponent)) + group / dropped;
    }
    if (i + 1 == count && exponent > 0) magnitude *= static_cast<Integer>(PowerOfTen(exponent));
  }
  if (magnitude >= static_cast<Integer>(PowerOfTen(precision))) return Parsed::kUnholdable;
  *value = magnitude;
  return Parsed::kValue;
}

}  // namespace

Parsed ParseBinaryDate(std::string_view bytes, int32_t* days) {
  if (bytes.size() != 4) return Parsed::kBad;
  auto raw = LoadBigEndian<int32_t>(bytes.data());
  if (raw == std::numeric_limits<int32_t>::max() || raw == std::numeric_limits<int32_t>::min())
    return Parsed::kUnholdable;
  int64_t value = raw + kEpochDays;
  if (value > std::numeric_limits<int32_t>::max()) return Parsed::kUnholdable;
  *days = static_cast<int32_t>(value);
  return Parsed::kValue;
}

Parsed ParseBinaryTimestamp(std::string_view bytes, int64_t* micros) {
  if (bytes.size() != 8) return Parsed::kBad;
  auto raw = LoadBigEndian<int64_t>(bytes.data());
  if (raw == std::numeric_limits<int64_t>::max() || raw == std::numeric_limits<int64_t>::min())
    return Parsed::kUnholdable;
  return __builtin_add_overflow(raw, kEpochDays * kMicrosPerDay, micros) ? Parsed::kUnholdable
                                                                         : Parsed::kValue;
}

Parsed ParseBinaryNumeric(std::string_view bytes, int32_t precision, int32_t scale,
                          arrow::Decimal128* value) {
  if (bytes.size() < 8) return Parsed::kBad;
  auto sign = LoadBigEndian<uint16_t>(bytes.data() + 4);
  if (bytes.size() != 8 + 2 * static_cast<size_t>(LoadBigEndian<uint16_t>(bytes.data())))
    return Parsed::kBad;
  if (sign == 0xC000 || sign == 0xD000 || sign == 0xF000) return Parsed::kUnholdable;
  if (sign != 0 && sign != 0x4000) return Parsed::kBad;
  // Up to 18 digits, and four more on their way, fit in half the bits.
  if (precision <= 18) {
    int64_t magnitude = 0;
    auto parsed = ParseMagnitude(bytes, precision, scale, &magnitude);
    if (parsed == Parsed::kValue) *value = arrow::Decimal128(sign == 0 ? magnitude : -magnitude);
    return parsed;
  }
  Int128 magnitude = 0;
  auto parsed = ParseMagnitude(bytes, precision, scale, &magnitude);
  if (parsed == Parsed::kValue) *value = ToDecimal(magnitude, sign == 0x4000);
  return parsed;
}

Parsed ParseTextDate(std::string_view text, int32_t* days) {
  if (IsInfinity(text)) return Parsed::kUnholdable;
  Scanner scanner(text);
  int64_t year = 0, month = 0, day = 0;
  if (!ScanDate(&scanner, &year, &month, &day) || !ScanEraAndEnd(&scanner, &year))
    return Parsed::kBad;
  int64_t value = DaysOf(year, month, day);
  if (value > std::numeric_limits<int32_t>::max()) return Parsed::kUnholdable;
  *days = static_cast<int32_t>(value);
  return Parsed::kValue;
}

Parsed ParseTextTimestamp(std::string_view text, bool with_zone, int64_t* micros) {
  if (IsInfinity(text)) return Parsed::kUnholdable;
  Scanner scanner(text);
  int64_t year = 0, month = 0, day = 0, time = 0;
  bool good =
      ScanDate(&scanner, &year, &month, &day) && scanner.Take(' ') && ScanTime(&scanner, &time);
  if (good && with_zone) scanner.Take("+00");
  if (!good || !ScanEraAndEnd(&scanner, &year)) return Parsed::kBad;
  // Before the smallest day that fits whole, the sum of a negative day and a positive time may fit
  // all the same: in 128 bits.
  Int128 value = static_cast<Int128>(DaysOf(year, month, day)) * kMicrosPerDay + time;
  if (value > std::numeric_limits<int64_t>::max() || value < std::numeric_limits<int64_t>::min())
    return Parsed::kUnholdable;
  *micros = static_cast<int64_t>(value);
  return Parsed::kValue;
}

Parsed ParseTextNumeric(std::string_view text, int32_t precision, int32_t scale,
                        arrow::Decimal128* value) {
  if (text == "NaN" || text == "Infinity" || text == "-Infinity") return Parsed::kUnholdable;
  Scanner sign(text);
  bool negative = sign.Take('-');
  if (negative) text.remove_prefix(1);
  Int128 magnitude = 0;
  int places = -1;  // digits after the point; none seen yet
  bool any = false;
  for (char c : text) {
    if (c == '.' && places < 0) {
      places = 0;
      continue;
    }
    if (c < '0' || c > '9') return Parsed::kBad;
    any = true;
    if (places >= 0 && places++ >= scale) continue;
    if (magnitude >= PowerOfTen(37) && magnitude > (PowerOfTen(38) - 1 - (c - '0')) / 10)
      return Parsed::kUnholdable;
    magnitude = magnitude * 10 + (c - '0');
  }
  if (!any) return Parsed::kBad;
  int shift = scale - std::max(0, std::min(places, scale));
  if (magnitude != 0 && magnitude >= PowerOfTen(std::max(0, precision - shift)))
    return Parsed::kUnholdable;
  *value = ToDecimal(magnitude * (magnitude == 0 ? 1 : PowerOfTen(shift)), negative);
  return Parsed::kValue;
}

size_t FormatBinaryTime(std::string_view bytes, char* to) {
  if (bytes.size() != 8) return 0;
  auto micros = LoadBigEndian<int64_t>(bytes.data());
  if (micros < 0 || micros > kMicrosPerDay) return 0;
  auto two = [&to](int64_t number) {
    *to++ = static_cast<char>('0' + number / 10);
    *to++ = static_cast<char>('0' + number % 10);
  };
  int64_t seconds = micros / kMicrosPerSecond;
  int64_t fraction = micros % kMicrosPerSecond;
  two(seconds / 3600);
  *to++ = ':';
  two(seconds / 60 % 60);
  *to++ = ':';
  two(seconds % 60);
  if (fraction == 0) return 8;
  // Trailing zeros of the fraction are not written.
  *to++ = '.';
  size_t digits = 6;
  while (fraction % 10 == 0) {
    fraction /= 10;
    --digits;
  }
  for (size_t i = digits; i > 0; --i, fraction /= 10)
    to[i - 1] = static_cast<char>('0' + fraction % 10);
  return 9 + digits;
}

size_t FormatBinaryUuid(std::string_view bytes, char* to) {
  static constexpr auto kPairs = HexPairs();
  if (bytes.size() != 16) return 0;
  for (size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
    std::memcpy(to, kPairs.data() + 2 * static_cast<unsigned char>(bytes[i]), 2);
    to += 2;
  }
  return 36;
}

}  // namespace freshet::sources::postgres
