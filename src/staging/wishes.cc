// SPDX-License-Identifier: Apache-2.0
#include "staging/wishes.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "base/json.h"
#include "staging/layout.h"

namespace freshet::staging {
namespace {

using nlohmann::json;

/// One folder for all: the gateway looks at it several times a second, however many tables there
/// are. Neither part of a name has a dot.
std::string PathOf(const Wish& wish) {
  return fmt::format("{}/{}.{}.{}", kWishesFolder, wish.table.value(), wish.flow.value(),
                     wish.generation.value());
}

/// A wish read back from its path; nothing when that is not of its form.
std::optional<Wish> WishIn(std::string_view path) {
  std::string_view name = LastPart(path);
  size_t first = name.find('.');
  size_t last = name.rfind('.');
  if (first == std::string_view::npos || last == first) return std::nullopt;
  std::optional<int64_t> generation = LeadingNumber(name.substr(last + 1));
  if (!generation || *generation == 0) return std::nullopt;
  return Wish{.flow = FlowId(std::string(name.substr(first + 1, last - first - 1))),
              .table = TableId(std::string(name.substr(0, first))),
              .generation = Generation(*generation)};
}

std::string PathOf(const record::PipelineId& pipeline) {
  return fmt::format("{}/{}.json", kReadersFolder, pipeline.value());
}

Result<ReaderRecord> ReaderIn(const std::string& path, const std::string& text) {
  json in = ParseJson<json>(text);
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
  Status put = store.Put(PathOf(wish), std::string_view(), store::If::kAbsent);
  return put.Is(ErrorClass::ALREADY_EXISTS) ? Status::Ok() : put;
}

Status RemoveWish(store::FileStore& store, const Wish& wish) { return store.Remove(PathOf(wish)); }

Result<std::vector<Wish>> ListWishes(store::FileStore& store) {
  FRESHET_TRY(auto files, store.List(kWishesFolder, "", std::numeric_limits<int>::max()));
  std::vector<Wish> wishes;
  for (const auto& file : files) {
    if (std::optional<Wish> wish = WishIn(file.path)) wishes.push_back(*std::move(wish));
  }
  std::sort(wishes.begin(), wishes.end());
  return wishes;
}

Status PutReader(store::FileStore& store, const ReaderRecord& record) {
  json flows = json::array();
  for (const FlowId& flow : record.flows_created) flows.push_back(flow.value());
  json out = {{"pipeline", record.pipeline.value()},
              {"floor", record.floor.value()},
              {"flows_created", std::move(flows)}};
  return store.Put(PathOf(record.pipeline), JsonText(out), store::If::kAlways);
}

Status RemoveReader(store::FileStore& store, const record::PipelineId& pipeline) {
  return store.Remove(PathOf(pipeline));
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
