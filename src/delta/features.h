// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "delta/table.h"

namespace freshet::delta {

/// Properties that mean something to a writer. Source: Delta protocol, "Table Features".
inline constexpr std::string_view kEnableVectors = "delta.enableDeletionVectors",
                                  kEnableFeed = "delta.enableChangeDataFeed",
                                  kEnableRowTracking = "delta.enableRowTracking",
                                  kEnableCommitTimes = "delta.enableInCommitTimestamps",
                                  kEnableWidening = "delta.enableTypeWidening",
                                  kStatisticsColumns = "delta.dataSkippingStatsColumns",
                                  kMappingMode = "delta.columnMapping.mode",
                                  kMaxColumnId = "delta.columnMapping.maxColumnId";

/// A property's value; empty: the table has none of this name.
std::string PropertyOf(const Metadata& metadata, std::string_view name);
/// The columns, by the names they have outside of any other, that the table is to have statistics
/// of; empty: it does not say. Source: delta-spark, `delta.dataSkippingStatsColumns`: names by
/// commas, in backticks where they are no plain words, fields of columns behind a dot.
std::vector<std::string> StatisticsColumns(const Metadata& metadata);
/// Whether the table has this property as `true` and its protocol lists the feature, or is of a
/// version that implies it: only then it binds a writer.
bool IsOn(const Protocol& protocol, const Metadata& metadata, std::string_view property);

/// Whether somebody may give a table of ours this property: none that is ours or the protocol's
/// alone, and nothing that our commits could not keep. Errors: INVALID_ARGUMENT.
Status CheckProperty(std::string_view name, std::string_view value);

/// The protocol that a table of this metadata and these columns needs, and no more. With `now` it
/// is the least that also allows all that one does; one of named features is named then.
Protocol ProtocolFor(const Metadata& metadata, const std::vector<Column>& columns,
                     const Protocol* now = nullptr);

/// The features that one protocol has and another lacks.
std::vector<std::string> FeaturesGained(const Protocol& before, const Protocol& after);
/// Who cannot use a table any more that gained these features, for people.
std::string LosersOf(const std::vector<std::string>& features);

}  // namespace freshet::delta
