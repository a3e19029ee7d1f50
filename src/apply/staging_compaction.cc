// SPDX-License-Identifier: Apache-2.0
// Files of a table are rewritten between its changes.
#include "apply/staging_applier.h"
#include "base/limits.h"

namespace freshet::apply {

Result<std::optional<Applied>> StagingApplier::Compact(bool waits, const std::stop_token& stop) {
  if (!pace_.IsDue(waits, known_->files.size())) return std::optional<Applied>();
  FRESHET_TRY(auto form, TableForm::Of(*known_, mark_));
  auto files = ChooseFiles(*known_, pace_.RulesFor(waits));
  pace_.Looked(!files.empty());
  if (files.empty()) return std::optional<Applied>();
  Compaction compaction(context_.table, std::move(form), known_, std::move(files), NowMs(),
                        context_.compaction);
  Status run = compaction.Run(stop);
  if (!run.ok()) {
    compaction.Discard();
    return run;
  }
  auto applied = CommitCompaction(&compaction);
  const bool lost = applied.status().Is(ErrorClass::COMMIT_ZOMBIE) ||
                    applied.status().Is(ErrorClass::DELTA_CONFLICT);
  if (applied.ok() ? !applied->has_value() : lost) compaction.Discard();
  return applied;
}

Result<std::optional<Applied>> StagingApplier::CommitCompaction(Compaction* compaction) {
  for (int attempt = 0; attempt < limits::kCommitAttemptsMax; ++attempt) {
    FRESHET_TRY(auto actions, compaction->ActionsOn(*known_));
    if (!actions) return std::optional<Applied>();
    const int64_t base = known_->version;
    Draft draft{.operation = "OPTIMIZE",
                .actions = std::move(*actions),
                .applied = {},
                .positions = positions_};
    auto applied = Commit(std::move(draft));
    if (applied.status().Is(ErrorClass::DELTA_CONFLICT)) {
      FRESHET_CHECK_OK(Refresh());
      continue;
    }
    if (!applied.ok()) return applied.status();
    // Entries of a state that the index does not reflect would hide what it lacks.
    const auto& form = compaction->form();
    const record::FlowId index = IndexName();
    FRESHET_TRY(const auto mark, context_.index->Version(index));
    if (compaction->has_entries() && mark == KeyIndex::Mark{base, form.layout}) {
      FRESHET_CHECK_OK(context_.index->Ingest(index, form.rows.keyless(), compaction->TakeEntries(),
                                              {applied->version, form.layout}));
      FRESHET_CHECK_OK(context_.index->Forget(index, compaction->gone()));
    }
    context_.observer->OnEvent({"table_compacted",
                                {{"table", flow_.source.ToString()},
                                 {"flow", flow_.id.value()},
                                 {"version", applied->version},
                                 {"files", compaction->files()},
                                 {"rows", compaction->rows()},
                                 {"bytes", compaction->bytes()}}});
    applied->state = Applied::State::kCompacted;
    applied->through = positions_.changes;
    return std::optional<Applied>(std::move(*applied));
  }
  return Error(ErrorClass::DELTA_CONFLICT, "a compaction lost {} commit races in a row",
               limits::kCommitAttemptsMax);
}

}  // namespace freshet::apply
