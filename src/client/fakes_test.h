// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "client/api.h"
#include "client/surroundings.h"
#include "fakes/fake_clock.h"

namespace freshet::client {

/// A machine that is made up: its variables, files and terminal, and what was printed.
class FakeSurroundings final : public Surroundings {
 public:
  std::string Variable(const char* name) const override {
    auto found = variables.find(name);
    return found == variables.end() ? "" : found->second;
  }
  Result<std::string> Read(const std::string& path) override {
    auto found = files.find(path);
    if (found != files.end()) return found->second;
    return Error(ErrorClass::INVALID_ARGUMENT, "cannot read {}", path);
  }
  Result<std::string> ReadPrivate(const std::string& path) override {
    auto found = files.find(path);
    if (found != files.end()) return found->second;
    return Error(ErrorClass::NOT_FOUND, "there is no file {}", path);
  }
  Status WritePrivate(const std::string& path, const std::string& text) override {
    files[path] = text;
    return Status::Ok();
  }
  Secret Ask(const std::string&) override { return said; }
  bool Print(std::string_view text) override {
    printed += text;
    return !deaf;
  }
  void Note(std::string_view text) override { noted += text; }
  Size TerminalSize() const override { return size; }
  Clock* clock() override { return &fake_clock; }

  std::map<std::string, std::string> variables, files;
  Secret said;
  Size size;
  bool deaf = false;
  std::string printed, noted;
  fakes::FakeClock fake_clock;
};

/// A server that answers what it was told to, one answer after the other, and keeps what it was
/// asked.
class FakeApi final : public Api {
 public:
  Result<Json> Send(const Call& call) override {
    calls.push_back(call);
    if (answers.empty()) return Error(ErrorClass::INTERNAL, "nobody told what to answer");
    auto answer = std::move(answers.front());
    answers.pop_front();
    return answer;
  }
  void Answers(std::string_view text) { answers.emplace_back(ParseJsonOrThrow<Json>(text)); }
  /// `GET /target body`.
  std::string Asked(size_t i) const {
    const auto& call = calls.at(i);
    return call.method + " " + call.target + (call.body ? " " + JsonText(*call.body) : "");
  }

  std::deque<Result<Json>> answers;
  std::vector<Call> calls;
};

}  // namespace freshet::client
