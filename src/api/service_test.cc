// SPDX-License-Identifier: Apache-2.0
#include "api/service_fixture_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <thread>

#include "store/file_store.h"

namespace freshet::api {
namespace {

using testing::HasSubstr;
using testing::Not;

class ServiceTest : public testing::Test, protected ServiceFixture {
 protected:
  ServiceTest() {
    Post("/api/2.1/unity-catalog/catalogs", {{"name", "main"}});
    Post("/api/2.1/unity-catalog/schemas", {{"catalog_name", "main"}, {"name", "Sales"}});
  }
};

TEST_F(ServiceTest, NothingIsSaidWithoutAToken) {
  auto document = Get("/api/openapi.json");
  int routes = 0;
  for (const auto& [pattern, operations] : document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      if (operation.contains("security")) continue;
      auto target = pattern;
      for (auto at = target.find('{'); at != std::string::npos; at = target.find('{'))
        target.replace(at, target.find('}') - at + 1, "main");
      std::string verb = method;
      for (auto& c : verb) c = static_cast<char>(c - 'a' + 'A');
      for (const auto* wrong :
           {"", "Bearer", "Bearer ", "Bearer dapi00", "Basic YTpi", "bearer x"}) {
        auto refused = Send(verb, target, "{}", wrong);
        EXPECT_EQ(refused.status, 401) << verb << " " << target << " " << wrong;
        EXPECT_EQ(ParseJsonOrThrow<Json>(refused.body)["error_code"], "UNAUTHENTICATED");
      }
      ++routes;
    }
  }
  EXPECT_GT(routes, 30);
  EXPECT_EQ(Send("GET", "/no/such/route", "", "").status, 401);
  EXPECT_EQ(Send("GET", "/../etc/passwd", "", "").status, 401);
  EXPECT_EQ(Send("GET", "/health", "", "").status, 200);
  EXPECT_EQ(Send("GET", "/ready", "", "").status, 503);
  service_->SetReady(true);
  EXPECT_EQ(Send("GET", "/ready", "", "").status, 200);
}

TEST_F(ServiceTest, WhatIsNotThereIsToldInThePublishedWay) {
  EXPECT_EQ(Get("/api/2.0/nothing", 404)["error_code"], "ENDPOINT_NOT_FOUND");
  auto missing = Get("/api/2.1/unity-catalog/schemas/main.none", 404);
  EXPECT_EQ(missing["message"], "Schema 'main.none' does not exist.");
  EXPECT_EQ(Get("/api/2.1/unity-catalog/schemas/main", 400)["error_code"],
            "INVALID_PARAMETER_VALUE");
  Get("/api/2.1/unity-catalog/schemas/%2e%2e", 400);
  Get("/api/2.1/unity-catalog/schemas?catalog_name=none", 404);
  Get("/api/2.1/unity-catalog/schemas?catalog_name=main&max_results=x", 400);
}

TEST_F(ServiceTest, NoBodyIsReceivedFromAStranger) {
  for (bool known : {false, true}) {
    bool received = false;
    Request request;
    request.method = "POST";
    request.target = "/api/2.1/unity-catalog/catalogs";
    request.authorization = "Bearer " + (known ? token_.Reveal() : std::string("none"));
    auto response = service_->Answer(std::move(request), [&](Request*, const BodySink&) {
      received = true;
      return ErrorResponse(413, "INVALID_PARAMETER_VALUE", "too large");
    });
    EXPECT_EQ(received, known);
    EXPECT_EQ(response.status, known ? 413 : 401);
  }
}

TEST_F(ServiceTest, ObjectsWithTooManyKeysAreRefused) {
  auto properties = [](int number) {
    auto keys = Json::object();
    for (int i = 0; i < number; ++i) keys.push_back({std::to_string(i), "x"});
    return keys;
  };
  auto refused = Post("/api/2.1/unity-catalog/catalogs",
                      {{"name", "many"}, {"properties", properties(10'001)}}, 400);
  EXPECT_THAT(refused["message"], HasSubstr("more than 10000 keys"));
  Post("/api/2.1/unity-catalog/catalogs", {{"name", "some"}, {"properties", properties(100)}});
}

TEST_F(ServiceTest, APageGoesOnWhereTheLastOneEndedAlsoWhenThatIsGone) {
  for (const auto* name : {"a", "b", "c", "d"}) {
    ASSERT_TRUE(
        book_
            ->Add({.id = std::string("id-") + name, .name = name, .spec = "{}", .parameters = "{}"},
                  false)
            .ok());
  }
  for (const auto* order : {"name%20asc", "id%20asc"}) {
    auto target = std::string("/api/2.0/pipelines?max_results=2&order_by=") + order;
    auto first = Ask("GET", target, Json::object(), 200);
    ASSERT_EQ(first["statuses"].size(), 2U);
    auto gone = first["statuses"][1]["pipeline_id"].get<std::string>();
    ASSERT_TRUE(book_->Remove(gone).ok());
    auto next = Ask("GET", target + "&page_token=" + first["next_page_token"].get<std::string>(),
                    Json::object(), 200);
    ASSERT_EQ(next["statuses"].size(), 2U);
    EXPECT_EQ(next["statuses"][0]["name"], "c");
    ASSERT_TRUE(
        book_->Add({.id = gone, .name = "b", .spec = "{}", .parameters = "{}"}, false).ok());
  }
  Ask("GET", "/api/2.0/pipelines?page_token=2", Json::object(), 400);
}

TEST_F(ServiceTest, UnknownFieldsAreRefusedByName) {
  auto refused =
      Post("/api/2.1/unity-catalog/catalogs", {{"name", "other"}, {"storage_rot", "x"}}, 400);
  EXPECT_THAT(refused["message"], HasSubstr("storage_rot is not a field"));
  refused = Post("/api/2.1/unity-catalog/catalogs", {{"name", "other"}, {"share_name", "x"}}, 400);
  EXPECT_THAT(refused["message"], HasSubstr("share_name is not supported yet"));
  Post("/api/2.1/unity-catalog/catalogs", {{"comment", "no name"}}, 400);
}

TEST_F(ServiceTest, StorageLiesWhereItIsSaidButNotInTheServersOwn) {
  auto made = Post("/api/2.1/unity-catalog/catalogs",
                   {{"name", "far"}, {"storage_root", "file:///srv/far/"}});
  EXPECT_EQ(made["storage_location"], "file:///srv/far");
  auto schema = Post("/api/2.1/unity-catalog/schemas", {{"catalog_name", "far"}, {"name", "Near"}});
  EXPECT_EQ(schema["storage_location"], "file:///srv/far/near");
  for (const auto& root :
       {std::string("s3://bucket/x"), std::string("/plain"), std::string("file://relative"),
        std::string("file:///a/../b"), std::string("file:///"), "file://" + folder_,
        "file://" + folder_ + "/tables/x", std::string("file:///a/%2e%2e/b")})
    Post("/api/2.1/unity-catalog/catalogs", {{"name", "wrong"}, {"storage_root", root}}, 400);
  Post("/api/2.1/unity-catalog/volumes",
       {{"catalog_name", "main"},
        {"schema_name", "sales"},
        {"name", "v"},
        {"volume_type", "EXTERNAL"}},
       400);
  auto volume = Post("/api/2.1/unity-catalog/volumes", {{"catalog_name", "MAIN"},
                                                        {"schema_name", "SALES"},
                                                        {"name", "V"},
                                                        {"volume_type", "MANAGED"}});
  EXPECT_EQ(volume["full_name"], "main.sales.V");
  EXPECT_THAT(volume["storage_location"], HasSubstr(folder_ + "/volumes/"));
}

TEST_F(ServiceTest, SecretsGoInAndNeverComeOut) {
  Json connection{{"name", "shop"},
                  {"connection_type", "POSTGRESQL"},
                  {"options", {{"host", "h"}, {"user", "alice"}, {"password", "hunter2"}}}};
  auto text = JsonText(Post("/api/2.1/unity-catalog/connections", connection));
  text += JsonText(Get("/api/2.1/unity-catalog/connections/SHOP"));
  text += JsonText(Get("/api/2.1/unity-catalog/connections"));
  text += JsonText(Ask("PATCH", "/api/2.1/unity-catalog/connections/shop",
                       {{"options", {{"host", "h2"}}}}, 200));
  text += JsonText(Post("/api/2.1/unity-catalog/connections", connection, 409));
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
  EXPECT_THAT(text, Not(HasSubstr("\"password\"")));
  // Who connects is no secret, and stays although a client does not send it again.
  auto kept = Get("/api/2.1/unity-catalog/connections/shop")["options"];
  EXPECT_EQ(kept, (Json{{"host", "h2"}, {"user", "alice"}}));
  auto secrets = catalog_->SecretsOf(*catalog_->Get(catalog::Kind::kConnection, {"shop"}));
  EXPECT_EQ(secrets->at("password").Reveal(), "hunter2");
  connection["name"] = "other";
  connection["options"].erase("password");
  auto refused = Post("/api/2.1/unity-catalog/connections", connection, 400);
  EXPECT_THAT(refused["message"], HasSubstr("need the option 'password'"));
}

TEST_F(ServiceTest, OnlySomeWaitForASourceAtOnce) {
  Post("/api/2.1/unity-catalog/connections",
       {{"name", "shop"},
        {"connection_type", "POSTGRESQL"},
        {"options", {{"host", "h"}, {"user", "u"}, {"password", "p"}}}});
  std::mutex mutex;
  std::condition_variable changed;
  int waiting = 0;
  bool released = false;
  open_source_ = [&](const auto& settings) -> Result<std::unique_ptr<sources::Source>> {
    EXPECT_EQ(settings.parameter("connect_timeout"), "10");
    EXPECT_EQ(settings.parameter("freshet_statement_timeout"), "20000");
    std::unique_lock lock(mutex);
    ++waiting;
    changed.notify_all();
    changed.wait(lock, [&] { return released; });
    return Error(ErrorClass::SOURCE_UNREACHABLE, "it never answered");
  };
  constexpr char kTest[] = "/api/2.1/unity-catalog/connections/shop/test";
  auto test = [&] { return Send("POST", kTest, "{}", "Bearer " + token_.Reveal()); };
  std::vector<std::jthread> clients;
  for (int i = 0; i < 2; ++i) clients.emplace_back([&] { EXPECT_EQ(test().status, 200); });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting == 2; });
  }
  auto third = test();
  EXPECT_EQ(third.status, 429) << third.body;
  EXPECT_EQ(ParseJsonOrThrow<Json>(third.body)["error_code"], "REQUEST_LIMIT_EXCEEDED");
  EXPECT_THAT(third.headers, testing::Contains(testing::Pair("Retry-After", "2")));
  // Who asks for anything else is not held up.
  Get("/api/2.1/unity-catalog/connections/shop");
  {
    std::lock_guard lock(mutex);
    released = true;
  }
  changed.notify_all();
  clients.clear();
  EXPECT_EQ(test().status, 200);
}

TEST_F(ServiceTest, TablesAreWhatTheirLogsSay) {
  catalog::Securable table{.kind = catalog::Kind::kTable, .path = {"main", "sales", "Orders"}};
  auto place = folder_ + "/orders";
  table.facts = {{"table_type", "STREAMING_TABLE"},
                 {"storage_location", "file://" + place},
                 {"pipeline_id", "p"}};
  ASSERT_TRUE(catalog_->Create(table, {}, "admin").ok());
  EXPECT_TRUE(Get("/api/2.1/unity-catalog/tables/main.sales.ORDERS")["columns"].empty());
  // To look is not to make.
  EXPECT_FALSE(std::filesystem::exists(place));
  auto store = store::OpenLocalStore(place);
  ASSERT_TRUE(store.ok());
  constexpr std::string_view kLog = R"({"protocol":{"minReaderVersion":1,"minWriterVersion":2}}
{"metaData":{"id":"1","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}},{\"name\":\"amount\",\"type\":\"decimal(12,2)\",\"nullable\":true,\"metadata\":{}},{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"elementType\":\"string\",\"containsNull\":true},\"nullable\":true,\"metadata\":{}}]}","partitionColumns":[],"configuration":{"freshet.x":"y"},"createdTime":1}}
)";
  ASSERT_TRUE((*store)->Put("_delta_log/00000000000000000000.json", kLog, store::If::kAbsent).ok());
  auto found = Get("/api/2.1/unity-catalog/tables/main.sales.orders");
  EXPECT_EQ(found["full_name"], "main.sales.Orders");
  EXPECT_EQ(found["pipeline_id"], "p");
  EXPECT_EQ(found["properties"]["freshet.x"], "y");
  ASSERT_EQ(found["columns"].size(), 3U);
  EXPECT_EQ(found["columns"][0]["type_name"], "LONG");
  EXPECT_EQ(found["columns"][0]["type_text"], "bigint");
  EXPECT_EQ(found["columns"][1]["type_scale"], 2);
  EXPECT_EQ(found["columns"][2]["type_text"], "array<string>");
  EXPECT_EQ(
      Get("/api/2.1/unity-catalog/tables?catalog_name=main&schema_name=sales")["tables"].size(),
      1U);
  EXPECT_EQ(Get("/api/2.1/unity-catalog/tables/main.sales.orders/exists")["table_exists"], true);
  EXPECT_EQ(Get("/api/2.1/unity-catalog/tables/main.sales.none/exists")["table_exists"], false);
}

TEST_F(ServiceTest, ATableThatCannotBeReadDoesNotHideTheOthers) {
  for (const auto* name : {"bad", "empty"}) {
    catalog::Securable table{.kind = catalog::Kind::kTable, .path = {"main", "sales", name}};
    table.facts = {{"storage_location", "file://" + folder_ + "/" + name}};
    ASSERT_TRUE(catalog_->Create(table, {}, "admin").ok());
  }
  constexpr std::string_view kLog = R"({"protocol":{"minReaderVersion":1,"minWriterVersion":2}}
{"metaData":{"id":"1","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"array\"}}]}","partitionColumns":[],"configuration":{},"createdTime":1}}
)";
  auto store = store::OpenLocalStore(folder_ + "/bad");
  ASSERT_TRUE((*store)->Put("_delta_log/00000000000000000000.json", kLog, store::If::kAbsent).ok());
  auto tables = Get("/api/2.1/unity-catalog/tables?catalog_name=main&schema_name=sales")["tables"];
  ASSERT_EQ(tables.size(), 2U);
  EXPECT_FALSE(tables[0].contains("columns"));
  EXPECT_TRUE(tables[1].contains("columns"));
  Get("/api/2.1/unity-catalog/tables/main.sales.bad", 400);
}

