// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "record/observer.h"

namespace freshet::pipeline {

/// What goes over a worker's pipes and out of `--json`: one event as one line of flat JSON, `event`
/// first. Bytes that are not UTF-8 become U+FFFD.
std::string ToLine(const record::Event& event);
/// Errors: INVALID_ARGUMENT (not such a line).
Result<record::Event> EventFromLine(std::string_view line);

/// Return the field's value; empty or zero when it is absent or of another type.
std::string TextOf(const record::Event& event, std::string_view field);
int64_t NumberOf(const record::Event& event, std::string_view field);
/// Also of a whole number; `absent` when there is none.
double RealOf(const record::Event& event, std::string_view field, double absent);
/// Whether the event has the field.
bool Has(const record::Event& event, std::string_view field);

/// Add `class`, `reason`, `remedy` and `retry` to an event; no-op for OK.
record::Event WithStatus(record::Event event, const Status& status);
/// Return the Status that WithStatus wrote: OK when there is none.
Status StatusOf(const record::Event& event);

/// Return the event that a file's first line holds; nothing when there is none.
std::optional<record::Event> ReadEventFile(const std::string& path);

/// The status's message and context without its class's name.
std::string ReasonOf(const Status& status);

/// Cuts a stream of bytes into lines.
class LineBuffer {
 public:
  void Add(std::string_view bytes) { pending_.append(bytes); }
  /// Return the complete lines so far, without their ends.
  std::vector<std::string> Take();

 private:
  std::string pending_;
};

}  // namespace freshet::pipeline
