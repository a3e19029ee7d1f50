// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "pipeline/event_line.h"
#include "pipeline/run_options.h"
#include "pipeline/workers.h"

namespace freshet::pipeline {
namespace {

/// Read on from standard input; false at its end.
bool ReadMore(LineBuffer* lines) {
  std::array<char, 4096> bytes;
  ssize_t count = 0;
  do {
    count = read(STDIN_FILENO, bytes.data(), bytes.size());
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return false;
  lines->Add({bytes.data(), static_cast<size_t>(count)});
  return true;
}

/// The run's lines: the first is what it begins with, later ones what it goes on with. Thread-safe.
class Orders {
 public:
  /// Wait for the first.
  Result<IngestOptions> First() {
    std::vector<std::string> complete;
    while (complete.empty()) {
      if (!ReadMore(&lines_))
        return Error(ErrorClass::CANCELLED, "the input ended before the run's line");
      complete = lines_.Take();
    }
    auto first = OptionsFromLine(complete[0]);
    complete.erase(complete.begin());
    Keep(complete);
    return first;
  }
  /// Read on until the input ends, which asks the run to end, as a signal would; the run takes
  /// signals in its loop.
  void ReadOn() {
    while (ReadMore(&lines_)) Keep(lines_.Take());
    kill(getpid(), SIGTERM);
  }
  /// Return the newest that came since the last call.
  std::optional<IngestOptions> Newest() {
    std::lock_guard lock(mutex_);
    return std::exchange(newest_, std::nullopt);
  }

 private:
  void Keep(const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    auto options = OptionsFromLine(lines.back());
    if (!options.ok()) {
      spdlog::error("{}", options.status().ToString());
      return;
    }
    std::lock_guard lock(mutex_);
    newest_ = *std::move(options);
  }

  LineBuffer lines_;  // of the one thread that reads
  std::mutex mutex_;
  std::optional<IngestOptions> newest_;  // protected by mutex_
};

}  // namespace

int RunRunWorker(const OpenSource& open_source) {
  SetUpLog("run", "info");
  // The server's end, however it comes, is this run's end too: the next one goes on from here.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It holds the source's password.
  prctl(PR_SET_DUMPABLE, 0);
  sigset_t taken;
  sigemptyset(&taken);
  sigaddset(&taken, SIGTERM);
  sigaddset(&taken, SIGINT);
  pthread_sigmask(SIG_BLOCK, &taken, nullptr);
  Orders orders;
  auto options = orders.First();
  if (!options.ok()) {
    spdlog::error("{}", options.status().ToString());
    return static_cast<int>(ExitCodeOf(options.status()));
  }
  options->open_source = open_source;
  options->worker_program = {"/proc/self/exe", "worker"};
  SystemClock clock;
  auto display = MakeDisplay(DisplayKind::kJson, &clock, stdout, stderr);
  if (options->halves == Halves::kCapture) options->news = [&] { return orders.Newest(); };
  std::thread input([&] { orders.ReadOn(); });
  auto code = Ingest(*options, &clock, display.get());
  std::fflush(stdout);
  // The thread waits for an input that ends after this process: it is not joined.
  _exit(static_cast<int>(code));
}

}  // namespace freshet::pipeline
