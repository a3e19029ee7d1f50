// SPDX-License-Identifier: Apache-2.0
#include "pipeline/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace freshet::pipeline {
namespace {

using record::Event;
using testing::ElementsAre;
using testing::HasSubstr;

class Recorder : public Supervisor::Listener {
 public:
  std::vector<std::string> Greeting(const std::string& role) override {
    return {"hello " + role + "\n"};
  }
  bool OnEvent(const std::string&, const Event& event) override {
    events.push_back(event.name + TextOf(event, "text"));
    if (on_event) on_event(event);
    return event.name == "progress";
  }
  void OnRestart(const std::string& role, const Status& why, std::chrono::milliseconds) override {
    restarts.push_back(role + " " + why.ToString());
  }
  void OnTick() override { ++ticks; }

  std::vector<std::string> events, restarts;
  std::function<void(const Event&)> on_event;
  int ticks = 0;
};

/// Workers are shell scripts: real processes, real pipes.
class SupervisorTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = std::filesystem::temp_directory_path() / "freshet-XXXXXX";
    folder_ = mkdtemp(form.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Status Run(const std::string& script,
             std::chrono::milliseconds retry_for = std::chrono::seconds(30), int signals = -1) {
    auto path = folder_ + "/worker.sh";
    std::ofstream(path) << script;
    Supervisor supervisor(&clock_, &recorder_,
                          {.program = {"/bin/sh", path},
                           .log_folder = folder_,
                           .log_prefix = "run",
                           .signals = signals,
                           .retry_for = retry_for,
                           .stop_within = std::chrono::milliseconds(500)});
    return supervisor.Run({"gateway"});
  }
  std::string Log() const {
    std::ifstream file(folder_ + "/run-gateway.log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string folder_;
  SystemClock clock_;
  Recorder recorder_;
};

TEST_F(SupervisorTest, AWorkerGetsItsGreetingAndIsHeard) {
  auto status = Run(
      R"(read line; echo "{\"event\":\"said\",\"text\":\"$line\"}"; echo noise >&2; echo '{"event":"ended"}')");
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_THAT(recorder_.events, ElementsAre("saidhello gateway"));
  EXPECT_EQ(Log(), "noise\n");
}

TEST_F(SupervisorTest, AWorkerIsWokenOnceByWhatAnotherSays) {
  std::ofstream(folder_ + "/worker.sh") << R"(
role=$1
if [ $role = gateway ]; then asks='{"event":"ask"}\n{"event":"ask"}\n'; fi
# In one write, or the one that is woken may end between the two.
printf "$asks{\"event\":\"said\",\"text\":\"$role\"}\n"; echo '{"event":"ended"}')";
  Supervisor supervisor(&clock_, &recorder_,
                        {.program = {"/bin/sh", folder_ + "/worker.sh"},
                         .log_folder = folder_,
                         .log_prefix = "run",
                         .signals = -1});
  recorder_.on_event = [&](const Event& event) {
    if (event.name == "ask") supervisor.Wake("holder");
  };
  EXPECT_TRUE(supervisor.Run({"gateway"}).ok());
  EXPECT_THAT(recorder_.events, ElementsAre("ask", "ask", "saidgateway", "saidholder"));
}

TEST_F(SupervisorTest, AKilledWorkerStartsAgain) {
  auto status =
      Run("if [ -e $0.second ]; then echo '{\"event\":\"ended\"}'; else touch $0.second; kill -9 "
          "$$; fi");
  EXPECT_TRUE(status.ok()) << status.ToString();
  ASSERT_EQ(recorder_.restarts.size(), 1u);
  EXPECT_THAT(recorder_.restarts[0], HasSubstr("signal 9"));
}

TEST_F(SupervisorTest, AWorkerIsStartedAnewOnRequestAndThatIsNoFailure) {
  for (const auto* ends : {"read end", "trap '' TERM; while :; do sleep 0.05; done"}) {
    recorder_ = Recorder();
    std::filesystem::remove(folder_ + "/worker.sh.second");
    std::ofstream(folder_ + "/worker.sh") << R"(
if [ -e $0.second ]; then echo '{"event":"second"}'; echo '{"event":"ended"}'; exit; fi
touch $0.second; read hello; echo '{"event":"first"}'
)" << ends << "\necho '{\"event\":\"ended\",\"class\":\"CANCELLED\",\"reason\":\"x\"}'; exit 1";
    Supervisor supervisor(&clock_, &recorder_,
                          {.program = {"/bin/sh", folder_ + "/worker.sh"},
                           .log_folder = folder_,
                           .log_prefix = "run",
                           .signals = -1,
                           .stop_within = std::chrono::milliseconds(500)});
    recorder_.on_event = [&](const Event& event) {
      if (event.name == "first") supervisor.Restart("gateway");
    };
    auto status = supervisor.Run({"gateway"});
    EXPECT_TRUE(status.ok()) << status.ToString();
    EXPECT_THAT(recorder_.events, ElementsAre("first", "second"));
    EXPECT_TRUE(recorder_.restarts.empty());
  }
}

TEST_F(SupervisorTest, AFatalWordEndsTheRun) {
  auto status = Run(
      "echo '{\"event\":\"ended\",\"class\":\"SLOT_LOST\",\"reason\":\"gone\",\"remedy\":\"r\"}'; "
      "exit 1");
  EXPECT_TRUE(status.Is(ErrorClass::SLOT_LOST)) << status.ToString();
  EXPECT_EQ(status.remedy(), "r");
  EXPECT_TRUE(recorder_.restarts.empty());
}

TEST_F(SupervisorTest, ARetryableWordIsTriedForTheTimeGiven) {
  auto script =
      "echo '{\"event\":\"ended\",\"class\":\"SOURCE_UNREACHABLE\",\"reason\":\"down\"}'; exit 1";
  auto status = Run(script, std::chrono::milliseconds(300));
  EXPECT_TRUE(status.Is(ErrorClass::SOURCE_UNREACHABLE)) << status.ToString();
  EXPECT_EQ(recorder_.restarts.size(), 1u);
}

TEST_F(SupervisorTest, AnEndWithoutAWordIsInternal) {
  auto status = Run("exit 7");
  EXPECT_TRUE(status.Is(ErrorClass::INTERNAL));
  EXPECT_THAT(status.ToString(), HasSubstr("exit code 7"));
}

TEST_F(SupervisorTest, ASignalEndsInputsAndWaits) {
  // A pipe stands in for the signalfd.
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  bool told = false;
  recorder_.on_event = [&](const Event&) {
    char info[128] = {};
    if (!std::exchange(told, true)) {
      ASSERT_EQ(write(ends[1], info, sizeof info), 128);
    }
  };
  auto status = Run("echo '{\"event\":\"up\"}'; read a; read b; echo '{\"event\":\"down\"}'",
                    std::chrono::seconds(1), ends[0]);
  EXPECT_TRUE(status.Is(ErrorClass::CANCELLED));
  EXPECT_EQ(recorder_.events.front(), "up");
  close(ends[0]);
  close(ends[1]);
}

TEST_F(SupervisorTest, AWorkerThatDoesNotStopIsKilled) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  bool told = false;
  recorder_.on_event = [&](const Event&) {
    char info[128] = {};
    if (!std::exchange(told, true)) {
      ASSERT_EQ(write(ends[1], info, sizeof info), 128);
    }
  };
  auto status = Run("trap '' TERM INT; echo '{\"event\":\"up\"}'; while :; do sleep 0.05; done",
                    std::chrono::seconds(1), ends[0]);
  EXPECT_TRUE(status.Is(ErrorClass::CANCELLED));
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace freshet::pipeline