TEST_F(ServiceTest, GrantsReachWhatIsWithin) {
  Json change{{"changes", {{{"principal", "bob"}, {"add", {"USE_CATALOG", "SELECT"}}}}}};
  Ask("PATCH", "/api/2.1/unity-catalog/permissions/CATALOG/main", change, 200);
  auto own = Get("/api/2.1/unity-catalog/permissions/schema/main.sales");
  EXPECT_TRUE(own["privilege_assignments"].empty());
  auto effective =
      Get("/api/2.1/unity-catalog/effective-permissions/schema/main.sales?principal=bob");
  auto privileges = effective["privilege_assignments"][0]["privileges"];
  ASSERT_EQ(privileges.size(), 2U);
  EXPECT_EQ(privileges[0]["inherited_from_name"], "main");
  change["changes"][0]["remove"] = {"SELECT"};
  Ask("PATCH", "/api/2.1/unity-catalog/permissions/catalog/main", change, 400);
  Get("/api/2.1/unity-catalog/permissions/planet/main", 400);
  Get("/api/2.1/unity-catalog/permissions/catalog/none", 404);
}

TEST_F(ServiceTest, ClientsFindTheirWorkspace) {
  auto response = Send("GET", "/api/2.0/preview/scim/v2/Me", "", "Bearer " + token_.Reveal());
  EXPECT_EQ(ParseJsonOrThrow<Json>(response.body)["userName"], "admin");
  bool told = false;
  for (const auto& [name, value] : response.headers)
    told |= name == "X-Databricks-Org-Id" && value == "17";
  EXPECT_TRUE(told);
  auto made = Post("/api/2.0/token/create", {{"comment", "ci"}, {"lifetime_seconds", 60}});
  auto second = "Bearer " + made["token_value"].get<std::string>();
  EXPECT_EQ(Send("GET", "/api/2.0/preview/scim/v2/Me", "", second).status, 200);
  EXPECT_THAT(JsonText(Get("/api/2.0/token/list")), Not(HasSubstr("dapi")));
  Post("/api/2.0/token/delete", {{"token_id", made["token_info"]["token_id"]}});
  EXPECT_EQ(Send("GET", "/api/2.0/preview/scim/v2/Me", "", second).status, 401);
  Post("/api/2.0/token/create", {{"lifetime_seconds", 0}}, 400);
}

