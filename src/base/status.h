// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace freshet {

/// What kind of failure, in gRPC's names: decides exit codes and HTTP status at the border.
enum class Code : uint8_t {
  kOk,
  kCancelled,
  kUnknown,
  kInvalidArgument,
  kDeadlineExceeded,
  kNotFound,
  kAlreadyExists,
  kPermissionDenied,
  kResourceExhausted,
  kFailedPrecondition,
  kAborted,
  kUnimplemented,
  kInternal,
  kUnavailable,
  kDataLoss,
  kUnauthenticated
};

/// Whether doing it again can help: never, after a wait, or only after the affected table was read
/// anew.
enum class Retry : uint8_t { kNever, kBackoff, kAfterReset };

/// The stable names that tests and users match on; `error_classes.def` is the list.
enum class ErrorClass : uint8_t {
#define ERROR_CLASS(name, code, retry, meaning, remedy) name,
#include "base/error_classes.def"
#undef ERROR_CLASS
};

std::string_view NameOf(ErrorClass error_class);
std::string_view RemedyOf(ErrorClass error_class);
/// Return the class of that name, or nothing.
std::optional<ErrorClass> ErrorClassOf(std::string_view name);

/// The answer of something that can fail: OK, or code + class + message + context. OK is one null
/// pointer. Immutable values; safe to copy across threads.
class [[nodiscard]] Status {
 public:
  Status() = default;
  static Status Ok() { return {}; }

  bool ok() const { return rep_ == nullptr; }
  Code code() const { return ok() ? Code::kOk : rep_->code; }
  /// REQUIRES: !ok().
  ErrorClass error_class() const { return rep_->error_class; }
  Retry retry() const { return ok() ? Retry::kNever : rep_->retry; }
  const std::string& message() const;
  /// What to do about it: the error's own remedy, else its class's.
  std::string_view remedy() const;
  bool Is(ErrorClass error_class) const { return !ok() && rep_->error_class == error_class; }

  /// Add a fact on the way up (`.With("table", name)`); the cause stays. No-op on OK.
  Status With(std::string_view name, std::string_view value) &&;
  /// Set the exact remedy (usually SQL) where one is known. No-op on OK.
  Status WithRemedy(std::string remedy) &&;
  /// Mark the outcome as unknown: the caller reads the truth before it decides. No-op on OK.
  Status OutcomeUnknown() &&;
  bool outcome_unknown() const { return code() == Code::kUnknown; }

  /// Return `CLASS: message (name: value, …)`.
  std::string ToString() const;

 private:
  friend Status MakeError(ErrorClass error_class, std::string message);
  struct Rep {
    Code code;
    ErrorClass error_class;
    Retry retry;
    std::string message;
    std::string context;
    std::string remedy;
  };
  std::shared_ptr<Rep> rep_;
};

/// Make an error; code and retry come from the class. Static words first, values last.
Status MakeError(ErrorClass error_class, std::string message);
template <typename... Args>
  requires(sizeof...(Args) > 0)
Status Error(ErrorClass error_class, fmt::format_string<Args...> format, Args&&... args) {
  return MakeError(error_class, fmt::format(format, std::forward<Args>(args)...));
}
inline Status Error(ErrorClass error_class, std::string_view message) {
  return MakeError(error_class, std::string(message));
}

/// A value, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : rep_(std::in_place_index<1>, std::move(value)) {}  // NOLINT: implicit by design
  template <typename U>
    requires(std::is_convertible_v<U&&, T> && !std::is_same_v<std::decay_t<U>, Status> &&
             !std::is_same_v<std::decay_t<U>, T> && !std::is_same_v<std::decay_t<U>, Result<T>>)
  Result(U&& value)
      : rep_(std::in_place_index<1>, std::forward<U>(value)) {}  // NOLINT: implicit by design
  Result(Status status)
      : rep_(std::in_place_index<0>, std::move(status)) {}  // NOLINT: implicit by design

  bool ok() const { return rep_.index() == 1; }
  Status status() const { return ok() ? Status::Ok() : std::get<0>(rep_); }
  T& value() & { return std::get<1>(rep_); }
  const T& value() const& { return std::get<1>(rep_); }
  T&& value() && { return std::get<1>(std::move(rep_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<Status, T> rep_;
};

/// How the two macros read another library's status type; `record/arrow_status.h` adds Arrow's.
template <typename T>
struct StatusTraits;
template <>
struct StatusTraits<Status> {
  static Status Take(const Status& status) { return status; }
};
template <typename T>
struct StatusTraits<Result<T>> {
  static Status Take(const Result<T>& result) { return result.status(); }
  static T Value(Result<T>&& result) { return std::move(result).value(); }
};

/// Stop the process: one of our own rules is broken. Restart is the recovery path.
[[noreturn]] void AssertFailed(const char* expression, const char* file, int line,
                               const std::string& detail = {});

}  // namespace freshet

#define FRESHET_CONCAT_(a, b) a##b
#define FRESHET_CONCAT(a, b) FRESHET_CONCAT_(a, b)

/// Return the error of a Status or Result (ours or Arrow's) if there is one.
#define FRESHET_CHECK_OK(...)                                                        \
  do {                                                                               \
    auto&& freshet_status_ = (__VA_ARGS__);                                          \
    if (!freshet_status_.ok()) {                                                     \
      return ::freshet::StatusTraits<std::decay_t<decltype(freshet_status_)>>::Take( \
          freshet_status_);                                                          \
    }                                                                                \
  } while (false)

/// `FRESHET_TRY(auto x, expr);` declare or assign x from a Result (ours or Arrow's), or return its
/// error.
#define FRESHET_TRY_(result, declaration, ...)                                    \
  auto result = (__VA_ARGS__);                                                    \
  if (!result.ok()) {                                                             \
    return ::freshet::StatusTraits<std::decay_t<decltype(result)>>::Take(result); \
  }                                                                               \
  declaration = ::freshet::StatusTraits<std::decay_t<decltype(result)>>::Value(std::move(result))
#define FRESHET_TRY(declaration, ...) \
  FRESHET_TRY_(FRESHET_CONCAT(freshet_result_, __COUNTER__), declaration, __VA_ARGS__)

/// Check our own rule, on in release too. Never for input.
#define FRESHET_ASSERT(expression, ...)                                         \
  do {                                                                          \
    if (!(expression)) [[unlikely]] {                                           \
      ::freshet::AssertFailed(#expression, __FILE__,                            \
                              __LINE__ __VA_OPT__(, fmt::format(__VA_ARGS__))); \
    }                                                                           \
  } while (false)
