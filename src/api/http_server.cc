// SPDX-License-Identifier: Apache-2.0
#include "api/http_server.h"

// The library's version 0.11 as Debian builds it; only this file knows it.
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

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
  request.host = from.get_header_value("Host");
  request.client = from.remote_addr;
  return request;
}

/// Bytes of a file, as the library asks for them: all, or the range that it read from the request.
void GiveFile(const Response& from, httplib::Response* to) {
  auto give = [file = from.file](size_t offset, size_t length, httplib::DataSink& sink) {
    std::array<char, size_t{64} * 1024> bytes;
    auto got = pread(file->get(), bytes.data(), std::min(length, bytes.size()),
                     static_cast<off_t>(offset));
    return got > 0 && sink.write(bytes.data(), static_cast<size_t>(got));
  };
  to->set_content_provider(static_cast<size_t>(from.file_bytes), from.content_type, give);
}

void Give(Response&& from, httplib::Response* to) {
  to->status = from.status;
  for (const auto& [name, value] : from.headers) to->set_header(name, value);
  to->set_header("X-Content-Type-Options", "nosniff");
  to->set_header("Cache-Control", "no-store");
  if (from.file && from.file_bytes > 0) {
    GiveFile(from, to);
  } else if (from.status != 204) {
    to->set_content(from.body, from.content_type);
  }
}

/// Of a file, one range at most, and only one that it has; others get the whole.
void GiveRange(httplib::Request& asked, Response&& from, httplib::Response* to) {
  auto& ranges = asked.ranges;
  bool has = false;
  if (from.file && ranges.size() == 1) {
    auto [first, last] = ranges[0];
    has = (first < 0) != (last < 0) ? first < from.file_bytes && last <= from.file_bytes
                                    : first >= 0 && first <= last && last < from.file_bytes;
  }
  if (!has) ranges.clear();
  if (has) from.status = 206;
  Give(std::move(from), to);
}

Response TooLarge(int64_t most) {
  return ErrorResponse(413, "INVALID_PARAMETER_VALUE",
                       fmt::format("the body is larger than {} bytes", most));
}

/// Counts a body where it is received, whatever the headers say of its length, and after it was
/// unpacked.
class BodyGauge {
 public:
  BodyGauge(int64_t most, std::chrono::milliseconds wait, bool streamed)
      : most_(most), streamed_(streamed), until_(SystemClock().Now() + wait) {}
  /// False: it is too large or too slow.
  bool Count(size_t size) {
    size_ += static_cast<int64_t>(size);
    auto until = until_;
    if (streamed_) until += std::chrono::seconds(size_ / limits::kUploadBytesPerSecondMin);
    large_ = size_ > most_;
    slow_ = SystemClock().Now() > until;
    return !large_ && !slow_;
  }
  std::optional<Response> Refusal(bool whole) const {
    if (large_) return TooLarge(most_);
    if (slow_) return ErrorResponse(408, "DEADLINE_EXCEEDED", "the body took too long");
    if (!whole)
      return ErrorResponse(400, "INVALID_PARAMETER_VALUE", "the body did not arrive whole");
    return std::nullopt;
  }

 private:
  const int64_t most_;
  const bool streamed_;
  const MonotonicTime until_;
  int64_t size_ = 0;
  bool large_ = false, slow_ = false;
};

/// Read the parts of a form by their names.
bool ReadForm(const httplib::ContentReader& reader, Request* request, BodyGauge* gauge) {
  std::string name;
  return reader(
      [&](const httplib::MultipartFormData& part) {
        name = part.name;
        request->form[name].clear();
        return gauge->Count(name.size());
      },
      [&](const char* bytes, size_t size) {
        if (!gauge->Count(size)) return false;
        request->form[name].append(bytes, size);
        return true;
      });
}

/// Read the body into the request or the sink; or return why not.
std::optional<Response> ReadBody(const httplib::Request& from, const httplib::ContentReader& reader,
                                 std::chrono::milliseconds wait, Request* request,
                                 const BodySink& sink) {
  // Without either of them there is no body; the library would wait for the connection's end.
  if (!from.has_header("Content-Length") && !from.has_header("Transfer-Encoding"))
    return std::nullopt;
  auto most = sink ? limits::kUploadBytesMax : static_cast<int64_t>(limits::kRequestBytesMax);
  // The library would read all of it, however long that takes, to throw it away.
  if (from.get_header_value<uint64_t>("Content-Length") > static_cast<uint64_t>(most))
    return TooLarge(most);
  BodyGauge gauge(most, wait, static_cast<bool>(sink));
  if (from.is_multipart_form_data()) {
    // Without a receiver of the parts, the library would look for one that is not there.
    if (!request->takes_form)
      return ErrorResponse(415, "INVALID_PARAMETER_VALUE", "multipart bodies are not taken here");
    return gauge.Refusal(ReadForm(reader, request, &gauge));
  }
  bool whole = reader([&](const char* bytes, size_t size) {
    if (!gauge.Count(size)) return false;
    if (sink) return sink({bytes, size});
    request->body.append(bytes, size);
    return true;
  });
  return gauge.Refusal(whole);
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
    // The library has its ranges where it applies them.
    GiveRange(const_cast<httplib::Request&>(from), answer(Take(from), {}), &to);
  };
  auto with_body = [answer, body_wait](const httplib::Request& from, httplib::Response& to,
                                       const httplib::ContentReader& reader) {
    auto receive = [&](Request* request, const BodySink& sink) {
      return ReadBody(from, reader, body_wait, request, sink);
    };
    GiveRange(const_cast<httplib::Request&>(from), answer(Take(from), receive), &to);
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
  // What most may have is less, and counted where it is received.
  server.set_payload_max_length(static_cast<size_t>(limits::kUploadBytesMax));
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
