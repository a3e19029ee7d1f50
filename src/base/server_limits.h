// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// The bounds of the server, as limits.h has those of the engine.
namespace freshet::limits {

/// A request's body, unpacked: the largest specification the published API takes is well below it.
inline constexpr size_t kRequestBytesMax = size_t{8} * 1024 * 1024;
/// Objects within objects in a body: deeper ones would cost stack where they are written again.
inline constexpr int kJsonDepthMax = 64;
/// How long a body may take to arrive; a slower sender keeps a thread from others.
inline constexpr std::chrono::seconds kRequestBodyWaitMax{30};
/// How long a read or a write may find nothing to do.
inline constexpr std::chrono::seconds kRequestWaitMax{10};
/// Requests served at once; the others wait for a thread.
inline constexpr size_t kRequestThreads = 16;
/// Requests that wait for a source at once; the others are told to come again after that long.
inline constexpr int kSourceVisitsMax = 2;
inline constexpr std::chrono::seconds kSourceVisitAgain{2};
/// Tables that one look at a source tells of at most; a next page has more.
inline constexpr size_t kDiscoveredMax = 1000;
/// When a deletion that takes longer than a request waits is asked for again.
inline constexpr std::chrono::seconds kDeletionAgain{1};
/// What a source has for such a request: to take the connection, to say anything, to answer a
/// query.
inline constexpr std::chrono::seconds kVisitConnectMax{10};
inline constexpr std::chrono::seconds kVisitSilenceMax{15};
inline constexpr std::chrono::seconds kVisitStatementMax{20};
/// A securable's name. Source: the published limit of Unity Catalog.
inline constexpr size_t kNameBytesMax = 255;
/// Secrets of one service principal that are good at once. Source: the published limit.
inline constexpr int64_t kClientSecretsMax = 5;
/// How long a secret of a service principal is good unless it is told. Source: the published
/// default.
inline constexpr std::chrono::seconds kClientSecretLifetime{std::chrono::hours(24) * 730};
/// How long a token that a secret was changed for is good.
inline constexpr std::chrono::seconds kAccessTokenLifetime{3600};
/// A path of the workspace.
inline constexpr size_t kPathBytesMax = 1024;
/// A file that is put onto a volume at once. Source: the published limit.
inline constexpr int64_t kUploadBytesMax = int64_t{5} * 1024 * 1024 * 1024;
/// How fast such a file has to arrive at least; a slower sender keeps a thread from others.
inline constexpr int64_t kUploadBytesPerSecondMin = int64_t{64} * 1024;
/// What a list returns at once when it is not told, and at most.
inline constexpr int64_t kPageRows = 100;
inline constexpr int64_t kPageRowsMax = 1000;
/// Updates that run beside each other, gateways' not counted; the others wait. Each is a process
/// with workers of its own.
inline constexpr size_t kUpdatesMax = 16;
/// How often a table's commits, or its snapshot's progress, are told in a pipeline's event log.
inline constexpr std::chrono::seconds kEventInterval{10};
/// How often a gateway's own log has its progress. Source: the published default.
inline constexpr std::chrono::seconds kProgressInterval{300};
/// Tags of a pipeline, and characters of its parameters. Source: the published limits.
inline constexpr size_t kTagsMax = 25;
inline constexpr size_t kParametersMax = 10'000;
/// Between two looks at whether pipelines are due in their restart windows.
inline constexpr std::chrono::seconds kRestartLook{30};
/// Events kept of one pipeline, and after how many new ones it is looked whether older ones go.
inline constexpr int64_t kEventsMax = 100'000;
inline constexpr int64_t kEventsPerLook = 1000;
/// Of them those that only count, so that the others are not pushed out by them.
inline constexpr int64_t kMetricsMax = 50'000;
/// How long events wait to be published as a table together, unless their update ends: each commit
/// is a file that somebody has to read.
inline constexpr std::chrono::seconds kEventsWait{5};
/// Events that one commit publishes: what of them is in memory at once.
inline constexpr int64_t kEventsPerCommit = 2000;
/// How long a table that could not be published to is left alone.
inline constexpr std::chrono::seconds kPublishAgain{30};
/// Such tables whose state is kept between two commits; of others it is read anew.
inline constexpr size_t kEventTablesOpenMax = 64;
/// Logs of a pipeline's runs that are kept; and of each kind that are listed.
inline constexpr size_t kRunLogsKept = 100;
inline constexpr size_t kRunLogsListed = 1000;
/// What of a log is told at once when it is not said, and at most.
inline constexpr int64_t kLogBytes = int64_t{64} * 1024;
inline constexpr int64_t kLogBytesMax = int64_t{1024} * 1024;
/// What is noted of one field of a change, and after how many changes it is looked whether older
/// ones go.
inline constexpr size_t kAuditBytesMax = 1024;
inline constexpr int64_t kAuditPerLook = 1000;
/// Clients whose requests are counted at once.
inline constexpr size_t kClientsMax = 10'000;
/// Requests without a good token from one address in a minute.
inline constexpr int64_t kStrangersPerMinute = 6000;
/// Prepared statements kept open.
inline constexpr size_t kStatementsMax = 256;
/// How long a statement waits for another process that has the database.
inline constexpr std::chrono::seconds kDatabaseWaitMax{10};

}  // namespace freshet::limits
