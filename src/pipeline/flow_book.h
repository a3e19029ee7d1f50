// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "record/ids.h"
#include "record/shape.h"
#include "store/file_store.h"

namespace freshet::pipeline {

/// The pipeline that has a staging of its own: what its tables and flows are called by has no other
/// name in it.
inline constexpr char kOnlyPipeline[] = "ingest";
/// The flow of a table in a pipeline; those of several pipelines over one staging differ.
record::FlowId FlowIdOf(const record::PipelineId& pipeline, const record::TableId& table);
/// Whether it is a flow of that pipeline, which is not the only one.
bool IsFlowOf(const record::PipelineId& pipeline, const record::FlowId& flow);

/// Which folder belongs to which flow, for good: written before a table is made, so that a renamed
/// or re-created source table never lands on another's rows, and `drop --tables` takes only what is
/// ours. Files `_freshet/flows/<flow>.json` below the destination's root. One thread.
class FlowBook {
 public:
  struct Entry {
    record::FlowId flow;
    record::TableName source;
    std::string folder;  // below the destination's root
    /// Whose folder it took over: a flow whose source table had the name before and is gone.
    std::optional<record::FlowId> former = {};
  };
  /// Errors: DATA_CORRUPT, STORE_*.
  static Result<FlowBook> Open(std::shared_ptr<store::FileStore> root);

  const std::map<record::FlowId, Entry>& entries() const { return entries_; }
  /// Whether another flow took over this one's folder.
  bool IsSucceeded(const record::FlowId& flow) const { return succeeded_.contains(flow); }
  /// Give the folder to the flow, unless it has one: then that stays, also when its source table
  /// has another name by now. The newest of its `formers` (newest first) that has a folder hands it
  /// over. Errors: TABLE_RECREATED (another flow of the same source table has it), INVALID_ARGUMENT
  /// (another table has it), TABLE_FOREIGN (it holds files that are not a table), STORE_*.
  Result<Entry> Claim(const record::FlowId& flow, const record::TableName& source,
                      const std::string& folder, const std::vector<record::FlowId>& formers = {});

 private:
  explicit FlowBook(std::shared_ptr<store::FileStore> root) : root_(std::move(root)) {}
  Result<Entry> Keep(Entry entry);
  /// One that is known keeps its folder and its former.
  void Take(Entry entry);

  std::shared_ptr<store::FileStore> root_;
  std::map<record::FlowId, Entry> entries_;
  // Of the entries, of which there may be thousands: every table that is found asks for its folder.
  std::map<std::string, std::set<record::FlowId>> by_folder_;
  std::set<record::FlowId> succeeded_;
};

}  // namespace freshet::pipeline
