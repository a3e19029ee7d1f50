// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "api/context.h"

namespace freshet::api {

/// Answers every request: reads its target, finds out who asks and which route it is, and turns
/// what fails into the published error. Knows nothing of sockets. Thread-safe.
class Service {
 public:
  explicit Service(const Context& context);

  /// The body is received once it is known who asks, and where it is taken at all.
  Response Answer(Request&& request, const ReceiveBody& receive = {}) const;
  /// Whether `/ready` says so: from the start of work until it is asked to end.
  void SetReady(bool ready) { ready_ = ready; }

 private:
  Response Serve(Request& request, const ReceiveBody& receive) const;
  Result<bool> Authenticate(Request& request) const;
  Response Handle(const Route& route, const Request& request, const BringBody& bring) const;
  Response HandleNoted(const Route& route, const Request& request, const BringBody& bring) const;

  const Context context_;
  Router router_;
  std::string document_;  // of the API
  std::atomic<bool> ready_{false};
  mutable std::atomic<int> visits_{0};  // requests that wait for a source now
};

}  // namespace freshet::api
