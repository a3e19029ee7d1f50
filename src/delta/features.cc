// SPDX-License-Identifier: Apache-2.0
// Source: Delta protocol, "Table Features", "Valid Feature Names in Table Features",
// "Reader Version Requirements", "Writer Version Requirements".
#include "delta/features.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "delta/retention.h"

namespace freshet::delta {
namespace {

/// A feature that our tables may have, and since when versions without feature names imply it.
struct Feature {
  std::string_view name;
  bool reads = false;      // readers must know it too
  int implied_writer = 7;  // 7: only by its name
  int implied_reader = 3;  // likewise 3
  std::string_view losers;
};

constexpr std::array<Feature, 13> kFeatures{
    {{"appendOnly", false, 2, 3, ""},
     {"invariants", false, 2, 3, ""},
     {"checkConstraints", false, 3, 3, ""},
     {"changeDataFeed", false, 4, 3, "writers that keep no change data feed"},
     {"generatedColumns", false, 4, 3, ""},
     {"columnMapping", true, 5, 2, "Polars, and the plain Arrow reader of delta-rs"},
     {"identityColumns", false, 6, 3, ""},
     {"deletionVectors", true, 7, 3,
      "readers before Delta 2.3, the plain Arrow reader of delta-rs"},
     {"timestampNtz", true, 7, 3, "readers before Delta 2.4"},
     {"typeWidening", true, 7, 3, "delta-rs, Polars, and readers before Delta 4.0"},
     {"rowTracking", false, 7, 3, "writers that keep no row ids"},
     {"domainMetadata", false, 7, 3, "writers before Delta 3.0"},
     {"inCommitTimestamp", false, 7, 3, "writers that give commits no time of their own"}}};

const Feature& Known(std::string_view name) {
  const auto* found = std::ranges::find(kFeatures, name, &Feature::name);
  FRESHET_ASSERT(found != kFeatures.end(), "no feature {}", name);
  return *found;
}

bool HasNtz(const arrow::DataType& type) {
  for (const auto& field : type.fields()) {
    if (HasNtz(*field->type())) return true;
  }
  return type.id() == arrow::Type::TIMESTAMP &&
         static_cast<const arrow::TimestampType&>(type).timezone().empty();
}

/// A switch that a table may have, and the feature that has to be listed for it.
struct Switch {
  std::string_view property, feature;
};
constexpr std::array<Switch, 6> kSwitches{{{kEnableVectors, "deletionVectors"},
                                           {kEnableFeed, "changeDataFeed"},
                                           {kEnableRowTracking, "rowTracking"},
                                           {kEnableCommitTimes, "inCommitTimestamp"},
                                           {kEnableWidening, "typeWidening"},
                                           {"delta.appendOnly", "appendOnly"}}};

std::set<std::string> FeaturesFor(const Metadata& metadata, const std::vector<Column>& columns) {
  std::set<std::string> features;
  for (const auto& each : kSwitches) {
    if (PropertyOf(metadata, each.property) == "true") features.emplace(each.feature);
  }
  if (features.contains("rowTracking")) features.insert("domainMetadata");
  if (PropertyOf(metadata, kMappingMode) == "name") features.insert("columnMapping");
  for (const auto& column : columns) {
    if (HasNtz(*column.type)) features.insert("timestampNtz");
  }
  return features;
}

/// Every feature that a protocol has, named or implied.
std::set<std::string> FeaturesOf(const Protocol& protocol) {
  std::set<std::string> features = protocol.writer_features;
  features.insert(protocol.reader_features.begin(), protocol.reader_features.end());
  for (const auto& feature : kFeatures) {
    if (protocol.min_writer < 7 && feature.implied_writer <= protocol.min_writer)
      features.emplace(feature.name);
  }
  return features;
}

bool StartsWithAny(std::string_view text, std::initializer_list<std::string_view> beginnings) {
  return std::ranges::any_of(beginnings,
                             [&](std::string_view each) { return text.starts_with(each); });
}

}  // namespace

std::string PropertyOf(const Metadata& metadata, std::string_view name) {
  auto found = metadata.configuration.find(std::string(name));
  return found == metadata.configuration.end() ? std::string() : found->second;
}

std::vector<std::string> StatisticsColumns(const Metadata& metadata) {
  std::vector<std::string> names;
  std::string name;
  bool quoted = false, within = false;  // within: a field of the column
  auto end = [&] {
    if (!name.empty()) names.push_back(std::exchange(name, {}));
    within = false;
  };
  for (const char c : PropertyOf(metadata, kStatisticsColumns)) {
    if (c == '`') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      end();
    } else if (c == '.' && !quoted) {
      within = true;
    } else if (!within && (quoted || c != ' ')) {
      name += c;
    }
  }
  end();
  return names;
}

