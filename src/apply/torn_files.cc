// SPDX-License-Identifier: Apache-2.0
#include "apply/torn_files.h"

namespace freshet::apply {

Result<std::unique_ptr<Compaction>> CopyTornFiles(const std::shared_ptr<store::FileStore>& table,
                                                  const TableForm& form, int64_t now_ms,
                                                  const std::stop_token& stop, LiveRows* rows) {
  FRESHET_TRY(auto torn, rows->TakeTorn());
  std::unique_ptr<Compaction> copies;
  if (torn.empty()) return copies;
  copies = std::make_unique<Compaction>(table, form, std::move(torn), now_ms);
  Status run = copies->Run(stop);
  if (!run.ok()) {
    copies->Discard();
    return run;
  }
  for (const auto& file : copies->outputs()) rows->Add(file);
  return copies;
}

}  // namespace freshet::apply
