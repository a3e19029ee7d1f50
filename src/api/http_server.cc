// SPDX-License-Identifier: Apache-2.0
#include "api/http_server.h"

// The library's version 0.11 as Debian builds it; only this file knows it.
#include <httplib.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "base/log.h"
#include "base/server_limits.h"

namespace freshet::api {
namespace {

/// SO_REUSEADDR only: the library's own choice would let a second server share the port.
void SetSocketOptions(socket_t socket) {
  int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
}

std::unique_ptr<httplib::Server> MakeServer(const HttpServer::Options& options) {
  if (options.tls_certificate.empty()) return std::make_unique<httplib::Server>();
  return std::make_unique<httplib::SSLServer>(options.tls_certificate.c_str(),
                                              options.tls_key.c_str());
}

Request Take(const httplib::Request& from) {
  Request request;
  request.method = from.method;
  request.target = from.target;
  request.authorization = from.get_header_value("Authorization");
  request.client = from.remote_addr;
  return request;
}

void Give(Response&& from, httplib::Response* to) {
  to->status = from.status;
  for (const auto& [name, value] : from.headers) to->set_header(name, value);
  to->set_header("X-Content-Type-Options", "nosniff");
  to->set_header("Cache-Control", "no-store");
  to->set_content(from.body, from.content_type);
}

Response TooLarge() {
  return ErrorResponse(413, "INVALID_PARAMETER_VALUE",
                       fmt::format("the body is larger than {} bytes", limits::kRequestBytesMax));
}

/// Read the body into the request; or return why not.
std::optional<Response> ReadBody(const httplib::Request& from, const httplib::ContentReader& reader,
                                 std::chrono::milliseconds wait, Request* request) {
  // Without either of them there is no body; the library would wait for the connection's end.
  if (!from.has_header("Content-Length") && !from.has_header("Transfer-Encoding"))
    return std::nullopt;
  // The library would look for a receiver of the parts, and there is none.
  if (from.is_multipart_form_data())
    return ErrorResponse(415, "INVALID_PARAMETER_VALUE", "multipart bodies are not taken");
  // The library would read all of it, however long that takes, to throw it away.
  if (from.get_header_value<uint64_t>("Content-Length") > limits::kRequestBytesMax)
    return TooLarge();
  auto until = SystemClock().Now() + wait;
  bool large = false, slow = false;
  // Whatever the headers say of its length, and after it was unpacked.
  bool whole = reader([&](const char* bytes, size_t size) {
    large = request->body.size() + size > limits::kRequestBytesMax;
    slow = SystemClock().Now() > until;
    if (large || slow) return false;
    request->body.append(bytes, size);
    return true;
  });
  if (large) return TooLarge();
  if (slow) return ErrorResponse(408, "DEADLINE_EXCEEDED", "the body took too long");
  if (!whole) return ErrorResponse(400, "INVALID_PARAMETER_VALUE", "the body did not arrive whole");
  return std::nullopt;
}

std::string WhatOf(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "no std::exception";
  }
}

void Install(httplib::Server& server, std::chrono::milliseconds body_wait,
             const HttpServer::Answer& answer) {
  auto plain = [answer](const httplib::Request& from, httplib::Response& to) {
    Give(answer(Take(from), {}), &to);
  };
  auto with_body = [answer, body_wait](const httplib::Request& from, httplib::Response& to,
                                       const httplib::ContentReader& reader) {
    auto receive = [&](Request* request) { return ReadBody(from, reader, body_wait, request); };
    Give(answer(Take(from), receive), &to);
  };
  constexpr char kAny[] = R"([\s\S]*)";
  server.Get(kAny, plain).Options(kAny, plain).Delete(kAny, plain);
  server.Post(kAny, with_body).Put(kAny, with_body).Patch(kAny, with_body).Delete(kAny, with_body);
  // What the library refuses by itself comes in the same form.
  server.set_error_handler([](const httplib::Request&, httplib::Response& to) {
    if (to.body.empty() && to.status >= 400)
      Give(ErrorResponse(to.status, "INVALID_PARAMETER_VALUE", "the request is not readable"), &to);
  });
  server.set_exception_handler(
      [](const httplib::Request&, httplib::Response& to, const std::exception_ptr& exception) {
        spdlog::error("a request's handler failed: {}", WhatOf(exception));
        Give(ErrorResponse(500, "INTERNAL_ERROR", "the request failed"), &to);
      });
}

}  // namespace

struct HttpServer::Parts {
  std::unique_ptr<httplib::Server> server;
  int port = 0;
  std::jthread thread;
};

HttpServer::HttpServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
HttpServer::~HttpServer() { Stop(); }
int HttpServer::port() const { return parts_->port; }

Result<std::unique_ptr<HttpServer>> HttpServer::Open(const Options& options, Answer answer) {
  auto parts = std::make_unique<Parts>();
  parts->server = MakeServer(options);
  auto& server = *parts->server;
  if (!server.is_valid()) {
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "the TLS certificate or its key is of no use: {}, {}", options.tls_certificate,
                 options.tls_key);
  }
  server.set_socket_options(SetSocketOptions);
  server.set_tcp_nodelay(true);
  server.set_keep_alive_max_count(1);
  // How long a connection may say nothing; it has a thread meanwhile.
  server.set_keep_alive_timeout(1);
  server.set_read_timeout(limits::kRequestWaitMax).set_write_timeout(limits::kRequestWaitMax);
  server.set_payload_max_length(limits::kRequestBytesMax);
  server.new_task_queue = [] {
    return new httplib::ThreadPool(limits::kRequestThreads);  // NOLINT: the library deletes it
  };
  Install(server, options.body_wait, answer);
  parts->port = options.port;
  bool bound = true;
  if (options.port == 0) {
    parts->port = server.bind_to_any_port(options.host);
    bound = parts->port > 0;
  } else {
    bound = server.bind_to_port(options.host, options.port);
  }
  if (!bound) {
    return Error(ErrorClass::INVALID_ARGUMENT, "cannot listen on {}:{}", options.host, options.port)
        .WithRemedy("Choose another --host or --port; --port 0 takes one that is free.");
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(parts)));
}

void HttpServer::Start() {
  parts_->thread = std::jthread([server = parts_->server.get()] { server->listen_after_bind(); });
  SystemClock clock;
  // Stop has no effect on a server that does not listen yet.
  while (!parts_->server->is_running())
    clock.WaitUntil(clock.Now() + std::chrono::milliseconds(1), {});
}

void HttpServer::Stop() {
  if (!parts_->thread.joinable()) return;
  parts_->server->stop();
  parts_->thread.join();
}

}  // namespace freshet::api
