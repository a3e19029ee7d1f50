// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

namespace freshet {

/// A credential. Cannot be printed, compared, copied into a Status or serialised; `Reveal` is
/// greppable and meant for the one call that hands it to a library.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  ~Secret();
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(Secret&&) noexcept = default;
  bool operator==(const Secret&) const = delete;

  bool empty() const { return value_.empty(); }
  const std::string& Reveal() const { return value_; }

 private:
  std::string value_;
};

}  // namespace freshet
