// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace freshet {
namespace {

struct ClassInfo {
  std::string_view name;
  Code code;
  Retry retry;
  std::string_view meaning;
  std::string_view remedy;
};

constexpr auto kClasses = std::to_array<ClassInfo>({
#define ERROR_CLASS(name, code, retry, meaning, remedy) \
  {#name, Code::code, Retry::retry, meaning, remedy},
#include "base/error_classes.def"
#undef ERROR_CLASS
});

const ClassInfo& InfoOf(ErrorClass error_class) {
  return kClasses[static_cast<size_t>(error_class)];
}

}  // namespace

std::string_view NameOf(ErrorClass error_class) { return InfoOf(error_class).name; }
std::string_view RemedyOf(ErrorClass error_class) { return InfoOf(error_class).remedy; }

std::optional<ErrorClass> ErrorClassOf(std::string_view name) {
  for (size_t i = 0; i < kClasses.size(); ++i) {
    if (kClasses[i].name == name) return static_cast<ErrorClass>(i);
  }
  return std::nullopt;
}

Status MakeError(ErrorClass error_class, std::string message) {
  const ClassInfo& info = InfoOf(error_class);
  Status status;
  status.rep_ = std::make_shared<Status::Rep>(
      Status::Rep{info.code, error_class, info.retry, std::move(message), {}, {}});
  return status;
}

const std::string& Status::message() const {
  static const std::string kEmpty;
  return ok() ? kEmpty : rep_->message;
}

std::string_view Status::remedy() const {
  if (ok()) return {};
  return rep_->remedy.empty() ? RemedyOf(rep_->error_class) : std::string_view(rep_->remedy);
}

Status Status::With(std::string_view name, std::string_view value) && {
  if (ok()) return std::move(*this);
  auto rep = std::make_shared<Rep>(*rep_);
  rep->context += fmt::format("{}{}: {}", rep->context.empty() ? "" : ", ", name, value);
  rep_ = std::move(rep);
  return std::move(*this);
}

Status Status::WithRemedy(std::string remedy) && {
  if (ok()) return std::move(*this);
  auto rep = std::make_shared<Rep>(*rep_);
  rep->remedy = std::move(remedy);
  rep_ = std::move(rep);
  return std::move(*this);
}

Status Status::OutcomeUnknown() && {
  if (ok()) return std::move(*this);
  auto rep = std::make_shared<Rep>(*rep_);
  rep->code = Code::kUnknown;
  rep_ = std::move(rep);
  return std::move(*this);
}

std::string Status::ToString() const {
  if (ok()) return "OK";
  std::string text = fmt::format("{}: {}", NameOf(rep_->error_class), rep_->message);
  if (!rep_->context.empty()) text += fmt::format(" ({})", rep_->context);
  return text;
}

void AssertFailed(const char* expression, const char* file, int line, const std::string& detail) {
  std::fprintf(stderr, "freshet: broken rule: %s at %s:%d %s\n", expression, file, line,
               detail.c_str());
  std::abort();
}

}  // namespace freshet
