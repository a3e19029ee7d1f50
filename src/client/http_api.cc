// SPDX-License-Identifier: Apache-2.0
#include "client/http_api.h"

// The library's version 0.11 as Debian builds it; of this module only this file knows it.
#include <httplib.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "client/server_error.h"

namespace freshet::client {
namespace {

constexpr std::chrono::seconds kConnectWait{10};
/// The server waits for a source itself before it answers a test of a connection.
constexpr std::chrono::seconds kAnswerWait{120};
/// Source: the published clients' time for all tries of a request.
constexpr std::chrono::seconds kAgainMax{300};
/// A page of a list is far below it.
constexpr size_t kAnswerBytesMax = size_t{64} * 1024 * 1024;
constexpr int kTooMany = 429, kUnauthenticated = 401;

/// A server that hangs up while it is written to is an error, not this process's end.
class QuietPipe {
 public:
  QuietPipe() { former_ = signal(SIGPIPE, SIG_IGN); }
  ~QuietPipe() { signal(SIGPIPE, former_); }
  QuietPipe(const QuietPipe&) = delete;
  QuietPipe& operator=(const QuietPipe&) = delete;

 private:
  void (*former_)(int) = nullptr;
};

/// Where systems keep the authorities that they trust: Debian and its like, Red Hat and its like,
/// others.
constexpr std::array<const char*, 3> kAuthorities{
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

/// Left to itself, the library has OpenSSL look them up as URIs of its store, which crashes in a
/// process that has a second OpenSSL within Arrow's libraries: a file is always named.
std::string AuthoritiesOf(const Server& server) {
  if (!server.ca_file.empty()) return server.ca_file;
  const auto* found =
      std::ranges::find_if(kAuthorities, [](const char* path) { return access(path, R_OK) == 0; });
  // One that is not there is told as what is not trusted.
  return found == kAuthorities.end() ? kAuthorities.front() : *found;
}

struct Reply {
  int status = 0;
  std::string text{};
  std::chrono::seconds again{0};  // 0: not told
};

/// Who is named before an '@' may be named with a password.
Status NoHost(std::string_view host, std::string_view why) {
  host = host.substr(host.rfind('@') + 1);
  return Error(ErrorClass::INVALID_ARGUMENT, "the host {}: '{}'", why, host)
      .WithRemedy("Give it as http://HOST:PORT or https://HOST:PORT.");
}

bool IsPort(std::string_view text) {
  int port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0 && port < 65536;
}

/// What went wrong below HTTP.
Status BelowHttp(httplib::Error error, const Call& call, const Server& server) {
  using E = httplib::Error;
  if (error == E::SSLServerVerification || error == E::SSLLoadingCerts) {
    return Unreachable("the certificate of {} is not trusted", server.host)
        .WithRemedy("Name who signs it with --ca-file FILE, or as ca_file of the profile.");
  }
  if (error == E::SSLConnection) {
    return Unreachable("{} does not speak TLS as it should", server.host)
        .WithRemedy("A server that was started without --tls-cert is reached by http://.");
  }
  if (error == E::Connection || error == E::ConnectionTimeout)
    return Unreachable("there is no server at {}", server.host);
  auto status = Unreachable("{} did not answer: {}", server.host, httplib::to_string(error));
  if (call.method == "GET") {
    return std::move(status).WithRemedy(
        "Try again; a server that was started with --tls-cert is reached by https://.");
  }
  return std::move(status)
      .WithRemedy("It may have done what was asked: look before you send it again.")
      .OutcomeUnknown();
}

class HttpApi final : public Api {
 public:
  HttpApi(Server server, Clock* clock) : server_(std::move(server)), clock_(clock) {}

  Result<Json> Send(const Call& call) override {
    const auto until = clock_->Now() + kAgainMax;
    while (true) {
      FRESHET_TRY(auto reply, Try(call));
      const auto next = clock_->Now() + reply.again;
      if (reply.status != kTooMany || reply.again.count() == 0 || next > until) {
        auto answer = ReadAnswer(reply.status, reply.text, server_.host);
        if (reply.status != kUnauthenticated) return answer;
        return answer.status().With("token", server_.token_from);
      }
      clock_->WaitUntil(next, {});
    }
  }

 private:
  Result<Reply> Try(const Call& call) {
    try {
      return Exchange(call);
    } catch (const std::exception& error) {
      return Unreachable("{} cannot be asked: {}", server_.host, error.what());
    }
  }

  Result<Reply> Exchange(const Call& call) {
    httplib::Client client(server_.host);
    client.set_url_encode(false);
    client.set_connection_timeout(kConnectWait);
    client.set_read_timeout(kAnswerWait);
    client.set_write_timeout(kAnswerWait);
    client.set_ca_cert_path(AuthoritiesOf(server_));
    httplib::Request request;
    request.method = call.method;
    request.path = call.target;
    request.set_header("Authorization", "Bearer " + server_.token.Reveal());
    request.set_header("User-Agent", "freshet/" FRESHET_VERSION);
    if (call.body) {
      request.body = JsonText(*call.body);
      request.set_header("Content-Type", "application/json");
    }
    Reply reply;
    bool large = false;
    request.content_receiver = [&](const char* bytes, size_t size, uint64_t, uint64_t) {
      large = reply.text.size() + size > kAnswerBytesMax;
      if (!large) reply.text.append(bytes, size);
      return !large;
    };
    QuietPipe quiet;
    auto result = client.send(request);
    if (large) {
      return Refused("the answer is larger than {} bytes", kAnswerBytesMax);
    }
    if (!result) return BelowHttp(result.error(), call, server_);
    reply.status = result->status;
    auto again = result->get_header_value("Retry-After");
    int seconds = 0;
    std::from_chars(again.data(), again.data() + again.size(), seconds);
    reply.again = std::chrono::seconds(std::max(0, seconds));
    return reply;
  }

  const Server server_;
  Clock* const clock_;
};

}  // namespace

Result<std::string> OriginOf(std::string_view host) {
  auto scheme_end = host.find("://");
  if (scheme_end == std::string_view::npos) return NoHost(host, "is no URL");
  auto scheme = host.substr(0, scheme_end);
  if (scheme != "http" && scheme != "https") return NoHost(host, "is neither http:// nor https://");
  auto rest = host.substr(scheme_end + 3);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  // Source: RFC 3986, 3.2.2: an address that holds colons stands in brackets.
  const bool bracketed = rest.starts_with('[') && rest.find(']') != std::string_view::npos;
  const auto name_end = bracketed ? rest.find(']') + 1 : rest.find(':');
  auto name = rest.substr(0, name_end);
  auto inside = bracketed ? name.substr(1, name.size() - 2) : name;
  auto port = name_end >= rest.size() ? std::string_view() : rest.substr(name_end);
  auto good = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || (bracketed && c == ':');
  };
  if (inside.empty() || !std::ranges::all_of(inside, good))
    return NoHost(host, "names no machine, or more than one");
  if (port.empty()) port = scheme == "http" ? ":80" : ":443";
  if (!port.starts_with(':') || !IsPort(port.substr(1))) return NoHost(host, "has no such port");
  auto origin = fmt::format("{}://{}{}", scheme, name, port);
  std::ranges::transform(origin, origin.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return origin;
}

std::unique_ptr<Api> OpenHttp(Server server, Clock* clock) {
  return std::make_unique<HttpApi>(std::move(server), clock);
}

}  // namespace freshet::client
