// SPDX-License-Identifier: Apache-2.0
#include "client/watch.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "client/legible.h"
#include "client/server_error.h"
#include "client/update_progress.h"

namespace freshet::client {
namespace {

/// Between two looks.
constexpr std::chrono::milliseconds kLook{500};
/// How long a server may be away: it goes on with its updates once it is started again.
constexpr std::chrono::minutes kAwayMax{5};
/// Source: the published limit of a page of events is above it.
constexpr int kPageRows = 250;

/// The events of one update, each once. What was told in the moment of the last one is asked for
/// again, for more may have come in it.
class EventTail {
 public:
  EventTail(const WatchedUpdate& watched, Api* api) : watched_(watched), api_(api) {}

  Result<std::vector<Json>> Next() {
    auto filter = fmt::format("update_id = '{}'", watched_.update);
    if (!last_.empty()) filter += fmt::format(" AND timestamp >= '{}'", last_);
    const auto target =
        fmt::format("/api/2.0/pipelines/{}/events?max_results={}&order_by={}&filter={}",
                    watched_.pipeline, kPageRows, Encoded("timestamp asc"), Encoded(filter));
    std::vector<Json> news;
    auto page = target;
    while (true) {
      FRESHET_TRY(auto answer, api_->Send({.method = "GET", .target = page}));
      if (const auto* events = At(answer, "events"); events != nullptr && events->is_array()) {
        for (const auto& event : *events) Add(event, &news);
      }
      auto token = TextIn(answer, "next_page_token");
      if (token.empty()) return news;
      page = target + "&page_token=" + Encoded(token);
    }
  }

 private:
  void Add(const Json& event, std::vector<Json>* news) {
    auto at = TextIn(event, "timestamp");
    if (at > last_) {
      last_ = at;
      seen_.clear();
    }
    if (at < last_ || !seen_.insert(TextIn(event, "id")).second) return;
    news->push_back(event);
  }

  const WatchedUpdate& watched_;
  Api* const api_;
  std::string last_;            // the time of the newest event; all have one form and zone
  std::set<std::string> seen_;  // the events of that time
};

/// What a person or a program sees of it.
class View {
 public:
  View(bool lines_of_json, Surroundings* surroundings)
      : json_(lines_of_json), surroundings_(surroundings), began_(surroundings->clock()->Now()) {}

  /// False: nobody looks any more.
  bool Show(const std::vector<Json>& events, const UpdateProgress& progress) {
    auto size = json_ ? Surroundings::Size() : surroundings_->TerminalSize();
    auto text = Erase();
    for (const auto& event : events) {
      if (json_)
        text += LegibleJson(JsonText(event)) + "\n";
      else if (size.columns == 0 || Scrolls(event))
        text += LineOf(event) + "\n";
    }
    if (size.columns > 0 && !progress.ended()) {
      constexpr int kNarrowest = 20, kLowest = 2;
      auto since = surroundings_->clock()->Now() - began_;
      auto lines =
          BlockOf(progress, std::chrono::duration_cast<std::chrono::seconds>(since).count(),
                  static_cast<size_t>(std::max(kNarrowest, size.columns - 1)),
                  static_cast<size_t>(std::max(kLowest, size.rows - 2)));
      for (const auto& line : lines) text += line + "\n";
      drawn_ = lines.size();
    }
    if (progress.ended() && !json_) text += SummaryOf(progress) + "\n";
    return text.empty() || surroundings_->Print(text);
  }

 private:
  /// The block shows how tables go on.
  static bool Scrolls(const Json& event) {
    auto level = TextIn(event, "level");
    return level == "WARN" || level == "ERROR" || TextIn(event, "event_type") == "update_progress";
  }
  /// ECMA-48: cursor up, erase to the end of the display.
  std::string Erase() {
    if (drawn_ == 0) return "";
    return fmt::format("\x1b[{}A\x1b[J", std::exchange(drawn_, 0));
  }

  const bool json_;
  Surroundings* const surroundings_;
  const MonotonicTime began_;
  size_t drawn_ = 0;
};

Result<std::string> LatestUpdate(const std::string& pipeline, Api* api) {
  auto target = fmt::format("/api/2.0/pipelines/{}/updates?max_results=1", pipeline);
  FRESHET_TRY(auto answer, api->Send({.method = "GET", .target = target}));
  const auto* update = At(answer, "updates.0");
  auto id = update == nullptr ? "" : TextIn(*update, "update_id");
  if (!id.empty()) return id;
  return Error(ErrorClass::NOT_FOUND, "the pipeline had no update yet: {}", pipeline)
      .WithRemedy("'freshet pipelines start-update PIPELINE --wait' begins one, and watches it.");
}

/// One look: the state first, so that with a final one every event is there.
Result<std::vector<Json>> Look(const WatchedUpdate& watched, Api* api, EventTail* tail,
                               std::string* state) {
  auto target =
      fmt::format("/api/2.0/pipelines/{}/updates/{}", watched.pipeline, Encoded(watched.update));
  FRESHET_TRY(auto answer, api->Send({.method = "GET", .target = target}));
  const auto* update = At(answer, "update");
  *state = update == nullptr ? "" : TextIn(*update, "state");
  if (state->empty()) return Refused("the server does not tell the update's state");
  return tail->Next();
}

std::string NextStep(const WatchedUpdate& watched) {
  return fmt::format("freshet pipelines events {} --update {} --level ERROR", watched.pipeline,
                     watched.update);
}

}  // namespace

Outcome Watch(const WatchedUpdate& wanted, Api* api, Surroundings* surroundings) {
  auto watched = wanted;
  if (watched.update.empty()) {
    auto latest = LatestUpdate(watched.pipeline, api);
    if (!latest.ok()) return {latest.status()};
    watched.update = *latest;
  }
  EventTail tail(watched, api);
  View view(watched.lines_of_json, surroundings);
  UpdateProgress progress;
  auto* clock = surroundings->clock();
  std::optional<MonotonicTime> answered;
  bool away = false;
  while (!progress.ended()) {
    std::string state;
    auto events = Look(watched, api, &tail, &state);
    if (events.ok()) {
      answered = clock->Now();
      away = false;
      progress.TakeState(state);
      for (const auto& event : *events) progress.Take(event);
      if (!view.Show(*events, progress)) return {};
    } else if (events.status().code() != Code::kUnavailable || !answered ||
               clock->Now() - *answered > kAwayMax) {
      return {events.status()};
    } else if (!std::exchange(away, true)) {
      surroundings->Note(fmt::format("{}; waiting for it\n", events.status().message()));
    }
    if (!progress.ended()) clock->WaitUntil(clock->Now() + kLook, {});
  }
  auto ending = progress.Ending();
  for (const auto& [name, flow] : progress.flows()) {
    if (!flow.failure.empty() && !watched.lines_of_json)
      surroundings->Note(fmt::format("failed: {}\n", flow.failure));
  }
  if (!ending.status.ok() && progress.state() == "FAILED")
    ending.status = std::move(ending.status).WithRemedy(NextStep(watched) + " tells all of it.");
  return ending;
}

}  // namespace freshet::client
