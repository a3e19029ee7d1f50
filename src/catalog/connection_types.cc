// SPDX-License-Identifier: Apache-2.0
#include "catalog/connection_types.h"

#include <algorithm>
#include <array>

namespace freshet::catalog {
namespace {

constexpr bool kSecret = true;
constexpr std::string_view kPassword = "USERNAME_PASSWORD", kM2m = "OAUTH_M2M", kU2m = "OAUTH_U2M",
                           kRefresh = "OAUTH_REFRESH_TOKEN";

const OptionSpec kHost{"host", false, "host name or address"};
const OptionSpec kUser{"user", false, "who connects"};
const OptionSpec kPasswordOption{"password", kSecret, "the user's password"};
const OptionSpec kTrust{"trustServerCertificate", false,
                        "true: encrypted, but the server's certificate is not checked", "false"};
const OptionSpec kCa{"userProvidedServerCertificate", false,
                     "PEM text of the authority that signed the server's certificate"};
const OptionSpec kClient{"client_id", false, "the application's id"};
const OptionSpec kClientSecret{"client_secret", kSecret, "the application's secret"};
const OptionSpec kScope{"oauth_scope", false, "what the application asks for"};
const OptionSpec kRedirect{"oauth_redirect_uri", false, "where the browser returns to"};
const OptionSpec kCode{"authorization_code", kSecret, "what the browser returned with"};
const OptionSpec kVerifier{"pkce_verifier", kSecret, "what belongs to the code"};
const OptionSpec kRefreshToken{"refresh_token", kSecret, "what new access is asked for with"};
const OptionSpec kTokenEndpoint{"token_endpoint", false, "where tokens are asked for"};
const OptionSpec kAccessExpires{"access_token_expiration", false, "of the access token"};
const OptionSpec kRefreshExpires{"refresh_token_expiration", false, "of the refresh token"};

OptionSpec Port(std::string_view standard) { return {"port", false, "TCP port", standard}; }

const CredentialMode kByPassword{kPassword, {"host", "user", "password"}};
const CredentialMode kByBrowser{kU2m, {"client_id", "client_secret"}};
const CredentialMode kByRefreshToken{kRefresh, {"client_id", "client_secret", "refresh_token"}};

std::vector<ConnectionType> Databases() {
  return {
      {"MYSQL", false, {kHost, Port("3306"), kUser, kPasswordOption, kTrust, kCa}, {kByPassword}},
      {"ORACLE",
       false,
       {kHost,
        Port("1521"),
        {"service_name", false, "the service"},
        {"encryption_protocol", false, "native network encryption, or TLS"},
        kCa,
        kUser,
        kPasswordOption},
       {{kPassword, {"host", "service_name", "user", "password"}}}},
      {"POSTGRESQL",
       true,
       {kHost,
        Port("5432"),
        kUser,
        kPasswordOption,
        kTrust,
        kCa,
        {"sslmode", false, "libpq's word, where it is not what the two above say", "verify-full"}},
       {kByPassword}},
      {"SQLSERVER",
       false,
       {kHost,
        Port("1433"),
        kUser,
        kPasswordOption,
        kTrust,
        {"applicationIntent", false, "ReadOnly or ReadWrite"},
        kClient,
        kClientSecret,
        kScope,
        kTokenEndpoint,
        kAccessExpires},
       {kByPassword, {kM2m, {"host", "client_id", "client_secret"}}}},
      {"TERADATA",
       false,
       {kHost,
        Port("1025"),
        {"ssl_mode", false, "how the connection is encrypted"},
        kUser,
        kPasswordOption},
       {kByPassword}},
  };
}

std::vector<ConnectionType> Applications() {
  const OptionSpec instance{"instance_url", false, "the instance's address"};
  const OptionSpec domain{"domain", false, "the site's domain"};
  const OptionSpec key{"GoogleServiceAccountKeyJson", kSecret,
                       "the service account's key, as JSON"};
  const std::vector<OptionSpec> browser{kClient,       kClientSecret,  kScope,
                                        kRedirect,     kCode,          kVerifier,
                                        kRefreshToken, kAccessExpires, kRefreshExpires};
  auto with = [&](std::vector<OptionSpec> options) {
    options.insert(options.end(), browser.begin(), browser.end());
    return options;
  };
  return {
      {"CONFLUENCE", false, with({domain}), {kByBrowser}},
      {"GA4_RAW_DATA",
       false,
       with({key, {"projectId", false, "the project of the export"}}),
       {{"SERVICE_CREDENTIAL", {"GoogleServiceAccountKeyJson"}}, kByBrowser}},
      {"GOOGLE_DRIVE",
       false,
       with({key}),
       {{"SERVICE_CREDENTIAL", {"GoogleServiceAccountKeyJson"}}, kByBrowser}},
      {"NETSUITE",
       false,
       {kHost,
        Port("1708"),
        {"account_id", false, "the account"},
        {"role_id", false, "the role"},
        {"data_source", false, "the data source", "NetSuite2.com"},
        {"consumer_key", kSecret, "the integration's key"},
        {"consumer_secret", kSecret, "its secret"},
        {"token_id", kSecret, "the token"},
        {"token_secret", kSecret, "its secret"}},
       {{"ANY_STATIC_CREDENTIAL",
         {"host", "account_id", "role_id", "consumer_key", "consumer_secret", "token_id",
          "token_secret"}}}},
      {"SALESFORCE",
       false,
       with({instance,
             {"is_sandbox", false, "true: a sandbox", "false"},
             {"client_certificate", kSecret, "PEM text of the client's certificate"},
             {"client_private_key", kSecret, "PEM text of its key"}}),
       {kByBrowser}},
      {"SERVICENOW",
       false,
       with({instance, kUser, kPasswordOption}),
       {{"OAUTH_RESOURCE_OWNER_PASSWORD",
         {"instance_url", "client_id", "client_secret", "user", "password"}},
        {kU2m, {"instance_url", "client_id", "client_secret"}}}},
      {"SHAREPOINT",
       false,
       with({domain, {"tenant_id", false, "the tenant"}}),
       {kByRefreshToken, {kM2m, {"tenant_id", "client_id", "client_secret"}}}},
      {"WORKDAY_RAAS",
       false,
       with({kUser, {"username", false, "as user"}, kPasswordOption, kTokenEndpoint}),
       {{kPassword, {"user", "password"}}, {kPassword, {"username", "password"}}, kByRefreshToken}},
  };
}

/// Systems of which only what clients send is known: kept as it is.
std::vector<ConnectionType> Others() {
  std::vector<ConnectionType> types;
  for (auto name : {"BIGQUERY",    "DYNAMICS365",    "GENERIC_LAKEFLOW_CONNECT",
                    "GITHUB",      "GOOGLE_ADS",     "HTTP",
                    "HUBSPOT",     "JDBC",           "JIRA",
                    "KAFKA",       "META_MARKETING", "OUTLOOK",
                    "REDSHIFT",    "SFTP",           "SMARTSHEET",
                    "SNOWFLAKE",   "SQLDW",          "TIKTOK_ADS",
                    "WORKDAY_HCM", "ZENDESK"}) {
    types.push_back({.name = name, .built = false, .options = {}, .modes = {}, .open = true});
  }
  return types;
}

/// Of an option that no type of ours names. What is not known to be plain may be a secret.
bool IsPlain(std::string_view name) {
  constexpr std::array<std::string_view, 11> kPlain{"host",
                                                    "port",
                                                    "url",
                                                    "region",
                                                    "client_id",
                                                    "tenant_id",
                                                    "oauth_scope",
                                                    "oauth_redirect_uri",
                                                    "token_endpoint",
                                                    "sasl_mechanism",
                                                    "bootstrap_servers"};
  constexpr std::array<std::string_view, 5> kOfSnowflake{"sfUrl", "sfDatabase", "sfSchema",
                                                         "sfWarehouse", "sfRole"};
  return std::ranges::find(kPlain, name) != kPlain.end() ||
         std::ranges::find(kOfSnowflake, name) != kOfSnowflake.end() ||
         name.ends_with("_expiration");
}

Status CheckValue(std::string_view name, const std::string& value) {
  if (value.find('\0') != std::string::npos)
    return Error(ErrorClass::INVALID_ARGUMENT, "option {} holds a null character", name);
  auto digits = [&] {
    return !value.empty() && value.size() <= 5 &&
           std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
  };
  if (name == "port" && (!digits() || std::stoi(value) < 1 || std::stoi(value) > 65535))
    return Error(ErrorClass::INVALID_ARGUMENT, "option port is not a number from 1 to 65535");
  if (name == "trustServerCertificate" && value != "true" && value != "false")
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "option trustServerCertificate is not true or false");
  return Status::Ok();
}

}  // namespace

