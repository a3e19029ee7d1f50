// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "app/commands.h"
#include "base/log.h"
#include "pipeline/destination.h"
#include "pipeline/status_report.h"

namespace freshet::app {
namespace {

Result<pipeline::StatusReport> Read(const std::string& directory) {
  FRESHET_TRY(auto destination, pipeline::Destination::Open(directory));
  SystemClock clock;
  return pipeline::ReadStatus(destination, &clock);
}

}  // namespace

pipeline::ExitCode RunStatus(const StatusArguments& arguments) {
  SetUpLog("freshet", "warn");
  auto report = Read(arguments.directory);
  if (!report.ok()) return Fail(report.status());
  auto text = arguments.json ? pipeline::ToJsonLines(*report) : pipeline::ToText(*report);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return pipeline::ExitCode::kOk;
}

}  // namespace freshet::app
