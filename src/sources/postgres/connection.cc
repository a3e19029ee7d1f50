// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/connection.h"

#include <poll.h>

#include <charconv>
#include <chrono>
#include <ranges>

namespace freshet::sources::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// What every session is set to, so that text means the same in every session and nothing ends one
/// while it works. A space within a value is escaped by a backslash. Source: libpq, "options".
constexpr std::string_view kSettings =
    "-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC -c extra_float_digits=3 -c "
    "bytea_output=hex "
    "-c lc_monetary=C -c xmlbinary=base64 -c standard_conforming_strings=on -c search_path= -c "
    "row_security=off "
    "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 "
    "-c default_transaction_read_only=off -c default_transaction_isolation=read\\ committed "
    "-c client_min_messages=error";

int MillisecondsUntil(Deadline deadline) {
  auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left + 1, 0, 60'000));
}

std::string OneLine(std::string_view text) {
  std::string line;
  for (char c : text) {
    if (c == '\n' || c == '\t' || c == '\r') c = ' ';
    if (c == ' ' && (line.empty() || line.back() == ' ')) continue;
    line += c;
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// The five characters of `FATAL:  28P01: …`, which verbose messages carry; "" when the failure was
/// not the server's word.
/// Source: PostgreSQL, libpq, PQsetErrorVerbosity.
std::string SqlStateIn(std::string_view message) {
  for (size_t at = message.find(":  "); at != std::string_view::npos;
       at = message.find(":  ", at + 1)) {
    std::string_view state = message.substr(at + 3, 6);
    bool is_state = state.size() == 6 && state[5] == ':';
    for (size_t i = 0; is_state && i < 5; ++i) {
      is_state = (state[i] >= '0' && state[i] <= '9') || (state[i] >= 'A' && state[i] <= 'Z');
    }
    if (is_state) return std::string(state.substr(0, 5));
  }
  return {};
}

/// What libpq says, in one line. Verbose messages name the server's source file, and a refused
/// connection ends in a question: of no use to the reader. Hosts that were tried are told apart.
std::string FailureIn(std::string_view message) {
  std::string words;
  for (const auto part : std::views::split(message.substr(0, message.find("\nLOCATION:")), '\n')) {
    const std::string_view line(part.begin(), part.end());
    if (line.starts_with("\tIs the server running ")) continue;
    const bool another = !words.empty() && line.starts_with("connection to server ");
    words += fmt::format("{}{}", another ? "; " : " ", line);
  }
  return OneLine(words);
}

Status ConnectError(const Config& config, Connection::Mode mode, PGconn* connection) {
  std::string message = PQerrorMessage(connection);
  std::string state = SqlStateIn(message);
  std::string words = FailureIn(message);
  if (!config.password.empty()) {
    // libpq does not quote passwords, but a message that does must never get out.
    size_t at = words.find(config.password.Reveal());
    if (config.password.Reveal().size() >= 4 && at != std::string::npos)
      words = "(message withheld: it held the password)";
  }
  std::string user(config.parameter("user"));
  ErrorClass error_class = ErrorClass::SOURCE_UNREACHABLE;
  std::string remedy;
  if (state.starts_with("28") || PQconnectionNeedsPassword(connection) != 0 ||
      Contains(words, "no password supplied")) {
    error_class = ErrorClass::SOURCE_AUTH;
  } else if (state == "3D000") {
    error_class = ErrorClass::SOURCE_DATABASE_MISSING;
  } else if (state == "42501") {
    error_class = ErrorClass::SOURCE_PRIVILEGE;
    remedy = mode == Connection::Mode::kReplication
                 ? fmt::format("ALTER ROLE {} REPLICATION;", QuoteIdentifier(user))
                 : fmt::format("GRANT CONNECT ON DATABASE {} TO {};",
                               QuoteIdentifier(config.parameter("dbname")), QuoteIdentifier(user));
  } else if (state == "53300" && mode == Connection::Mode::kReplication) {
    error_class = ErrorClass::SOURCE_NO_FREE_SLOT;
    remedy = "ALTER SYSTEM SET max_wal_senders = 20; then restart the server.";
  } else if (state.empty() &&
             (Contains(words, "SSL") || Contains(words, "certificate") || Contains(words, "ssl"))) {
    error_class = ErrorClass::SOURCE_TLS;
  }
  Status status = Error(error_class, "cannot connect: {}", words).With("source", Describe(config));
  return remedy.empty() ? status : std::move(status).WithRemedy(remedy);
}

/// Drive libpq's connecting to its end or the deadline. Source: libpq, PQconnectPoll.
bool FinishConnecting(PGconn* connection, Deadline deadline) {
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
    pollfd descriptor{PQsocket(connection),
                      static_cast<short>(status == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    if (steady_clock::now() >= deadline) return false;
    if (poll(&descriptor, 1, MillisecondsUntil(deadline)) > 0) status = PQconnectPoll(connection);
  }
  return true;
}

milliseconds ConnectTimeout(const Config& config) {
  int seconds = 0;
  std::string_view text = config.parameter("connect_timeout");
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return seconds > 0 ? std::chrono::seconds(seconds) : limits::kConnectWaitMax;
}

/// Whether a statement that failed would have succeeded at another moment: it lost to another one,
/// to a standby's recovery or to a person, or the catalog changed under it; the server has no state
/// of its own for that, and the words are not translated.
/// Source: PostgreSQL, "PostgreSQL Error Codes", class 40; "Handling Query Conflicts";
/// src/backend/access/heap/heapam.c, simple_heap_update; relation.c, relation_open.
bool IsOfTheMoment(std::string_view state, std::string_view words) {
  if (state == "40001" || state == "40P01" || state == "57014") return true;
  return state == "XX000" &&
         (Contains(words, "cache lookup failed") || Contains(words, "tuple concurrently") ||
          Contains(words, "could not open relation with OID"));
}

}  // namespace

std::string_view Rows::text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}

int64_t Rows::number(int row, int column) const {
  std::string_view digits = text(row, column);
  int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::Connect(const Config& config, Mode mode,
                                                        bool* needs_password) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  auto add = [&](const char* keyword, const char* value) {
    keywords.push_back(keyword);
    values.push_back(value);
  };
  // Earlier ones may be overridden by the user's, later ones override them: libpq takes the last.
  add("keepalives_idle", "10");
  add("keepalives_interval", "5");
  add("keepalives_count", "3");
  add("tcp_user_timeout", "30000");
  for (const auto& [keyword, value] : config.parameters) add(keyword.c_str(), value.c_str());
  std::string options(config.parameter("options"));
  options += options.empty() ? "" : " ";
  options += kSettings;
  // The last of two counts. Source: PostgreSQL, "Shell Interaction During Client Connections".
  if (config.statement_timeout.count() > 0)
    options += fmt::format(" -c statement_timeout={}", config.statement_timeout.count());
  add("options", options.c_str());
  add("client_encoding", "UTF8");
  add("application_name", "freshet");
  if (!config.password.empty()) add("password", config.password.Reveal().c_str());
  if (!config.tls_key_password.empty())
    add("sslpassword", config.tls_key_password.Reveal().c_str());
  if (mode == Mode::kReplication) add("replication", "database");
  add(nullptr, nullptr);

  auto connection = std::unique_ptr<Connection>(
      new Connection(PQconnectStartParams(keywords.data(), values.data(), 0), config));  // NOLINT
  FRESHET_ASSERT(connection->handle() != nullptr);
  PQsetErrorVerbosity(connection->handle(), PQERRORS_VERBOSE);
  auto timeout = ConnectTimeout(config);
  if (PQstatus(connection->handle()) != CONNECTION_BAD &&
      !FinishConnecting(connection->handle(), steady_clock::now() + timeout)) {
    return Error(ErrorClass::SOURCE_UNREACHABLE, "the server did not answer within {} ms",
                 timeout.count())
        .With("source", Describe(config));
  }
  if (PQstatus(connection->handle()) != CONNECTION_OK) {
    if (needs_password != nullptr)
      *needs_password = PQconnectionNeedsPassword(connection->handle()) != 0;
    return ConnectError(config, mode, connection->handle());
  }
  PQsetErrorVerbosity(connection->handle(), PQERRORS_DEFAULT);
  connection->observes_ = mode == Mode::kObserve;
  FRESHET_CHECK_OK(connection->SetUp());
  // A server that does not know its encoding converts nothing, but refuses to send what is not
  // UTF-8, row and all. The bytes are taken as they are; the decoder sees to them.
  const char* encoding = PQparameterStatus(connection->handle(), "server_encoding");
  if (encoding != nullptr && std::string_view(encoding) == "SQL_ASCII" &&
      PQsetClientEncoding(connection->handle(), "SQL_ASCII") != 0) {
    return Error(ErrorClass::SOURCE_UNREACHABLE, "the client encoding cannot be set: {}",
                 OneLine(PQerrorMessage(connection->handle())))
        .With("source", Describe(config));
  }
  return connection;
}

Status Connection::ErrorOf(const PGresult* result) {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  sql_state_ = state == nullptr ? "" : state;
  // A foreign server's loss is a failed statement: the session goes on.
  const char* severity =
      result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  const bool goes_on = severity != nullptr && std::string_view(severity) == "ERROR" &&
                       PQstatus(handle()) == CONNECTION_OK;
  const bool lost = sql_state_.starts_with("08") || sql_state_.starts_with("57P");
  const bool ended = severity != nullptr && std::string_view(severity) != "ERROR";
  if (state == nullptr || ended || (lost && !goes_on)) {
    return Error(
        ErrorClass::SOURCE_UNREACHABLE, "the connection to the source was lost: {}",
        OneLine(result == nullptr ? PQerrorMessage(handle()) : PQresultErrorMessage(result)));
  }
  const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  const char* detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
  std::string words = OneLine(primary == nullptr ? "" : primary);
  if (detail != nullptr) words += fmt::format(" ({})", OneLine(detail));
  ErrorClass error_class = ErrorClass::SOURCE_QUERY;
  if (IsOfTheMoment(sql_state_, words)) error_class = ErrorClass::SOURCE_INTERRUPTED;
  if (sql_state_ == "22P05") error_class = ErrorClass::SOURCE_ENCODING;
  if (sql_state_ == "42501") error_class = ErrorClass::SOURCE_PRIVILEGE;
  if (sql_state_ == "53400") error_class = ErrorClass::SOURCE_NO_FREE_SLOT;
  if (sql_state_ == "55006") error_class = ErrorClass::SLOT_IN_USE;
  if (sql_state_ == "55P03") error_class = ErrorClass::SOURCE_BLOCKED;
  if (sql_state_.starts_with("53") && error_class == ErrorClass::SOURCE_QUERY)
    error_class = ErrorClass::SOURCE_UNREACHABLE;
  return Error(error_class, "the source says: {}", words).With("sqlstate", sql_state_);
}

std::string QuoteIdentifier(std::string_view name) {
  std::string quoted = "\"";
  for (char c : name) {
    if (c == '"') quoted += c;
    quoted += c;
  }
  return quoted + "\"";
}

std::string QuoteLiteral(std::string_view text) {
  std::string quoted = "'";
  for (char c : text) {
    if (c == '\'') quoted += c;
    quoted += c;
  }
  return quoted + "'";
}

std::string ArrayParameter(const std::vector<std::string>& texts) {
  std::string array = "{";
  for (const auto& text : texts) {
    if (array.size() > 1) array += ',';
    array += '"';
    for (char c : text) {
      if (c == '"' || c == '\\') array += '\\';
      array += c;
    }
    array += '"';
  }
  return array + "}";
}

}  // namespace freshet::sources::postgres
