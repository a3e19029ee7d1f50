// SPDX-License-Identifier: Apache-2.0
#include "client/log_tail.h"

#include <optional>

#include "client/legible.h"
#include "client/server_error.h"
#include "client/update_progress.h"

namespace freshet::client {
namespace {

/// Between two looks.
constexpr std::chrono::milliseconds kLook{500};

std::string FolderOf(const std::string& pipeline) {
  return fmt::format("/api/2.0/pipelines/{}/logs", pipeline);
}

/// Find the log that is wanted: its name and the update that it is of.
Status Find(WantedLog* wanted, Api* api) {
  auto target = FolderOf(wanted->pipeline);
  if (!wanted->update.empty()) target += "?update_id=" + Encoded(wanted->update);
  FRESHET_TRY(auto answer, api->Send({.method = "GET", .target = target}));
  const auto* logs = At(answer, "logs");
  for (size_t i = 0; logs != nullptr && i < logs->size(); ++i) {
    const auto& log = (*logs)[i];
    auto name = TextIn(log, "name");
    if (!wanted->name.empty() && wanted->name != name) continue;
    wanted->name = name;
    wanted->update = TextIn(log, "update_id");
    return Status::Ok();
  }
  return Error(ErrorClass::NOT_FOUND, "there is no such log of the pipeline: {}",
               wanted->name.empty() ? wanted->pipeline : Legible(wanted->name))
      .WithRemedy("'freshet pipelines list-logs PIPELINE' lists them.");
}

/// Whether nothing more is written to the log.
Result<bool> IsOver(const WantedLog& wanted, Api* api) {
  if (wanted.update.empty()) return false;
  auto target =
      fmt::format("/api/2.0/pipelines/{}/updates/{}", wanted.pipeline, Encoded(wanted.update));
  FRESHET_TRY(auto answer, api->Send({.method = "GET", .target = target}));
  UpdateProgress progress;
  const auto* update = At(answer, "update");
  progress.TakeState(update == nullptr ? "" : TextIn(*update, "state"));
  return progress.ended();
}

/// Read on, and print. Return how many bytes there were.
Result<size_t> PrintPiece(const WantedLog& wanted, std::optional<int64_t>* offset, Api* api,
                          Surroundings* surroundings) {
  auto target = FolderOf(wanted.pipeline) + "/" + Encoded(wanted.name);
  if (*offset) target += fmt::format("?offset={}", **offset);
  FRESHET_TRY(auto piece, api->Send({.method = "GET", .target = target}));
  const auto* next = At(piece, "next_offset");
  if (next == nullptr || !next->is_number_integer())
    return Refused("the server does not tell where the log goes on");
  *offset = next->get<int64_t>();
  auto content = TextIn(piece, "content");
  if (content.empty()) return size_t{0};
  bool heard = surroundings->Print(wanted.lines_of_json ? LegibleJson(JsonText(piece)) + "\n"
                                                        : LegibleLines(content));
  if (!heard) return Error(ErrorClass::CANCELLED, "nobody reads the log any more");
  return content.size();
}

Status Follow(WantedLog wanted, Api* api, Surroundings* surroundings) {
  FRESHET_CHECK_OK(Find(&wanted, api));
  std::optional<int64_t> offset;
  while (true) {
    // Asked before the log is read: what an update writes, it writes before it ends.
    bool over = !wanted.follow;
    if (wanted.follow) {
      FRESHET_TRY(over, IsOver(wanted, api));
    }
    FRESHET_TRY(auto bytes, PrintPiece(wanted, &offset, api, surroundings));
    if (over && (bytes == 0 || !wanted.follow)) return Status::Ok();
    auto* clock = surroundings->clock();
    if (bytes == 0) clock->WaitUntil(clock->Now() + kLook, {});
  }
}

}  // namespace

Outcome TailLog(const WantedLog& wanted, Api* api, Surroundings* surroundings) {
  auto status = Follow(wanted, api, surroundings);
  return {status.Is(ErrorClass::CANCELLED) ? Status::Ok() : status};
}

}  // namespace freshet::client
