// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "app/commands.h"
#include "app/source.h"
#include "base/log.h"
#include "pipeline/event_line.h"
#include "pipeline/findings.h"
#include "pipeline/run_options.h"

namespace freshet::app {
namespace {

using pipeline::ExitCode;

void Show(const sources::Finding& finding, bool json) {
  auto table = finding.table ? finding.table->ToString() : std::string();
  if (json) {
    auto event = pipeline::WithStatus({"finding", {{"table", table}, {"fatal", finding.fatal}}},
                                      finding.problem);
    std::fputs(pipeline::ToLine(event).c_str(), stdout);
    return;
  }
  std::printf("%s%s%s: %s\n", finding.fatal ? "" : "note: ", table.empty() ? "source" : "table ",
              table.c_str(), finding.problem.ToString().c_str());
  if (!finding.problem.remedy().empty())
    std::printf("    %s\n", std::string(finding.problem.remedy()).c_str());
}

}  // namespace

ExitCode RunCheck(const CheckArguments& arguments) {
  SetUpLog("freshet", "warn");
  auto parsed = ParseSource(arguments.source);
  if (!parsed.ok()) return Fail(parsed.status());
  if (!arguments.cursor_columns.empty()) {
    pipeline::CursorRule rule;
    rule.cursor_columns = arguments.cursor_columns;
    pipeline::CaptureByQueries({rule}, &parsed->settings);
  }
  auto source = OpenSource(parsed->settings);
  if (!source.ok()) {
    if (arguments.json) Show({.table = std::nullopt, .problem = source.status()}, true);
    return Fail(source.status());
  }
  auto exit_code = ExitCode::kOk;
  int64_t shown = 0;
  for (const auto& finding : pipeline::FindingsOf(**source)) {
    Show(finding, arguments.json);
    ++shown;
    if (!finding.fatal) continue;
    auto code = finding.table ? ExitCode::kTables : ExitCode::kSource;
    if (exit_code != ExitCode::kSource) exit_code = code;
  }
  if (shown == 0 && !arguments.json) std::puts("nothing to mend: every table can be ingested");
  return exit_code;
}

}  // namespace freshet::app