TEST_F(ServiceTest, EveryChangeIsNotedAndNoSecretIs) {
  const std::string planted = "pl4nted-s3cret";
  Post("/api/2.1/unity-catalog/connections",
       {{"name", "shop"},
        {"connection_type", "POSTGRESQL"},
        {"options", {{"host", "h"}, {"user", "u"}, {"password", planted}}}});
  Ask("PATCH", "/api/2.1/unity-catalog/connections/shop",
      {{"options", {{"host", "h"}, {"password", planted}}}, {"owner", "bob"}}, 200);
  auto token = Post("/api/2.0/token/create", {{"comment", planted}})["token_value"];
  auto ann = principals_->Create({.name = "ann"});
  auto refused = SendAs(TokenOf(ann->id), "DELETE", "/api/2.1/unity-catalog/connections/shop");
  EXPECT_EQ(refused.status, 403);
  Get("/api/2.1/unity-catalog/connections");
  auto entries = Get("/api/2.0/audit-log")["entries"];
  // Two of the fixture's, and four here; to look changes nothing.
  ASSERT_EQ(entries.size(), 6U);
  EXPECT_EQ(entries[0]["principal"], "ann");
  EXPECT_EQ(entries[0]["operation"], "connections.delete");
  EXPECT_EQ(entries[0]["outcome"], "REFUSED");
  EXPECT_EQ(entries[0]["error_code"], "PERMISSION_DENIED");
  EXPECT_EQ(entries[2]["parameters"]["owner"], "bob");
  EXPECT_EQ(entries[3]["parameters"]["name"], "shop");
  EXPECT_EQ(entries[3]["result"]["full_name"], "shop");
  EXPECT_EQ(entries[3]["outcome"], "DONE");
  EXPECT_THAT(JsonText(entries), Not(HasSubstr(planted)));
  EXPECT_THAT(JsonText(entries), Not(HasSubstr(token.get<std::string>())));
  EXPECT_EQ(Get("/api/2.0/audit-log?principal=ANN")["entries"].size(), 1U);
  EXPECT_EQ(Get("/api/2.0/audit-log?operation=connections.create")["entries"].size(), 1U);
  EXPECT_EQ(Get("/api/2.0/audit-log?end_time=1")["entries"].size(), 0U);
  auto page = Get("/api/2.0/audit-log?max_results=4");
  EXPECT_EQ(page["entries"].size(), 4U);
  auto rest = Get("/api/2.0/audit-log?page_token=" + page["next_page_token"].get<std::string>());
  EXPECT_EQ(rest["entries"].size(), 2U);
  // One that was begun and never ended is told as that.
  ASSERT_TRUE(audit_->Begin({.principal = "bob", .operation = "x"}).ok());
  EXPECT_EQ(Get("/api/2.0/audit-log?principal=bob")["entries"][0]["outcome"], "UNKNOWN");
}

}  // namespace
}  // namespace freshet::api