bool IsOn(const Protocol& protocol, const Metadata& metadata, std::string_view property) {
  if (PropertyOf(metadata, property) != "true") return false;
  const auto* found = std::ranges::find(kSwitches, property, &Switch::property);
  FRESHET_ASSERT(found != kSwitches.end(), "no switch {}", property);
  return FeaturesOf(protocol).contains(std::string(found->feature));
}

Status CheckProperty(std::string_view name, std::string_view value) {
  auto wrong = [&](std::string_view why) {
    return Error(ErrorClass::INVALID_ARGUMENT, "table property {}: {}", name, why);
  };
  if (name.empty() || name.starts_with("freshet."))
    return wrong("the names that begin with freshet. are Freshet's own");
  if (!name.starts_with("delta.")) return Status::Ok();
  const bool is_switch = std::ranges::find(kSwitches, name, &Switch::property) != kSwitches.end();
  if (is_switch && value != "true" && value != "false") return wrong("is not true or false");
  if (name == kEnableVectors && value == "false")
    return wrong("tables without deletion vectors are those of the profile classic");
  if (name == "delta.appendOnly" && value == "true")
    return wrong("the table could not follow its source");
  if (name == "delta.checkpointPolicy" && value != "classic")
    return wrong("checkpoints are classic ones");
  const bool is_retention =
      name == "delta.deletedFileRetentionDuration" || name == "delta.logRetentionDuration";
  if (is_retention && !IsInterval(value))
    return wrong("is no interval of hours, days or weeks, as: interval 7 days");
  if (name == kMappingMode && value != "name")
    return wrong("columns are mapped by name or not at all");
  if (StartsWithAny(name, {"delta.constraints.", "delta.feature.", "delta.columnMapping.max",
                           "delta.rowTracking", "delta.inCommitTimestampEnablement",
                           "delta.enableIcebergCompat", "delta.universalFormat", "delta.min",
                           "delta.identity", "delta.coordinatedCommits",
                           "delta.setTransactionRetentionDuration", "delta.generationExpression",
                           "delta.invariants", "delta.enableVariantShredding"}))
    return wrong("it cannot be given to a table that Freshet writes");
  return Status::Ok();
}

Protocol ProtocolFor(const Metadata& metadata, const std::vector<Column>& columns,
                     const Protocol* now) {
  std::set<std::string> features = FeaturesFor(metadata, columns);
  Protocol protocol;
  if (now != nullptr) {
    const auto had = FeaturesOf(*now);
    const bool enough = std::ranges::includes(had, features);
    if (enough) return *now;
    features.insert(had.begin(), had.end());
    protocol = *now;
  }
  for (const auto& name : features) {
    const auto* feature = std::ranges::find(kFeatures, name, &Feature::name);
    const bool foreign = feature == kFeatures.end();
    protocol.min_writer = std::max(protocol.min_writer, foreign ? 7 : feature->implied_writer);
    if (!foreign && feature->reads)
      protocol.min_reader = std::max(protocol.min_reader, feature->implied_reader);
  }
  if (protocol.min_writer < 7) return protocol;
  protocol.writer_features = features;
  for (const auto& name : features) {
    const auto* feature = std::ranges::find(kFeatures, name, &Feature::name);
    if (feature != kFeatures.end() && feature->reads) {
      protocol.min_reader = 3;
      protocol.reader_features.insert(name);
    }
  }
  return protocol;
}

std::vector<std::string> FeaturesGained(const Protocol& before, const Protocol& after) {
  std::vector<std::string> gained;
  std::ranges::set_difference(FeaturesOf(after), FeaturesOf(before), std::back_inserter(gained));
  return gained;
}

std::string LosersOf(const std::vector<std::string>& features) {
  std::vector<std::string_view> losers;
  for (const auto& name : features) {
    const auto losing = Known(name).losers;
    if (!losing.empty() && std::ranges::find(losers, losing) == losers.end())
      losers.push_back(losing);
  }
  return fmt::format("{}", fmt::join(losers, "; "));
}

}  // namespace freshet::delta
