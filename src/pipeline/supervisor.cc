// SPDX-License-Identifier: Apache-2.0
#include "pipeline/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"

namespace freshet::pipeline {
namespace {

constexpr std::chrono::milliseconds kTick{200};
/// A worker that dies of its own fault this often without any progress will do so again.
constexpr int kCrashesMax = 5;

bool OwnFault(int signal) {
  return signal == SIGABRT || signal == SIGSEGV || signal == SIGBUS || signal == SIGILL ||
         signal == SIGFPE;
}

}  // namespace

Supervisor::Supervisor(Clock* clock, Listener* listener, Options options)
    : clock_(clock),
      listener_(listener),
      options_(std::move(options)),
      jitter_(static_cast<uint64_t>(getpid())) {}

Supervisor::~Supervisor() = default;

Status Supervisor::Run(const std::vector<std::string>& roles) {
  for (const auto& role : roles) Wake(role);
  auto running = [&] {
    return std::ranges::any_of(workers_, [](const Worker& worker) { return !worker.done; });
  };
  while (running()) {
    if (auto started = StartDue(); !started.ok()) return Stop(std::move(started));
    Poll();
    TakeSignal();
    if (signals_taken_ > 0) return Stop(Error(ErrorClass::CANCELLED, "stopped on request"));
    for (auto& worker : workers_) {
      if (worker.process == nullptr) continue;
      if (worker.renewed_by && clock_->Now() >= *worker.renewed_by) worker.process->Kill();
      if (auto ended = TakeEnd(worker); !ended.ok()) return Stop(std::move(ended));
    }
    listener_->OnTick();
  }
  return Status::Ok();
}

void Supervisor::Wake(const std::string& role) {
  auto known = std::ranges::find(workers_, role, &Worker::role);
  if (known == workers_.end()) {
    workers_.push_back({.role = role, .backoff = Backoff(options_.retry_for)});
    known = std::prev(workers_.end());
  } else if (!known->done) {
    return;
  }
  known->done = false;
  known->start_at = clock_->Now();
}

void Supervisor::Restart(const std::string& role) {
  auto known = std::ranges::find(workers_, role, &Worker::role);
  // One that waits for its start has the new greeting then.
  if (known == workers_.end() || known->process == nullptr) return;
  if (!known->renewed_by) known->renewed_by = clock_->Now() + options_.stop_within;
  known->process->CloseInput();
}

void Supervisor::Send(const std::string& role, std::string_view line) {
  for (auto& worker : workers_) {
    if (worker.role == role && worker.process != nullptr) worker.process->Send(line);
  }
}

Status Supervisor::StartDue() {
  for (auto& worker : workers_) {
    if (!worker.start_at || clock_->Now() < *worker.start_at) continue;
    worker.start_at.reset();
    worker.said = Status::Ok();
    worker.said_end = false;
    auto arguments = options_.program;
    arguments.push_back(worker.role);
    FRESHET_TRY(
        worker.process,
        WorkerProcess::Run({.arguments = arguments, .log = LogOf(worker), .lock = options_.lock}));
    for (const auto& line : listener_->Greeting(worker.role)) worker.process->Send(line);
  }
  return Status::Ok();
}

void Supervisor::Poll() {
  std::vector<pollfd> watched{{options_.signals, POLLIN, 0}};
  auto until = clock_->Now() + kTick;
  for (const auto& worker : workers_) {
    if (worker.process != nullptr) watched.push_back({worker.process->output(), POLLIN, 0});
    if (worker.start_at) until = std::min(until, *worker.start_at);
  }
  auto wait = std::chrono::ceil<std::chrono::milliseconds>(until - clock_->Now()).count();
  poll(watched.data(), watched.size(), static_cast<int>(std::max<int64_t>(0, wait)));
}

void Supervisor::TakeSignal() {
  pollfd waiting{options_.signals, POLLIN, 0};
  while (options_.signals >= 0 && poll(&waiting, 1, 0) > 0) {
    signalfd_siginfo info{};
    if (read(options_.signals, &info, sizeof info) != sizeof info) return;
    ++signals_taken_;
  }
}

void Supervisor::TakeLines(Worker& worker) {
  std::vector<std::string> lines;
  bool open = worker.process->Read(&lines);
  for (const auto& line : lines) {
    auto event = EventFromLine(line);
    if (!event.ok()) {
      spdlog::warn("{} worker: {}", worker.role, event.status().ToString());
      continue;
    }
    if (event->name == "ended") {
      worker.said_end = true;
      worker.said = StatusOf(*event);
      continue;
    }
    if (listener_->OnEvent(worker.role, *event)) {
      worker.backoff.OnProgress();
      worker.crashes = 0;
    }
  }
  worker.done = !open;
}

Status Supervisor::WhyEnded(Worker& worker, const ProcessEnd& end) const {
  if (end.signal != 0) {
    return Error(ErrorClass::INTERNAL, "the {} worker was ended by signal {} ({})", worker.role,
                 end.signal, strsignal(end.signal))
        .With("log", LogOf(worker));
  }
  if (worker.said_end) return worker.said;
  return Error(ErrorClass::INTERNAL, "the {} worker ended with exit code {} and no word",
               worker.role, end.exit_code)
      .With("log", LogOf(worker));
}

Status Supervisor::TakeEnd(Worker& worker) {
  TakeLines(worker);
  if (!worker.done) return Status::Ok();
  auto end = worker.process->Wait();
  worker.process.reset();
  auto why = WhyEnded(worker, end);
  bool renewed = std::exchange(worker.renewed_by, std::nullopt).has_value();
  if (renewed && (why.Is(ErrorClass::CANCELLED) || end.signal != 0)) {
    worker.done = false;
    worker.start_at = clock_->Now();
    return Status::Ok();
  }
  auto verdict = Judge(why, end.signal != 0, options_.continuous);
  if (verdict == Verdict::kDone) return Status::Ok();
  worker.done = false;
  if (OwnFault(end.signal) && ++worker.crashes >= kCrashesMax) return why;
  if (verdict == Verdict::kFatal) return why;
  auto wait = worker.backoff.OnFailure(clock_->Now(), jitter_.Next());
  if (!wait) return why;
  worker.start_at = clock_->Now() + *wait;
  listener_->OnRestart(worker.role, why, *wait);
  return Status::Ok();
}

Status Supervisor::Stop(Status why) {
  for (auto& worker : workers_) {
    if (worker.process != nullptr) worker.process->CloseInput();
  }
  auto deadline = clock_->Now() + options_.stop_within;
  auto patience = signals_taken_ + 1;
  auto running = [&] {
    return std::ranges::any_of(workers_, [](const Worker& w) { return w.process != nullptr; });
  };
  while (running()) {
    Poll();
    TakeSignal();
    bool kill = clock_->Now() >= deadline || signals_taken_ >= patience;
    for (auto& worker : workers_) {
      if (worker.process == nullptr) continue;
      worker.start_at.reset();
      if (kill) worker.process->Kill();
      TakeLines(worker);
      if (!worker.done) continue;
      worker.process->Wait();
      worker.process.reset();
    }
  }
  listener_->OnTick();
  return why;
}

std::string Supervisor::LogOf(const Worker& worker) const {
  return fmt::format("{}/{}-{}.log", options_.log_folder, options_.log_prefix, worker.role);
}

}  // namespace freshet::pipeline
