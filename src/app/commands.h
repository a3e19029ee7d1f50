// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/exit_code.h"

namespace freshet::app {

/// What `freshet ingest` was given, as text.
struct IngestArguments {
  std::string source, directory;
  std::vector<std::string> tables, excludes, refresh, cursor_columns;
  std::string scd_type;  // empty: not given
  std::vector<std::string> sequence_by;
  bool soft_delete = false;
  std::string spec_file, slot, publication, type_mapping, profile;
  bool continuous = false;
  std::chrono::milliseconds retry_for{120'000};
  std::string on_schema_change;
  bool drop_inactive_columns = false;
  std::vector<std::string> include_columns, exclude_columns;
  std::optional<int64_t> auto_refresh_hours;
  bool change_data_feed = false;
  std::string staging_retention, staging_age_max, staging_bytes_max;  // empty: not given
  std::string reread_interval;                                        // likewise
  bool json = false, quiet = false;
};
struct DiscoverArguments {
  std::string source;
  std::vector<std::string> cursor_columns;
  std::vector<std::string> tables;
  bool json = false;
};
struct CheckArguments {
  std::string source;
  std::vector<std::string> cursor_columns;
  bool json = false;
};
struct StatusArguments {
  std::string directory;
  bool json = false;
};
struct DropArguments {
  std::string directory, source;
  bool tables = false;
};

pipeline::ExitCode RunIngest(const IngestArguments& arguments);
pipeline::ExitCode RunDiscover(const DiscoverArguments& arguments);
pipeline::ExitCode RunCheck(const CheckArguments& arguments);
pipeline::ExitCode RunStatus(const StatusArguments& arguments);
pipeline::ExitCode RunDrop(const DropArguments& arguments);

/// Show an error with its remedy on standard error and return its exit code.
pipeline::ExitCode Fail(const Status& status);

}  // namespace freshet::app
