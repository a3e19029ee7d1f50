// SPDX-License-Identifier: Apache-2.0
// What stands between us and the server falls silent, the server gives up what it was asked, and a
// lock holds up what asks for it.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <thread>

#include "postgres_stream_fixture.h"

namespace freshet::sources::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Passes bytes between clients and a server on this host. From Swallow on it keeps the connections
/// there are and passes nothing on; those made later are passed as ever.
class Relay {
 public:
  explicit Relay(int server_port) : server_port_(server_port) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = Address(0);
    socklen_t length = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listener_, 16), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  }
  ~Relay() {
    thread_.request_stop();
    thread_.join();
    for (const auto& [from, to] : ends_) close(from);
    for (int end : swallowed_) close(end);
    close(listener_);
  }
  int port() const { return port_; }
  /// Returns once nothing that was sent before it is on its way.
  void Swallow() {
    swallow_ = true;
    while (swallow_) std::this_thread::yield();
  }

 private:
  static sockaddr_in Address(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    return address;
  }
  void Accept() {
    int client = accept(listener_, nullptr, nullptr);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = Address(server_port_);
    if (connect(server, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      close(client);
      close(server);
      return;
    }
    ends_[client] = server;
    ends_[server] = client;
  }
  /// Take what came from one end, or send on what the other has not taken yet. No end waits for
  /// another.
  void Pass(int from) {
    const int to = ends_[from];
    std::string& waiting = waiting_[to];
    ssize_t size = 1;
    if (waiting.empty()) {
      waiting.resize(65536);
      size = read(from, waiting.data(), waiting.size());
      waiting.resize(static_cast<size_t>(std::max<ssize_t>(size, 0)));
    }
    ssize_t sent = send(to, waiting.data(), waiting.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) waiting.erase(0, static_cast<size_t>(sent));
    if (size > 0 && (sent >= 0 || errno == EAGAIN)) return;
    for (int end : {from, to}) {
      close(end);
      ends_.erase(end);
      waiting_.erase(end);
    }
  }
  void Run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (swallow_) {
        for (const auto& [from, to] : ends_) swallowed_.push_back(from);
        ends_.clear();
        waiting_.clear();
        swallow_ = false;
      }
      std::vector<pollfd> descriptors = {{listener_, POLLIN, 0}};
      std::vector<int> froms = {-1};
      for (const auto& [from, to] : ends_) {
        const bool waits = !waiting_[to].empty();
        descriptors.push_back({waits ? to : from, static_cast<short>(waits ? POLLOUT : POLLIN), 0});
        froms.push_back(from);
      }
      if (poll(descriptors.data(), descriptors.size(), 10) <= 0) continue;
      if (descriptors[0].revents != 0) Accept();
      for (size_t i = 1; i < descriptors.size(); ++i) {
        if (descriptors[i].revents != 0 && ends_.contains(froms[i])) Pass(froms[i]);
      }
    }
  }

  const int server_port_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> swallow_ = false;
  // The thread's own, until it ended.
  std::map<int, int> ends_;
  std::map<int, std::string> waiting_;  // for the end to take it
  std::vector<int> swallowed_;
  std::jthread thread_;
};

class SilenceTest : public StreamTest {
 protected:
  /// Reach the server through the relay from here on.
  void UseRelay() {
    relay_ = std::make_unique<Relay>(std::stoi(Ask("SHOW port")));
    for (const char* name : {"host", "port"}) {
      std::erase_if(config_.parameters, [&](const auto& each) { return each.first == name; });
    }
    config_.parameters.emplace_back("host", "127.0.0.1");
    config_.parameters.emplace_back("port", std::to_string(relay_->port()));
    config_.silence_max = std::chrono::milliseconds(200);
  }
  void TearDown() override {
    StreamTest::TearDown();
    relay_.reset();
  }
  std::unique_ptr<Relay> relay_;
};

TEST_F(SilenceTest, AStreamWhoseServerFellSilentEnds) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  UseRelay();
  Open({"t"});
  Run("INSERT INTO t VALUES (1)");
  EXPECT_THAT(Drain(), ElementsAre("+ 1"));
  relay_->Swallow();
  // Whichever of its sessions notices first.
  Status ended;
  for (auto end = In(kPatience); ended.ok() && std::chrono::steady_clock::now() < end;)
    ended = stream_->Next(end).status();
  EXPECT_TRUE(ended.Is(ErrorClass::SOURCE_UNREACHABLE)) << ended.ToString();
}

