// SPDX-License-Identifier: Apache-2.0
#include "apply/key_index.h"
#include "base/log.h"
#include "pipeline/destination.h"
#include "pipeline/event_line.h"
#include "pipeline/inquiry.h"
#include "pipeline/update.h"
#include "pipeline/worker_channel.h"
#include "pipeline/workers.h"
#include "staging/reader.h"
#include "store/file_store.h"

namespace freshet::pipeline {
namespace {

/// A hint comes with every segment; this is for the ones that got lost.
constexpr std::chrono::milliseconds kListInterval{250};
constexpr std::chrono::seconds kTidyInterval{30};
constexpr int kThreads = 2;
constexpr std::string_view kStagingPrefix = "_freshet/staging";

bool Drained(const WorkerChannel& channel, const Update::Round& round) {
  auto through = channel.drain_through();
  return through && round.settled && round.through.value() >= *through;
}

/// Of an update over somebody else's gateway: what was committed when it began is in the tables,
/// and so is every snapshot that it asked for. A continuous one never ends.
class Apart {
 public:
  Apart(WorkerChannel* channel, Inquiry inquiry, bool continuous)
      : channel_(channel), inquiry_(std::move(inquiry)), continuous_(continuous) {}

  Result<bool> Ends(const Update::Round& round) {
    FRESHET_TRY(auto answer, inquiry_.Answer());
    bool staged = answer && round.through >= answer->through && round.staged;
    if (staged && !std::exchange(told_, true)) {
      channel_->OnEvent({"snapshots_staged", {{"through", round.through.value()}}});
      TellUnseen(answer->unseen);
    }
    return staged && round.settled && !continuous_;
  }

 private:
  void TellUnseen(const staging::Unseen& unseen) {
    for (const auto& name : unseen.tables)
      channel_->OnEvent(WithStatus({"table_failed", {{"table", name.ToString()}}}, unseen.why));
    if (!unseen.why.ok() && unseen.tables.empty())
      channel_->OnEvent(WithStatus({"tables_unseen", {}}, unseen.why));
  }

  WorkerChannel* const channel_;
  Inquiry inquiry_;
  const bool continuous_;
  bool told_ = false;
};

/// One step after the other; waits where there is nothing to do.
Status RunSteps(WorkerChannel& channel, Clock& clock, Update& update, std::optional<Apart>& apart) {
  auto tidy_at = clock.Now() + kTidyInterval;
  while (true) {
    FRESHET_TRY(auto round, update.Step(channel.stop()));
    bool drained = Drained(channel, round);
    if (apart) {
      FRESHET_TRY(drained, apart->Ends(round));
    }
    if (drained && !apart) update.FailStale();
    // A comparison that found nothing leaves no other trace.
    if (drained || round.reread || clock.Now() >= tidy_at) {
      FRESHET_CHECK_OK(update.Tidy());
      tidy_at = clock.Now() + kTidyInterval;
    }
    if (drained) return Status::Ok();
    if (round.settled) channel.WaitForCommand(clock.Now() + kListInterval);
  }
}

Status Apply(WorkerChannel& channel) {
  FRESHET_TRY(auto start, channel.ReadStart());
  channel.Start();
  FRESHET_TRY(auto destination, Destination::Open(start.destination));
  FRESHET_TRY(auto root, store::OpenLocalStore(destination.root()));
  FRESHET_TRY(auto reader,
              staging::StagingReader::Open(store::Below(root, std::string(kStagingPrefix))));
  FRESHET_TRY(auto index, apply::KeyIndex::Open(destination.index()));
  SystemClock clock;
  Update::Parts parts{.staging = reader.get(),
                      .root = root,
                      .staging_prefix = std::string(kStagingPrefix),
                      .index = index.get(),
                      .scratch_folder = destination.staging(),
                      .clock = &clock,
                      .observer = &channel};
  FRESHET_TRY(auto update,
              Update::Open(std::move(parts), {.spec = start.spec,
                                              .pipeline = record::PipelineId(start.pipeline),
                                              .reread = start.apart && !start.continuous,
                                              .threads = kThreads}));
  std::optional<Apart> apart;
  if (start.apart) {
    auto selects = [&start](const record::TableName& name) { return start.spec.Updates(name); };
    FRESHET_TRY(auto inquiry,
                Inquiry::Ask(store::Below(root, std::string(kStagingPrefix)),
                             record::PipelineId(start.pipeline), &clock, std::move(selects)));
    apart.emplace(&channel, std::move(inquiry), start.continuous);
  }
  return RunSteps(channel, clock, *update, apart);
}

}  // namespace

int RunUpdateWorker() {
  SetUpLog("update", "info");
  auto channel = WorkerChannel::Open();
  if (!channel.ok()) {
    spdlog::error("{}", channel.status().ToString());
    return 1;
  }
  auto status = Apply(**channel);
  if (!status.ok()) spdlog::error("{}", status.ToString());
  return (*channel)->End(status);
}

}  // namespace freshet::pipeline
