// SPDX-License-Identifier: Apache-2.0
#include "pipeline/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

extern char** environ;

namespace freshet::pipeline {
namespace {

/// How long a worker may take to read what it is told.
constexpr int kSendWaitMs = 30'000;

struct Pipe {
  int read = -1, write = -1;
  ~Pipe() {
    if (read >= 0) close(read);
    if (write >= 0) close(write);
  }
  Status Open() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
      return Error(ErrorClass::INTERNAL, "cannot make a pipe: {}", std::strerror(errno));
    read = ends[0];
    write = ends[1];
    return Status::Ok();
  }
};

struct Actions {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  Actions() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~Actions() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  /// The supervisor blocks signals to take them in its loop; a worker starts with none blocked.
  void UnblockSignals() {
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  }
};

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::Run(const Start& start) {
  // A worker that dies while it is written to must not take the command with it.
  signal(SIGPIPE, SIG_IGN);
  Pipe input, output;
  FRESHET_CHECK_OK(input.Open());
  FRESHET_CHECK_OK(output.Open());
  Actions actions;
  actions.UnblockSignals();
  posix_spawn_file_actions_adddup2(&actions.files, input.read, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions.files, output.write, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions.files, STDERR_FILENO, start.log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0666);
  if (start.lock >= 0)
    posix_spawn_file_actions_adddup2(&actions.files, start.lock, kLockDescriptor);
  // A worker of the server would hold open what clients have let go of.
  posix_spawn_file_actions_addclosefrom_np(&actions.files,
                                           start.lock >= 0 ? kLockDescriptor + 1 : kLockDescriptor);
  std::vector<char*> arguments;
  for (const auto& argument : start.arguments)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t id = 0;
  int failed = posix_spawn(&id, arguments[0], &actions.files, &actions.attributes, arguments.data(),
                           environ);
  if (failed != 0) {
    return Error(ErrorClass::INTERNAL, "cannot start a worker: {}", std::strerror(failed))
        .With("log", start.log);
  }
  fcntl(output.read, F_SETFL, O_NONBLOCK);
  fcntl(input.write, F_SETFL, O_NONBLOCK);
  return std::unique_ptr<WorkerProcess>(
      new WorkerProcess(id, std::exchange(input.write, -1), std::exchange(output.read, -1)));
}

WorkerProcess::~WorkerProcess() {
  if (!ended_) {
    Kill();
    Wait();
  }
  CloseInput();
  close(output_);
}

bool WorkerProcess::Read(std::vector<std::string>* lines) {
  std::array<char, 16384> bytes;
  bool open = true;
  while (true) {
    auto count = read(output_, bytes.data(), bytes.size());
    if (count > 0) {
      lines_.Add({bytes.data(), static_cast<size_t>(count)});
      if (static_cast<size_t>(count) == bytes.size()) continue;
      break;
    }
    if (count < 0 && errno == EINTR) continue;
    open = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    break;
  }
  for (auto& line : lines_.Take()) lines->push_back(std::move(line));
  return open;
}

void WorkerProcess::Send(std::string_view line) {
  while (!line.empty() && input_ >= 0) {
    auto count = write(input_, line.data(), line.size());
    if (count >= 0) {
      line.remove_prefix(static_cast<size_t>(count));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return;
    // A worker that does not read its input for so long would wait for the rest of the line for
    // ever.
    pollfd room{input_, POLLOUT, 0};
    if (poll(&room, 1, kSendWaitMs) == 0) return Kill();
  }
}

void WorkerProcess::CloseInput() {
  if (input_ >= 0) close(input_);
  input_ = -1;
}

void WorkerProcess::Kill() {
  if (!ended_) kill(id_, SIGKILL);
}

ProcessEnd WorkerProcess::Wait() {
  int status = 0;
  while (waitpid(id_, &status, 0) < 0 && errno == EINTR) {
  }
  ended_ = true;
  if (WIFSIGNALED(status)) return {.exit_code = 0, .signal = WTERMSIG(status)};
  return {.exit_code = WEXITSTATUS(status), .signal = 0};
}

}  // namespace freshet::pipeline