const std::vector<ConnectionType>& ConnectionTypes() {
  static const std::vector<ConnectionType> kTypes = [] {
    auto types = Databases();
    for (auto more : {Applications(), Others()})
      types.insert(types.end(), more.begin(), more.end());
    std::ranges::sort(types, {}, &ConnectionType::name);
    return types;
  }();
  return kTypes;
}

const ConnectionType* ConnectionTypeNamed(std::string_view name) {
  auto found = std::ranges::find(ConnectionTypes(), name, &ConnectionType::name);
  return found == ConnectionTypes().end() ? nullptr : &*found;
}

Result<SplitOptions> Split(const ConnectionType& type, const Texts& options) {
  SplitOptions split;
  for (const auto& [name, value] : options) {
    auto known = std::ranges::find(type.options, name, &OptionSpec::name);
    if (known == type.options.end() && !type.open) {
      return Error(ErrorClass::INVALID_ARGUMENT, "{} has no option '{}'", type.name, name)
          .WithRemedy(
              "GET /api/2.1/unity-catalog/connection-types lists the options of each type.");
    }
    FRESHET_CHECK_OK(CheckValue(name, value));
    bool secret = known == type.options.end() ? !IsPlain(name) : known->secret;
    if (secret) {
      split.secrets[name] = Secret(value);
    } else {
      split.plain[name] = value;
    }
  }
  return split;
}

Result<std::string_view> CredentialOf(const ConnectionType& type, const Texts& plain,
                                      const std::vector<std::string>& secret_names) {
  if (type.modes.empty()) return std::string_view("ANY_STATIC_CREDENTIAL");
  auto missing = [&](const CredentialMode& mode) {
    auto found = std::ranges::find_if(mode.required, [&](auto name) {
      return !plain.contains(std::string(name)) &&
             std::ranges::find(secret_names, name) == secret_names.end();
    });
    return found == mode.required.end() ? std::string_view() : *found;
  };
  for (const auto& mode : type.modes) {
    if (missing(mode).empty()) return mode.credential_type;
  }
  std::string remedy;
  for (const auto& mode : type.modes) {
    remedy += fmt::format("{}{}: {}", remedy.empty() ? "Give " : "; or ", mode.credential_type,
                          fmt::join(mode.required, ", "));
  }
  return Error(ErrorClass::INVALID_ARGUMENT, "{} connections need the option '{}'", type.name,
               missing(type.modes[0]))
      .WithRemedy(remedy + ".");
}

}  // namespace freshet::catalog