TEST_F(SilenceTest, AQuestionWhoseAnswerIsLostEnds) {
  UseRelay();
  auto session = NewSession();
  ASSERT_NE(session, nullptr);
  relay_->Swallow();
  Status lost = session->Execute("SELECT 1");
  EXPECT_TRUE(lost.Is(ErrorClass::SOURCE_UNREACHABLE)) << lost.ToString();
  EXPECT_THAT(std::string(lost.message()), HasSubstr("said nothing"));
}

TEST_F(SilenceTest, ACopyThatIsLostOnTheWayEnds) {
  Run("CREATE TABLE t AS SELECT i, repeat('x', 1000) AS v FROM generate_series(1, 50000) i; ALTER "
      "TABLE t REPLICA IDENTITY FULL");
  UseRelay();
  OpenSource();
  auto snapshot = source_->BeginSnapshot();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  auto shape = Shape("t");
  auto chunks = (*snapshot)->Plan(*shape);
  ASSERT_TRUE(chunks.ok());
  auto reader = (*snapshot)->Open(shape, chunks->front());
  ASSERT_TRUE(reader.ok()) << reader.status().ToString();
  relay_->Swallow();
  Status lost;
  while (lost.ok()) {
    auto batch = (*reader)->Next();
    lost = batch.status();
    ASSERT_FALSE(batch.ok() && *batch == nullptr) << "it ended as if it were whole";
  }
  EXPECT_TRUE(lost.Is(ErrorClass::SOURCE_UNREACHABLE)) << lost.ToString();
}

TEST_F(SilenceTest, AStatementMayTakeLongerThanTheSilence) {
  UseRelay();
  auto session = NewSession();
  ASSERT_NE(session, nullptr);
  auto rows = session->Query("SELECT 7 FROM pg_sleep(1)");
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_EQ(rows->text(0, 0), "7");
}

TEST_F(SilenceTest, AQuietStreamGoesOn) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  UseRelay();
  Open({"t"});
  EXPECT_THAT(Drain(), ElementsAre());
  auto end = In(std::chrono::seconds(1));
  while (std::chrono::steady_clock::now() < end) {
    auto event = stream_->Next(end);
    ASSERT_TRUE(event.ok()) << event.status().ToString();
  }
  Run("INSERT INTO t VALUES (1)");
  EXPECT_THAT(Drain(), ElementsAre("+ 1"));
}

/// While it lives, what slots that fail over send waits for a standby that is away.
class AwayStandby {
 public:
  explicit AwayStandby(Connection* session) : session_(session) {
    Run("SELECT pg_create_physical_replication_slot('away')");
    Run("ALTER SYSTEM SET synchronized_standby_slots = 'away'");
    Reload("away");
  }
  ~AwayStandby() {
    Run("ALTER SYSTEM RESET synchronized_standby_slots");
    Reload("");
    Run("SELECT pg_drop_replication_slot('away')");
  }

 private:
  void Run(const std::string& sql) {
    Status status = session_->Execute(sql);
    EXPECT_TRUE(status.ok()) << sql << ": " << status.ToString();
  }
  /// Whom the server tells of a setting it has told itself before.
  void Reload(std::string_view value) {
    Run("SELECT pg_reload_conf()");
    for (auto end = In(kPatience); std::chrono::steady_clock::now() < end;) {
      auto shown = session_->Query("SHOW synchronized_standby_slots");
      if (!shown.ok() || shown->text(0, 0) == value) return;
    }
    ADD_FAILURE() << "it never came: " << value;
  }
  Connection* const session_;
};

TEST_F(SilenceTest, ChangesThatWaitForAStandbyThatIsAwayAreSaidTo) {
  if (session_->server_version() < 170000) GTEST_SKIP() << "slots fail over from 17 on";
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  config_.silence_max = std::chrono::milliseconds(200);
  {
    AwayStandby away(admin_.get());
    Open({"t"});
    Run("INSERT INTO t VALUES (1)");
    EXPECT_THAT(Drain(), ElementsAre("error SOURCE_BLOCKED"));
    stream_.reset();
  }
  AwaitFreeSlot();
  Status opened = OpenStream({"t"}, cursor_);
  ASSERT_TRUE(opened.ok()) << opened.ToString();
  EXPECT_THAT(Drain(), ElementsAre("+ 1"));
}

