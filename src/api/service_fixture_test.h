// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>

#include "api/conformance_test.h"
#include "api/service.h"
#include "base/log.h"
#include "base/random.h"
#include "pipeline/update_runner.h"

namespace freshet::api {

/// A service over a fresh database, with one administrator, and what it takes to ask it.
class ServiceFixture {
 public:
  ServiceFixture() {
    spdlog::set_level(spdlog::level::off);
    std::filesystem::create_directories(folder_);
    std::array<store::Migrations, 2> migrations{catalog::kMigrations, pipeline::kMigrations};
    database_ = std::move(store::Database::Open(folder_ + "/freshet.db", migrations)).value();
    catalog_ = std::make_unique<catalog::Catalog>(
        database_.get(), *catalog::SecretBox::FromKey(Secret(RandomHex(32))), &clock_);
    principals_ = std::make_unique<catalog::Principals>(database_.get());
    identity_ = std::make_unique<catalog::Identity>(database_.get(), principals_.get(), &clock_);
    grants_ = std::make_unique<catalog::Grants>(database_.get());
    access_ = std::make_unique<catalog::Access>(catalog_.get(), grants_.get());
    permissions_ = std::make_unique<catalog::Permissions>(database_.get());
    audit_ = std::make_unique<catalog::AuditLog>(database_.get(), &clock_, std::chrono::hours(24));
    workspace_ = std::make_unique<catalog::Workspace>(database_.get(), &clock_);
    book_ = std::make_unique<pipeline::PipelineBook>(database_.get(), &clock_);
    parts_ = {.book = book_.get(),
              .catalog = catalog_.get(),
              .clock = &clock_,
              .open_source = OpenSource(),
              .data = folder_,
              .program = {"/bin/false"}};
    runner_ = std::make_unique<pipeline::UpdateRunner>(parts_);
    token_ = TokenOf(principals_->EnsureAdministrator("admin", "Administrator")->id);
    service_ = std::make_unique<Service>(Context{.catalog = catalog_.get(),
                                                 .principals = principals_.get(),
                                                 .identity = identity_.get(),
                                                 .grants = grants_.get(),
                                                 .access = access_.get(),
                                                 .permissions = permissions_.get(),
                                                 .workspace = workspace_.get(),
                                                 .audit = audit_.get(),
                                                 .callers = &callers_,
                                                 .strangers = &strangers_,
                                                 .clock = &clock_,
                                                 .book = book_.get(),
                                                 .runner = runner_.get(),
                                                 .update_parts = &parts_,
                                                 .open_source = OpenSource(),
                                                 .data = folder_,
                                                 .metastore_id = "m",
                                                 .workspace_id = "17"});
  }
  ~ServiceFixture() {
    runner_->Shutdown();
    std::filesystem::remove_all(folder_);
  }

  /// A token of the principal's.
  Secret TokenOf(int64_t principal) const {
    return identity_->AddToken({.owner = principal, .created_by = principal})->text;
  }
  Response Send(const std::string& method, const std::string& target, const std::string& body,
                const std::string& authorization) const {
    Request request;
    request.method = method;
    request.target = target;
    request.body = body;
    request.host = "server:8080";
    request.authorization = authorization;
    auto response = service_->Answer(std::move(request));
    EXPECT_EQ(conformance().BreachOf(method, target, body, response), "")
        << method << " " << target << " " << body << ": " << response.body;
    return response;
  }
  /// A catalog and a connection, which pipelines stand on.
  void MakeMainAndShop() const {
    Post("/api/2.1/unity-catalog/catalogs", {{"name", "main"}});
    Post("/api/2.1/unity-catalog/connections",
         {{"name", "shop"},
          {"connection_type", "POSTGRESQL"},
          {"options", {{"host", "h"}, {"user", "u"}, {"password", "p"}}}});
  }
  /// What every request and answer here is compared with.
  const Conformance& conformance() const {
    static const Conformance kConformance(ParseJsonOrThrow<Json>(DocumentText()));
    return kConformance;
  }
  /// By somebody with this token.
  Response SendAs(const Secret& who, const std::string& method, const std::string& target,
                  const Json& body = Json::object()) const {
    return Send(method, target, JsonText(body), "Bearer " + who.Reveal());
  }
  /// By the administrator, who gets this status.
  Json Ask(const std::string& method, const std::string& target, const Json& body,
           int status) const {
    auto response = SendAs(token_, method, target, body);
    EXPECT_EQ(response.status, status) << method << " " << target << ": " << response.body;
    return ParseJsonOrThrow<Json>(response.body);
  }
  Json Get(const std::string& target, int status = 200) const {
    return Ask("GET", target, Json::object(), status);
  }
  Json Post(const std::string& target, const Json& body, int status = 200) const {
    return Ask("POST", target, body, status);
  }

  const std::string folder_ = testing::TempDir() + "service_" + RandomHex(6);
  SystemClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<catalog::AuditLog> audit_;
  std::unique_ptr<catalog::Workspace> workspace_;
  RateLimiter callers_{&clock_, 0}, strangers_{&clock_, 0};
  std::unique_ptr<catalog::Catalog> catalog_;
  std::unique_ptr<catalog::Principals> principals_;
  std::unique_ptr<catalog::Identity> identity_;
  std::unique_ptr<catalog::Grants> grants_;
  std::unique_ptr<catalog::Access> access_;
  std::unique_ptr<catalog::Permissions> permissions_;
  std::unique_ptr<pipeline::PipelineBook> book_;
  pipeline::UpdateParts parts_;
  std::unique_ptr<pipeline::UpdateRunner> runner_;
  Secret token_;
  std::unique_ptr<Service> service_;

  /// What the service finds where a source should be.
  pipeline::OpenSource open_source_ = [](const pipeline::SourceSettings&) {
    return Error(ErrorClass::SOURCE_UNREACHABLE, "there is no source");
  };

 private:
  std::string DocumentText() const {
    Request request;
    request.method = "GET";
    request.target = "/api/openapi.json";
    return service_->Answer(std::move(request)).body;
  }
  pipeline::OpenSource OpenSource() {
    return [this](const pipeline::SourceSettings& settings) { return open_source_(settings); };
  }
};

}  // namespace freshet::api
