// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
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

Result<IngestOptions> ReadOptions() {
  LineBuffer lines;
  while (ReadMore(&lines)) {
    auto complete = lines.Take();
    if (!complete.empty()) return OptionsFromLine(complete[0]);
  }
  return Error(ErrorClass::CANCELLED, "the input ended before the run's line");
}

/// The input's end asks the run to end, as a signal would; the run takes signals in its loop.
void StopAtEndOfInput() {
  LineBuffer nothing;
  while (ReadMore(&nothing)) nothing.Take();
  kill(getpid(), SIGTERM);
}

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
  auto options = ReadOptions();
  if (!options.ok()) {
    spdlog::error("{}", options.status().ToString());
    return static_cast<int>(ExitCodeOf(options.status()));
  }
  options->open_source = open_source;
  options->worker_program = {"/proc/self/exe", "worker"};
  SystemClock clock;
  auto display = MakeDisplay(DisplayKind::kJson, &clock, stdout, stderr);
  std::thread input(StopAtEndOfInput);
  auto code = Ingest(*options, &clock, display.get());
  std::fflush(stdout);
  // The thread waits for an input that ends after this process: it is not joined.
  _exit(static_cast<int>(code));
}

}  // namespace freshet::pipeline
