// SPDX-License-Identifier: Apache-2.0
#include "catalog/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "base/random.h"
#include "catalog/connection_types.h"
#include "catalog/grants.h"

namespace freshet::catalog {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CatalogTest : public testing::Test {
 protected:
  CatalogTest() {
    std::filesystem::create_directories(folder_);
    std::array<store::Migrations, 1> migrations{kMigrations};
    database_ = std::move(store::Database::Open(folder_ + "/freshet.db", migrations)).value();
    auto box = SecretBox::FromKey(Secret(RandomHex(32)));
    catalog_ = std::make_unique<Catalog>(database_.get(), *box, &clock_);
  }
  ~CatalogTest() override { std::filesystem::remove_all(folder_); }

  Result<Securable> Make(Kind kind, Path path) {
    Securable securable{.kind = kind, .path = std::move(path)};
    return catalog_->Create(securable, {}, "alice");
  }
  std::vector<std::string> Names(Kind kind, const Path& parent) {
    std::vector<std::string> names;
    PageRequest request{.rows = 2};
    do {
      auto page = catalog_->List(kind, parent, request);
      EXPECT_TRUE(page.ok()) << page.status().ToString();
      if (!page.ok()) break;
      EXPECT_LE(page->items.size(), 2U);
      for (const auto& item : page->items) names.push_back(item.name());
      request.after = page->next;
    } while (!request.after.empty());
    return names;
  }

