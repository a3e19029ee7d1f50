// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "app/commands.h"
#include "app/source.h"
#include "base/log.h"
#include "pipeline/destination.h"
#include "pipeline/ingest.h"

namespace freshet::app {
namespace {

Result<bool> DropAll(const DropArguments& arguments) {
  pipeline::DropOptions options{.directory = arguments.directory,
                                .source = {},
                                .tables = arguments.tables,
                                .open_source = OpenSource};
  if (!arguments.source.empty()) {
    FRESHET_TRY(auto parsed, ParseSource(arguments.source));
    options.source = std::move(parsed.settings);
  } else {
    auto destination = pipeline::Destination::Open(arguments.directory);
    auto record =
        destination.ok() ? destination->ReadSource() : std::optional<pipeline::SourceRecord>();
    if (record.ok() && *record) {
      options.source.connector = (*record)->connector;
      options.source.parameters = (*record)->parameters;
      AskPassword(&options.source);
    }
  }
  SystemClock clock;
  return pipeline::Drop(options, &clock);
}

}  // namespace

pipeline::ExitCode RunDrop(const DropArguments& arguments) {
  SetUpLog("freshet", "warn");
  auto dropped = DropAll(arguments);
  if (!dropped.ok()) return Fail(dropped.status());
  std::puts(!*dropped          ? "there is nothing of Freshet's in this directory"
            : arguments.tables ? "slot, publication, staging and tables are gone"
                               : "slot, publication and staging are gone; the tables stay");
  return pipeline::ExitCode::kOk;
}

}  // namespace freshet::app
