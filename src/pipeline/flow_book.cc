// SPDX-License-Identifier: Apache-2.0
#include "pipeline/flow_book.h"

#include "base/json.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::json;
constexpr std::string_view kFolder = "_freshet/flows";
constexpr int kListMax = 1000;

Result<FlowBook::Entry> EntryFromJson(const std::string& path, std::string_view text) {
  try {
    auto json = ParseJsonOrThrow<Json>(text);
    FlowBook::Entry entry{record::FlowId(json.at("flow")),
                          {json.at("source_schema"), json.at("source_table")},
                          json.at("folder")};
    if (json.contains("former")) entry.former = record::FlowId(json.at("former"));
    return entry;
  } catch (const std::exception& error) {
    return Error(ErrorClass::DATA_CORRUPT, "{} is not readable: {}", path, error.what());
  }
}

std::string ToJson(const FlowBook::Entry& entry) {
  Json json{{"flow", entry.flow.value()},
            {"source_schema", entry.source.schema},
            {"source_table", entry.source.table},
            {"folder", entry.folder}};
  if (entry.former) json["former"] = entry.former->value();
  return IndentedJsonText(json);
}

}  // namespace

record::FlowId FlowIdOf(const record::PipelineId& pipeline, const record::TableId& table) {
  if (pipeline.value() == kOnlyPipeline) return record::FlowId("t" + table.value());
  return record::FlowId(fmt::format("{}-t{}", pipeline.value(), table.value()));
}

bool IsFlowOf(const record::PipelineId& pipeline, const record::FlowId& flow) {
  return flow.value().starts_with(pipeline.value() + "-t");
}

Result<FlowBook> FlowBook::Open(std::shared_ptr<store::FileStore> root) {
  FlowBook book(std::move(root));
  std::string after;
  while (true) {
    FRESHET_TRY(auto files, book.root_->List(kFolder, after, kListMax));
    if (files.empty()) return book;
    for (const auto& file : files) {
      FRESHET_TRY(auto text, book.root_->Get(file.path, 0, -1));
      FRESHET_TRY(auto entry, EntryFromJson(file.path, *text));
      book.Take(std::move(entry));
    }
    after = files.back().path;
  }
}

Result<FlowBook::Entry> FlowBook::Claim(const record::FlowId& flow, const record::TableName& source,
                                        const std::string& folder,
                                        const std::vector<record::FlowId>& formers) {
  if (auto known = entries_.find(flow); known != entries_.end()) {
    if (known->second.source == source) return known->second;
    auto renamed = known->second;
    renamed.source = source;
    return Keep(std::move(renamed));
  }
  for (const auto& former : formers) {
    auto left = entries_.find(former);
    if (left != entries_.end()) return Keep({flow, source, left->second.folder, former});
  }
  if (auto others = by_folder_.find(folder); others != by_folder_.end()) {
    const auto& entry = entries_.at(*others->second.begin());
    if (entry.source == source) {
      return Error(ErrorClass::TABLE_RECREATED,
                   "another table of this name was ingested into {} before", folder);
    }
    return Error(ErrorClass::INVALID_ARGUMENT, "{} holds the rows of {} already", folder,
                 entry.source.ToString())
        .WithRemedy("Give one of the tables another destination in the specification.");
  }
  FRESHET_TRY(auto files, root_->List(folder, "", 1));
  FRESHET_TRY(auto log, root_->List(folder + "/_delta_log", "", 1));
  if (!files.empty() && log.empty()) {
    return Error(ErrorClass::TABLE_FOREIGN, "the folder holds files that are not ours: {}", folder);
  }
  return Keep({flow, source, folder});
}

Result<FlowBook::Entry> FlowBook::Keep(Entry entry) {
  FRESHET_CHECK_OK(root_->Put(fmt::format("{}/{}.json", kFolder, entry.flow.value()), ToJson(entry),
                              store::If::kAlways));
  Take(entry);
  return entry;
}

void FlowBook::Take(Entry entry) {
  by_folder_[entry.folder].insert(entry.flow);
  if (entry.former) succeeded_.insert(*entry.former);
  record::FlowId flow = entry.flow;
  entries_.insert_or_assign(std::move(flow), std::move(entry));
}

}  // namespace freshet::pipeline