  const std::string folder_ = testing::TempDir() + "catalog_" + RandomHex(6);
  SystemClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(CatalogTest, NamesAreFoundWhateverTheirCase) {
  ASSERT_TRUE(Make(Kind::kCatalog, {"Main"}).ok());
  auto schema = Make(Kind::kSchema, {"MAIN", "Sales"});
  ASSERT_TRUE(schema.ok()) << schema.status().ToString();
  EXPECT_THAT(schema->path, ElementsAre("Main", "sales"));
  auto found = catalog_->Get(Kind::kSchema, {"main", "SALES"});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->id, schema->id);
  EXPECT_EQ(found->owner, "alice");
  EXPECT_GT(found->created_at, 1'600'000'000'000);
  EXPECT_TRUE(Make(Kind::kCatalog, {"mAIN"}).status().Is(ErrorClass::ALREADY_EXISTS));
  auto missing = catalog_->Get(Kind::kSchema, {"main", "none"}).status();
  EXPECT_EQ(missing.message(), "Schema 'main.none' does not exist.");
  EXPECT_TRUE(Make(Kind::kSchema, {"none", "s"}).status().Is(ErrorClass::NOT_FOUND));
}

TEST_F(CatalogTest, NamesThatAreNoneAreRefused) {
  for (const auto& name : {std::string(), std::string("a/b"), std::string("a\nb"),
                           std::string(".."), std::string(256, 'x'),
                           std::string("a\x1f"
                                       "b")})
    EXPECT_TRUE(Make(Kind::kCatalog, {name}).status().Is(ErrorClass::INVALID_ARGUMENT)) << name;
  EXPECT_TRUE(Make(Kind::kCatalog, {"with.dot and `quote`"}).ok());
}

TEST_F(CatalogTest, FullNamesAreReadAsTheyAreWritten) {
  for (const Path& path : {Path{"a", "b", "c"}, Path{"a.b", "c`d", "ä"}, Path{"`", ".", "x"}}) {
    auto read = ParseFullName(FullName(path), 3);
    ASSERT_TRUE(read.ok()) << FullName(path);
    EXPECT_EQ(*read, path);
  }
  for (const auto* text :
       {"", "a", "a.b", "a..b", ".a.b", "a.b.", "a.b.c.d", "`a.b.c", "`a`x.b.c", "``.b.c"})
    EXPECT_FALSE(ParseFullName(text, 3).ok()) << text;
}

TEST_F(CatalogTest, ListsComeInPagesInTheOrderOfNames) {
  ASSERT_TRUE(Make(Kind::kCatalog, {"main"}).ok());
  ASSERT_TRUE(Make(Kind::kCatalog, {"main2"}).ok());
  for (const auto* name : {"d", "B", "a", "E", "c"})
    ASSERT_TRUE(Make(Kind::kSchema, {"main", name}).ok());
  ASSERT_TRUE(Make(Kind::kSchema, {"main2", "other"}).ok());
  EXPECT_THAT(Names(Kind::kSchema, {"Main"}), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_FALSE(catalog_->List(Kind::kSchema, {"none"}, {}).ok());
  for (const auto* token : {"zz", "6", "'; DROP TABLE securables; --"}) {
    auto page = catalog_->List(Kind::kSchema, {"main"}, {.rows = 1, .after = token});
    EXPECT_TRUE(page.status().Is(ErrorClass::INVALID_ARGUMENT)) << token;
  }
}

TEST_F(CatalogTest, OnlyWhatIsEmptyGoesWithoutForce) {
  for (const auto* name : {"main", "main2", "main b"}) {
    ASSERT_TRUE(Make(Kind::kCatalog, {name}).ok());
    ASSERT_TRUE(Make(Kind::kSchema, {name, "s"}).ok());
    ASSERT_TRUE(Make(Kind::kTable, {name, "s", "t"}).ok());
  }
  auto refused = catalog_->Drop(Kind::kCatalog, {"main"}, false);
  EXPECT_THAT(refused.ToString(), HasSubstr("Catalog 'main' is not empty."));
  ASSERT_TRUE(catalog_->Drop(Kind::kCatalog, {"MAIN"}, true).ok());
  EXPECT_FALSE(catalog_->Get(Kind::kTable, {"main", "s", "t"}).ok());
  EXPECT_TRUE(catalog_->Get(Kind::kTable, {"main2", "s", "t"}).ok());
  EXPECT_TRUE(catalog_->Get(Kind::kTable, {"main b", "s", "t"}).ok());
  EXPECT_FALSE(catalog_->Drop(Kind::kCatalog, {"main"}, true).ok());
}

TEST_F(CatalogTest, SecretsStayWhenOthersAreSent) {
  Securable connection{.kind = Kind::kConnection, .path = {"shop"}};
  connection.options = {{"host", "a"}};
  auto made = catalog_->Create(
      connection, {{"user", Secret("alice")}, {"password", Secret("hunter2")}}, "admin");
  ASSERT_TRUE(made.ok());
  Change change;
  change.options = Texts{{"host", "b"}};
  change.secrets["password"] = Secret("correct horse");
  change.new_name = "store";
  auto altered = catalog_->Alter(Kind::kConnection, {"SHOP"}, change, "bob");
  ASSERT_TRUE(altered.ok()) << altered.status().ToString();
  EXPECT_EQ(altered->updated_by, "bob");
  EXPECT_EQ(altered->created_by, "admin");
  auto found = catalog_->Get(Kind::kConnection, {"store"});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->options.at("host"), "b");
  auto secrets = catalog_->SecretsOf(*found);
  ASSERT_TRUE(secrets.ok());
  EXPECT_EQ(secrets->at("user").Reveal(), "alice");
  EXPECT_EQ(secrets->at("password").Reveal(), "correct horse");
  ASSERT_TRUE(catalog_->Drop(Kind::kConnection, {"store"}, false).ok());
  EXPECT_EQ(database_->Query("SELECT count(*) FROM secrets")->at(0).number(0), 0);
}

TEST_F(CatalogTest, OptionsAreOfTheirType) {
  const auto* type = ConnectionTypeNamed("POSTGRESQL");
  ASSERT_NE(type, nullptr);
  auto split = Split(*type, {{"host", "h"}, {"user", "u"}, {"password", "p"}});
  ASSERT_TRUE(split.ok());
  EXPECT_EQ(split->plain.size(), 2U);
  EXPECT_EQ(split->secrets.size(), 1U);
  EXPECT_EQ(*CredentialOf(*type, split->plain, {"password"}), "USERNAME_PASSWORD");
  EXPECT_THAT(CredentialOf(*type, split->plain, {}).status().ToString(), HasSubstr("'password'"));
  EXPECT_THAT(Split(*type, {{"hots", "h"}}).status().ToString(), HasSubstr("no option 'hots'"));
  for (const auto* port : {"", "0", "65536", "http", "5432x", "999999"})
    EXPECT_FALSE(Split(*type, {{"port", port}}).ok()) << port;
  const auto* open = ConnectionTypeNamed("SNOWFLAKE");
  auto others = Split(*open, {{"sfWarehouse", "w"},
                              {"pem_private_key", "k"},
                              {"token_endpoint", "e"},
                              {"sasl_jaas_config", "j"}});
  ASSERT_TRUE(others.ok());
  EXPECT_EQ(others->secrets.size(), 2U);
  for (const auto& each : ConnectionTypes()) {
    for (const auto& mode : each.modes) {
      for (auto name : mode.required)
        EXPECT_NE(std::ranges::find(each.options, name, &OptionSpec::name), each.options.end())
            << each.name << " " << name;
    }
  }
}

TEST_F(CatalogTest, GrantsAreAddedAndRemovedTogether) {
  Grants grants(database_.get());
  ASSERT_TRUE(
      grants.Apply("id", {{"bob", {"SELECT", "USE_SCHEMA"}, {}}, {"ann", {"SELECT"}, {}}}).ok());
  ASSERT_TRUE(grants.Apply("id", {{"bob", {"MODIFY"}, {"SELECT"}}}).ok());
  auto all = grants.Get("id", "");
  ASSERT_EQ(all->size(), 2U);
  EXPECT_THAT(all->at(1).privileges, ElementsAre("MODIFY", "USE_SCHEMA"));
  EXPECT_EQ(grants.Get("id", "ann")->size(), 1U);
  // Whatever the case of the name.
  ASSERT_TRUE(grants.Apply("id", {{"BOB", {"MODIFY"}, {"USE_SCHEMA"}}}).ok());
  EXPECT_THAT(grants.Get("id", "Bob")->at(0).privileges, ElementsAre("MODIFY"));
  EXPECT_FALSE(grants.Apply("id", {{"bob", {"SELECT"}, {"SELECT"}}}).ok());
  EXPECT_FALSE(grants.Apply("id", {{"ann", {}, {"SELECT"}}, {"bob", {"FLY"}, {}}}).ok());
  EXPECT_EQ(grants.Get("id", "")->size(), 2U);
}

TEST_F(CatalogTest, NoTwoKeepTheirTablesInOnePlace) {
  auto make = [&](Kind kind, Path path, const std::string& place) {
    Securable securable{.kind = kind, .path = std::move(path)};
    securable.facts["storage_location"] = "file:///" + place;
    return catalog_->Create(securable, {}, "alice").status();
  };
  EXPECT_TRUE(make(Kind::kCatalog, {"a"}, "lake").ok());
  for (const auto* place : {"lake", "lake/sales"})
    EXPECT_TRUE(make(Kind::kCatalog, {"b"}, place).Is(ErrorClass::INVALID_ARGUMENT)) << place;
  EXPECT_TRUE(make(Kind::kCatalog, {"b"}, "lake2/b").ok());
  EXPECT_TRUE(make(Kind::kCatalog, {"c"}, "lake2").Is(ErrorClass::INVALID_ARGUMENT));
  EXPECT_TRUE(make(Kind::kSchema, {"a", "sales"}, "lake/sales").ok());
  EXPECT_TRUE(make(Kind::kSchema, {"a", "SALES"}, "lake/sales").Is(ErrorClass::ALREADY_EXISTS));
  for (const auto* place : {"lake", "lake/sales", "lake/sales/x", "lake2/b/x", "lake2"})
    EXPECT_TRUE(make(Kind::kSchema, {"a", "x"}, place).Is(ErrorClass::INVALID_ARGUMENT)) << place;
  EXPECT_TRUE(make(Kind::kSchema, {"a", "x"}, "elsewhere").ok());
}

TEST_F(CatalogTest, APipelinesTablesAreFoundWhereverTheyAre) {
  ASSERT_TRUE(Make(Kind::kCatalog, {"c"}).ok());
  for (const auto* schema : {"one", "two"}) {
    ASSERT_TRUE(Make(Kind::kSchema, {"c", schema}).ok());
    for (const auto* pipeline : {"p", "q"}) {
      Securable table{.kind = Kind::kTable, .path = {"c", schema, pipeline}};
      table.facts["pipeline_id"] = pipeline;
      ASSERT_TRUE(catalog_->Create(table, {}, "alice").ok());
    }
  }
  auto tables = catalog_->TablesOf("p");
  ASSERT_TRUE(tables.ok()) << tables.status().ToString();
  ASSERT_EQ(tables->size(), 2U);
  EXPECT_THAT(tables->at(1).path, ElementsAre("c", "two", "p"));
}

}  // namespace
}  // namespace freshet::catalog
