// SPDX-License-Identifier: Apache-2.0
#include "pipeline/worker_channel.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>

#include "pipeline/worker_process.h"

namespace freshet::pipeline {

using record::Event;

std::string ToLine(const WorkerStart& start) {
  return ToLine(Event{"start",
                      {{"destination", start.destination},
                       {"connector", start.source.connector},
                       {"parameters", ParametersToJson(start.source.parameters)},
                       {"password", start.source.password.Reveal()},
                       {"tls_key_password", start.source.tls_key_password.Reveal()},
                       {"slot", start.source.slot},
                       {"type_mapping", start.source.type_mapping},
                       {"publication", start.source.publication},
                       {"slot_given", start.source.slot_given},
                       {"publication_given", start.source.publication_given},
                       {"continuous", start.continuous},
                       {"spec", ToJson(start.spec)},
                       {"pipeline", start.pipeline},
                       {"apart", start.apart},
                       {"pipelines", fmt::format("{}", fmt::join(start.pipelines, " "))},
                       {"revision", start.revision}}});
}

Result<WorkerStart> WorkerStartFromLine(std::string_view line) {
  // Not the line itself into the error: it may hold a password.
  auto event = EventFromLine(line);
  if (!event.ok() || event->name != "start")
    return Error(ErrorClass::INVALID_ARGUMENT, "the first line is not a start");
  WorkerStart start;
  start.destination = TextOf(*event, "destination");
  start.source.connector = TextOf(*event, "connector");
  FRESHET_TRY(start.source.parameters, ParametersFromJson(TextOf(*event, "parameters")));
  start.source.password = Secret(TextOf(*event, "password"));
  start.source.tls_key_password = Secret(TextOf(*event, "tls_key_password"));
  start.source.slot = TextOf(*event, "slot");
  start.source.type_mapping = TextOf(*event, "type_mapping");
  start.source.publication = TextOf(*event, "publication");
  start.source.slot_given = NumberOf(*event, "slot_given") != 0;
  start.source.publication_given = NumberOf(*event, "publication_given") != 0;
  start.continuous = NumberOf(*event, "continuous") != 0;
  FRESHET_TRY(start.spec, SpecFromJson(TextOf(*event, "spec")));
  start.pipeline = TextOf(*event, "pipeline");
  start.apart = NumberOf(*event, "apart") != 0;
  std::istringstream pipelines(TextOf(*event, "pipelines"));
  for (std::string id; pipelines >> id;) start.pipelines.push_back(id);
  start.revision = NumberOf(*event, "revision");
  return start;
}

Result<std::unique_ptr<WorkerChannel>> WorkerChannel::Open() {
  auto parent = getppid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above: then nobody will ever send that signal.
  if (getppid() != parent || parent == 1) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, 0) > 0 && (input.revents & POLLHUP) != 0 && (input.revents & POLLIN) == 0) {
      return Error(ErrorClass::CANCELLED, "the command that started this worker is gone");
    }
  }
  fcntl(kLockDescriptor, F_SETFD, FD_CLOEXEC);
  signal(SIGINT, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  sigset_t taken;
  sigemptyset(&taken);
  sigaddset(&taken, SIGTERM);
  sigprocmask(SIG_BLOCK, &taken, nullptr);
  int signals = signalfd(-1, &taken, SFD_CLOEXEC);
  std::array<int, 2> wake{};
  if (signals < 0 || pipe2(wake.data(), O_CLOEXEC) != 0) {
    return Error(ErrorClass::INTERNAL, "cannot take signals: {}", std::strerror(errno));
  }
  return std::unique_ptr<WorkerChannel>(new WorkerChannel(signals, wake[0], wake[1]));
}

WorkerChannel::WorkerChannel(int signals, int wake_read, int wake_write)
    : signals_(signals), wake_read_(wake_read), wake_write_(wake_write) {}

WorkerChannel::~WorkerChannel() {
  if (listener_.joinable()) {
    listener_.request_stop();
    [[maybe_unused]] auto woken = write(wake_write_, "x", 1);
    listener_.join();
  }
  close(signals_);
  close(wake_read_);
  close(wake_write_);
}

Result<WorkerStart> WorkerChannel::ReadStart() {
  while (early_.empty()) {
    if (!ReadInput()) return Error(ErrorClass::CANCELLED, "the input ended before the start");
    early_ = lines_.Take();
  }
  auto line = std::move(early_.front());
  early_.erase(early_.begin());
  return WorkerStartFromLine(line);
}

void WorkerChannel::Start() {
  for (const auto& line : early_) TakeCommand(line);
  early_.clear();
  listener_ = std::jthread([this](const std::stop_token& ended) { Listen(ended); });
}

void WorkerChannel::OnEvent(const Event& event) {
  auto line = ToLine(event);
  std::lock_guard lock(output_mutex_);
  std::string_view rest = line;
  while (!rest.empty()) {
    auto count = write(STDOUT_FILENO, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      stop_.request_stop();
      return;
    }
    rest.remove_prefix(static_cast<size_t>(count));
  }
}

int WorkerChannel::End(const Status& status) {
  OnEvent(WithStatus({"ended", {}}, status));
  return status.ok() ? 0 : 1;
}

bool WorkerChannel::drain_requested() const {
  std::lock_guard lock(mutex_);
  return drain_;
}

std::optional<int64_t> WorkerChannel::drain_through() const {
  std::lock_guard lock(mutex_);
  return through_;
}

void WorkerChannel::WaitForCommand(Deadline deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, stop(), deadline, [this] { return command_came_; });
  command_came_ = false;
}

std::optional<Event> WorkerChannel::NextCommand() {
  std::lock_guard lock(mutex_);
  if (commands_.empty()) return std::nullopt;
  Event command = std::move(commands_.front());
  commands_.pop_front();
  return command;
}

bool WorkerChannel::ReadInput() {
  std::array<char, 4096> bytes;
  auto count = read(STDIN_FILENO, bytes.data(), bytes.size());
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  lines_.Add({bytes.data(), static_cast<size_t>(count)});
  return true;
}

void WorkerChannel::Listen(const std::stop_token& ended) {
  std::array<pollfd, 3> watched{
      {{STDIN_FILENO, POLLIN, 0}, {signals_, POLLIN, 0}, {wake_read_, POLLIN, 0}}};
  while (!ended.stop_requested()) {
    if (poll(watched.data(), watched.size(), -1) < 0) continue;
    if (watched[2].revents != 0) return;
    bool open = watched[1].revents == 0;
    if (open && watched[0].revents != 0) {
      open = ReadInput();
      for (const auto& line : lines_.Take()) TakeCommand(line);
    }
    if (open) continue;
    stop_.request_stop();
    return;
  }
}

void WorkerChannel::TakeCommand(const std::string& line) {
  auto command = EventFromLine(line);
  if (!command.ok()) return;
  std::lock_guard lock(mutex_);
  command_came_ = true;
  if (command->name == "drain") {
    drain_ = true;
    if (Has(*command, "through")) through_ = NumberOf(*command, "through");
  } else if (command->name != "hint") {
    commands_.push_back(std::move(*command));
  }
  changed_.notify_all();
}

}  // namespace freshet::pipeline
