// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "api/request.h"
#include "base/server_limits.h"
#include "base/status.h"

namespace freshet::api {

/// Listens and turns HTTP into requests; knows nothing of what they mean. Requests are answered by
/// a pool of threads. One connection serves one request: a client that was refused in the middle of
/// a body leaves nothing behind that could pass for another's request, and a client that only holds
/// its connection holds no thread.
class HttpServer {
 public:
  struct Options {
    std::string host;
    int port = 0;                          // 0: any that is free
    std::string tls_certificate, tls_key;  // PEM files; empty: plain HTTP
    /// How long a body may take to arrive; another value is for tests.
    std::chrono::milliseconds body_wait = limits::kRequestBodyWaitMax;
  };
  /// Called by several threads; `request` has what came over the wire and no more, and no body yet.
  using Answer = std::function<Response(Request&&, const ReceiveBody&)>;

  /// Bind; nothing is answered yet. Errors: INVALID_ARGUMENT (an address or a certificate that is
  /// of no use).
  static Result<std::unique_ptr<HttpServer>> Open(const Options& options, Answer answer);
  ~HttpServer();

  int port() const;
  /// Answer from a thread of its own until Stop, which waits for the requests under way.
  void Start();
  void Stop();

 private:
  struct Parts;
  explicit HttpServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace freshet::api
