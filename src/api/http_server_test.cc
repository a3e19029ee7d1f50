// SPDX-License-Identifier: Apache-2.0
#include "api/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace freshet::api {
namespace {

/// A client that says what it is told to, byte by byte.
class Client {
 public:
  explicit Client(int port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    connected_ = connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  bool Send(std::string_view text) {
    return send(socket_, text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  /// Whether something came, or the connection ended, within the time.
  bool Answered(int milliseconds) {
    pollfd descriptor{socket_, POLLIN, 0};
    return poll(&descriptor, 1, milliseconds) > 0;
  }
  std::string Read() {
    char bytes[4096];
    auto count = recv(socket_, bytes, sizeof bytes, 0);
    return count <= 0 ? "" : std::string(bytes, static_cast<size_t>(count));
  }

 private:
  const int socket_;
  bool connected_ = false;
};

TEST(HttpServer, ABodyThatNeverStopsArrivingIsRefused) {
  auto answer = [](Request&& request, const ReceiveBody& receive) -> Response {
    if (receive) {
      if (auto refusal = receive(&request, {})) return std::move(*refusal);
    }
    return {.status = 200, .body = "{}"};
  };
  auto server = HttpServer::Open({.host = "127.0.0.1",
                                  .port = 0,
                                  .tls_certificate = {},
                                  .tls_key = {},
                                  .body_wait = std::chrono::milliseconds(300)},
                                 answer);
  ASSERT_TRUE(server.ok()) << server.status().ToString();
  (*server)->Start();
  Client client((*server)->port());
  ASSERT_TRUE(client.connected());
  ASSERT_TRUE(client.Send("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"));
  // It never pauses for as long as the server would wait for a byte; still it is let go.
  while (!client.Answered(20) && client.Send(" ")) {
  }
  EXPECT_TRUE(client.Read().starts_with("HTTP/1.1 408"));
}

}  // namespace
}  // namespace freshet::api