TEST_F(SilenceTest, ALockedPartitionHoldsNothingUp) {
  Run("CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 (LIKE "
      "p "
      "INCLUDING ALL); ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10); CREATE TABLE "
      "p2 PARTITION OF p FOR VALUES FROM (10) TO (20)");
  OpenSource();
  ASSERT_TRUE(OpenStream({"p"}).ok());
  EXPECT_THAT(Drain(), ElementsAre("parts public.p1 public.p2"));
  cursor_ = stream_->Start();
  stream_.reset();
  auto owner = NewSession();
  ASSERT_TRUE(owner->Execute("BEGIN; LOCK TABLE p1 IN ACCESS EXCLUSIVE MODE").ok());
  Status opened = OpenStream({"p"}, cursor_);
  ASSERT_TRUE(opened.ok()) << opened.ToString();
  Run("INSERT INTO p2 VALUES (11, 'a')");
  EXPECT_THAT(Drain(), ElementsAre("parts public.p1* public.p2", "+ 11,a"));
}

TEST_F(SilenceTest, ATableThatIsRenamedAsItIsPublishedComesWithTheNextLook) {
  Run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)");
  OpenSource();
  ASSERT_TRUE(OpenStream({"other"}).ok());
  const auto shapes = {Shape("t"), Shape("other")};
  auto owner = NewSession();
  ASSERT_TRUE(owner->Execute("BEGIN; ALTER TABLE t RENAME TO u").ok());
  std::jthread renames([&] {
    Await("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = " +
          (*shapes.begin())->id.value() + ")");
    EXPECT_TRUE(owner->Execute("COMMIT").ok());
  });
  auto waiting = stream_->Watch(shapes);
  renames.join();
  ASSERT_TRUE(waiting.ok()) << waiting.status().ToString();
  EXPECT_THAT(*waiting, ElementsAre((*shapes.begin())->id));
  waiting = stream_->Watch(shapes);
  ASSERT_TRUE(waiting.ok()) << waiting.status().ToString();
  EXPECT_THAT(*waiting, ElementsAre());
  Run("INSERT INTO u VALUES (1)");
  EXPECT_THAT(Drain(), ElementsAre("+ 1"));
}

TEST_F(SilenceTest, WhatTheServerGaveUpIsTriedAgain) {
  for (const char* state : {"40001", "40P01", "57014"}) {
    Status given_up = session_->Execute(fmt::format(
        "DO $$ BEGIN RAISE EXCEPTION 'for some reason' USING ERRCODE = '{}'; END $$", state));
    EXPECT_TRUE(given_up.Is(ErrorClass::SOURCE_INTERRUPTED)) << given_up.ToString();
  }
  Status changed = session_->Execute(
      "DO $$ BEGIN RAISE EXCEPTION 'cache lookup failed for relation 1' USING ERRCODE = 'XX000'; "
      "END $$");
  EXPECT_TRUE(changed.Is(ErrorClass::SOURCE_INTERRUPTED)) << changed.ToString();
  Status wrong = session_->Execute("SELECT 1 / 0");
  EXPECT_TRUE(wrong.Is(ErrorClass::SOURCE_QUERY)) << wrong.ToString();
}

TEST_F(SilenceTest, NoTimeoutOfTheServersEndsASession) {
  if (session_->server_version() < 170000) GTEST_SKIP() << "transaction_timeout is 17's";
  Run("ALTER DATABASE " + database_ + " SET transaction_timeout = '1h'");
  auto session = NewSession();
  ASSERT_NE(session, nullptr);
  auto rows = session->Query("SHOW transaction_timeout");
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->text(0, 0), "0");
  // One that the server ends is gone, and not a statement that failed.
  ASSERT_TRUE(session->Execute("SET transaction_timeout = '1ms'").ok());
  Status ended = session->Execute("SELECT pg_sleep(1000)");
  EXPECT_TRUE(ended.Is(ErrorClass::SOURCE_UNREACHABLE)) << ended.ToString();
}

}  // namespace
}  // namespace freshet::sources::postgres
