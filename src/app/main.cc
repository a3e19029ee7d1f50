// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <string_view>

#include "app/command_line.h"
#include "app/memory.h"
#include "pipeline/exit_code.h"

namespace {

void EndInterrupted(int) { _exit(static_cast<int>(freshet::pipeline::ExitCode::kInterrupted)); }

/// Until a command takes signals itself it has nothing to finish: it ends at once, as at a crash,
/// but with the exit code that is promised. A worker's end is its supervisor's to judge.
void EndOnInterrupt() {
  struct sigaction action {};
  action.sa_handler = EndInterrupted;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

/// A descriptor that is opened takes the lowest number that is free: with a standard stream closed
/// it would be a file or a connection of ours that progress is written to.
void OpenStandardStreams() {
  for (int opened = 0; opened >= 0 && opened <= STDERR_FILENO;) {
    opened = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (opened > STDERR_FILENO) close(opened);
  }
}

}  // namespace

int main(int count, char** arguments) {
  freshet::app::SetUpMemory();
  OpenStandardStreams();
  if (count < 2 || std::string_view(arguments[1]) != "worker") EndOnInterrupt();
  return freshet::app::Main(count, arguments);
}
