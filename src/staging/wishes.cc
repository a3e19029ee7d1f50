// SPDX-License-Identifier: Apache-2.0
#include "staging/wishes.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "staging/layout.h"

namespace freshet::staging {
namespace {

using nlohmann::json;

/// `wishes/<table>/<flow>/<n>`, taken apart; nothing when the path is not of that form.
std::optional<Wish> WishIn(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    size_t slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  if (parts.size() != 4) return std::nullopt;
  std::optional<int64_t> generation = LeadingNumber(parts[3]);
  if (!generation || *generation == 0) return std::nullopt;
  return Wish{.flow = FlowId(std::string(parts[2])),
              .table = TableId(std::string(parts[1])),
              .generation = Generation(*generation)};
}

Result<ReaderRecord> ReaderIn(const std::string& path, const std::string& text) {
  json in = json::parse(text, nullptr, /*allow_exceptions=*/false);
  bool readable = in.is_object() && in.value("pipeline", json()).is_string() &&
                  in.value("floor", json()).is_number_integer() &&
                  in.value("flows_created", json()).is_array();
  if (!readable)
    return Error(ErrorClass::STAGING_CORRUPT, "a reader's record is not readable: {}", path);
  ReaderRecord record;
  record.pipeline = record::PipelineId(in["pipeline"].get<std::string>());
  record.floor = SegmentNumber(in["floor"].get<int64_t>());
  for (const json& flow : in["flows_created"]) {
    if (!flow.is_string())
      return Error(ErrorClass::STAGING_CORRUPT, "a reader's record is not readable: {}", path);
    record.flows_created.emplace_back(flow.get<std::string>());
  }
  return record;
}

}  // namespace

Status PutWish(store::FileStore& store, const Wish& wish) {
  auto path = fmt::format("{}/{}/{}/{}", kWishesFolder, wish.table.value(), wish.flow.value(),
                          wish.generation.value());
  Status put = store.Put(path, std::string_view(), store::If::kAbsent);
  return put.Is(ErrorClass::ALREADY_EXISTS) ? Status::Ok() : put;
}

Result<std::vector<Wish>> ListWishes(store::FileStore& store) {
  FRESHET_TRY(auto files,
              store.List(kWishesFolder, "", std::numeric_limits<int>::max(), /*recursive=*/true));
  std::map<std::pair<TableId, FlowId>, Generation> newest;
  for (const auto& file : files) {
    std::optional<Wish> wish = WishIn(file.path);
    if (!wish) continue;
    Generation& generation = newest[{wish->table, wish->flow}];
    generation = std::max(generation, wish->generation);
  }
  std::vector<Wish> wishes;
  for (const auto& [key, generation] : newest)
    wishes.push_back({.flow = key.second, .table = key.first, .generation = generation});
  return wishes;
}

Status PutReader(store::FileStore& store, const ReaderRecord& record) {
  json flows = json::array();
  for (const FlowId& flow : record.flows_created) flows.push_back(flow.value());
  json out = {{"pipeline", record.pipeline.value()},
              {"floor", record.floor.value()},
              {"flows_created", std::move(flows)}};
  return store.Put(fmt::format("{}/{}.json", kReadersFolder, record.pipeline.value()), out.dump(),
                   store::If::kAlways);
}

Result<std::vector<ReaderRecord>> ListReaders(store::FileStore& store) {
  FRESHET_TRY(auto files, store.List(kReadersFolder, "", std::numeric_limits<int>::max()));
  std::vector<ReaderRecord> records;
  for (const auto& file : files) {
    FRESHET_TRY(auto text, store.Get(file.path, 0, -1));
    FRESHET_TRY(ReaderRecord record, ReaderIn(file.path, *text));
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace freshet::staging
