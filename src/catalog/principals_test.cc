// SPDX-License-Identifier: Apache-2.0
#include "catalog/principals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "base/random.h"
#include "catalog/access.h"
#include "catalog/identity.h"
#include "catalog/permissions.h"

namespace freshet::catalog {
namespace {

using testing::ElementsAre;

Change OwnedBy(const std::string& owner) {
  Change change;
  change.owner = owner;
  return change;
}

class PrincipalsTest : public testing::Test {
 protected:
  PrincipalsTest() {
    std::filesystem::create_directories(folder_);
    std::array<store::Migrations, 1> migrations{kMigrations};
    database_ = std::move(store::Database::Open(folder_ + "/freshet.db", migrations)).value();
    catalog_ = std::make_unique<Catalog>(database_.get(),
                                         *SecretBox::FromKey(Secret(RandomHex(32))), &clock_);
    principals_ = std::make_unique<Principals>(database_.get());
    identity_ = std::make_unique<Identity>(database_.get(), principals_.get(), &clock_);
    grants_ = std::make_unique<Grants>(database_.get());
    access_ = std::make_unique<Access>(catalog_.get(), grants_.get());
    admin_ = principals_->EnsureAdministrator("admin", "Administrator")->id;
  }
  ~PrincipalsTest() override { std::filesystem::remove_all(folder_); }

  int64_t Make(PrincipalKind kind, const std::string& name,
               const std::vector<int64_t>& members = {}) {
    auto made = principals_->Create({.kind = kind, .name = name}, members);
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    return made.ok() ? made->id : 0;
  }
  int64_t User(const std::string& name) { return Make(PrincipalKind::kUser, name); }
  Caller CallerOf(int64_t id) { return **principals_->CallerOf(id); }
  void Securables() {
    for (const auto& [kind, path] :
         std::vector<std::pair<Kind, Path>>{{Kind::kCatalog, {"main"}},
                                            {Kind::kSchema, {"main", "sales"}},
                                            {Kind::kTable, {"main", "sales", "orders"}},
                                            {Kind::kTable, {"main", "sales", "people"}},
                                            {Kind::kConnection, {"shop"}}})
      ASSERT_TRUE(catalog_->Create({.kind = kind, .path = path}, {}, "admin").ok());
  }
  void Grant(Kind kind, const Path& path, const std::string& to, const std::string& privilege) {
    ASSERT_TRUE(grants_->Apply(catalog_->Get(kind, path)->id, {{to, {privilege}, {}}}).ok());
  }
  /// What is missing: `SELECT on main.sales.orders`; empty: nothing.
  std::string Missing(int64_t who, std::string_view privilege, Kind kind, const Path& path) {
    auto missing = access_->Check(CallerOf(who), privilege, kind, path);
    if (!missing.ok()) return missing.status().ToString();
    return *missing ? (*missing)->privilege + " on " + (*missing)->name : "";
  }
  std::vector<std::string> Visible(int64_t who, Kind kind, const Path& parent) {
    auto items = access_->Visible(CallerOf(who), catalog_->List(kind, parent, {})->items);
    std::vector<std::string> names;
    for (const auto& item : *items) names.push_back(item.name());
    return names;
  }

  const std::string folder_ = testing::TempDir() + "principals_" + RandomHex(6);
  SystemClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<Principals> principals_;
  std::unique_ptr<Identity> identity_;
  std::unique_ptr<Grants> grants_;
  std::unique_ptr<Access> access_;
  int64_t admin_ = 0;
  const Path orders_{"main", "sales", "orders"};
};

TEST_F(PrincipalsTest, NoTwoShareANameOfAnyKindOrCase) {
  User("Ann@example.com");
  for (auto kind : {PrincipalKind::kUser, PrincipalKind::kGroup, PrincipalKind::kService}) {
    EXPECT_TRUE(principals_->Create({.kind = kind, .name = "ann@EXAMPLE.com"})
                    .status()
                    .Is(ErrorClass::ALREADY_EXISTS));
    for (const auto* name : {"Users", "ADMINS", "account users"})
      EXPECT_TRUE(principals_->Create({.kind = kind, .name = name})
                      .status()
                      .Is(ErrorClass::ALREADY_EXISTS));
    for (const auto& name :
         {std::string(), std::string(" x"), std::string("a\nb"), std::string(256, 'x')})
      EXPECT_TRUE(principals_->Create({.kind = kind, .name = name})
                      .status()
                      .Is(ErrorClass::INVALID_ARGUMENT));
  }
  EXPECT_EQ((*principals_->Find("ANN@example.com"))->name, "Ann@example.com");
  EXPECT_FALSE((*principals_->Find("nobody")).has_value());
}

TEST_F(PrincipalsTest, GroupsHoldWhatTheirMembersHold) {
  auto ann = User("ann");
  auto inner = Make(PrincipalKind::kGroup, "Inner", {ann});
  auto outer = Make(PrincipalKind::kGroup, "outer", {inner});
  EXPECT_THAT(CallerOf(ann).names, ElementsAre("account users", "ann", "inner", "outer", "users"));
  EXPECT_FALSE(CallerOf(ann).admin);
  EXPECT_TRUE(CallerOf(admin_).admin);
  auto admins = (*principals_->Find(kAdmins))->id;
  ASSERT_TRUE(principals_->Alter(PrincipalKind::kGroup, admins, {.add_members = {outer}}).ok());
  EXPECT_TRUE(CallerOf(ann).admin);
  EXPECT_FALSE(principals_->Alter(PrincipalKind::kGroup, inner, {.add_members = {outer}}).ok());
  EXPECT_FALSE(principals_->Alter(PrincipalKind::kGroup, inner, {.add_members = {inner}}).ok());
  EXPECT_FALSE(principals_->Alter(PrincipalKind::kGroup, inner, {.add_members = {4711}}).ok());
  EXPECT_FALSE(principals_->Alter(PrincipalKind::kUser, ann, {.add_members = {inner}}).ok());
  EXPECT_EQ(principals_->Members(inner)->size(), 1U);
  EXPECT_FALSE((*principals_->CallerOf(inner)).has_value());
}

TEST_F(PrincipalsTest, AnAdministratorAlwaysStays) {
  auto admins = (*principals_->Find(kAdmins))->id, everybody = (*principals_->Find(kEverybody))->id;
  EXPECT_FALSE(principals_->Remove(PrincipalKind::kUser, admin_).ok());
  EXPECT_FALSE(principals_->Alter(PrincipalKind::kUser, admin_, {.active = false}).ok());
  EXPECT_FALSE(
      principals_->Alter(PrincipalKind::kGroup, admins, {.remove_members = {admin_}}).ok());
  EXPECT_FALSE(
      principals_->Alter(PrincipalKind::kGroup, admins, {.set_members = std::vector<int64_t>()})
          .ok());
  for (auto group : {admins, everybody}) {
    EXPECT_FALSE(principals_->Remove(PrincipalKind::kGroup, group).ok());
    EXPECT_FALSE(principals_->Alter(PrincipalKind::kGroup, group, {.name = "other"}).ok());
  }
  EXPECT_TRUE(CallerOf(admin_).admin);
  auto ann = User("ann");
  ASSERT_TRUE(principals_->Alter(PrincipalKind::kGroup, admins, {.add_members = {ann}}).ok());
  EXPECT_TRUE(principals_->Remove(PrincipalKind::kUser, admin_).ok());
}

TEST_F(PrincipalsTest, WhoIsGoneLeavesNothingToAnotherOfTheName) {
  Securables();
  auto ann = User("ann");
  Grant(Kind::kCatalog, {"main"}, "ann", "USE_CATALOG");
  ASSERT_TRUE(catalog_->Alter(Kind::kSchema, {"main", "sales"}, OwnedBy("Ann"), "admin").ok());
  Permissions permissions(database_.get());
  ASSERT_TRUE(permissions.Set("pipelines/p", {{ann, "IS_OWNER"}}, true).ok());
  auto token = identity_->AddToken({.owner = ann, .created_by = ann});
  EXPECT_TRUE((*identity_->WhoHas(token->text.Reveal())).has_value());
  EXPECT_EQ(Missing(ann, "CREATE_TABLE", Kind::kSchema, {"main", "sales"}), "");
  ASSERT_TRUE(principals_->Remove(PrincipalKind::kUser, ann).ok());
  EXPECT_FALSE((*identity_->WhoHas(token->text.Reveal())).has_value());
  auto kept = permissions.Get("pipelines/p");
  ASSERT_EQ(kept->size(), 1U);
  EXPECT_EQ(kept->at(0).principal.name, "admins");
  EXPECT_EQ(catalog_->Get(Kind::kSchema, {"main", "sales"})->owner, "admins");
  auto another = User("ANN");
  EXPECT_NE(another, ann);
  EXPECT_EQ(Missing(another, "CREATE_TABLE", Kind::kSchema, {"main", "sales"}),
            "USE_CATALOG on main");
}

TEST_F(PrincipalsTest, GrantsFollowAGroupsNewName) {
  Securables();
  auto ann = User("ann");
  auto group = Make(PrincipalKind::kGroup, "readers", {ann});
  Grant(Kind::kCatalog, {"main"}, "Readers", "USE_CATALOG");
  ASSERT_TRUE(principals_->Alter(PrincipalKind::kGroup, group, {.name = "viewers"}).ok());
  EXPECT_EQ(Missing(ann, "USE_CATALOG", Kind::kCatalog, {"main"}), "");
  Make(PrincipalKind::kGroup, "readers");
  EXPECT_EQ(grants_->Get(catalog_->Get(Kind::kCatalog, {"main"})->id, "readers")->size(), 0U);
}

TEST_F(PrincipalsTest, PrivilegesAreInheritedAndTakeTheWayToThem) {
  Securables();
  auto ann = User("ann");
  EXPECT_EQ(Missing(ann, "SELECT", Kind::kTable, orders_), "USE_CATALOG on main");
  // What is in a catalog that one may not use is not even told to be missing.
  EXPECT_EQ(Missing(ann, "SELECT", Kind::kTable, {"main", "none", "t"}), "USE_CATALOG on main");
  Grant(Kind::kTable, orders_, "ann", "SELECT");
  EXPECT_EQ(Missing(ann, "SELECT", Kind::kTable, orders_), "USE_CATALOG on main");
  Grant(Kind::kCatalog, {"main"}, "users", "USE_CATALOG");
  EXPECT_EQ(Missing(ann, "SELECT", Kind::kTable, orders_), "USE_SCHEMA on main.sales");
  EXPECT_THAT(Visible(ann, Kind::kTable, {"main", "sales"}), ElementsAre());
  Grant(Kind::kCatalog, {"main"}, "account users", "USE_SCHEMA");
  EXPECT_EQ(Missing(ann, "SELECT", Kind::kTable, orders_), "");
  EXPECT_EQ(Missing(ann, "MODIFY", Kind::kTable, orders_), "MODIFY on main.sales.orders");
  EXPECT_EQ(Missing(ann, "MANAGE", Kind::kTable, orders_), "MANAGE on main.sales.orders");
  EXPECT_THAT(Visible(ann, Kind::kTable, {"main", "sales"}), ElementsAre("orders"));
  Grant(Kind::kSchema, {"main", "sales"}, "ann", "ALL_PRIVILEGES");
  EXPECT_EQ(Missing(ann, "MODIFY", Kind::kTable, orders_), "");
  EXPECT_EQ(Missing(ann, "MANAGE", Kind::kTable, orders_), "MANAGE on main.sales.orders");
  EXPECT_THAT(Visible(ann, Kind::kTable, {"main", "sales"}), ElementsAre("orders", "people"));
  EXPECT_EQ(Missing(admin_, "MANAGE", Kind::kTable, orders_), "");
  EXPECT_EQ(Missing(ann, "USE_CONNECTION", Kind::kConnection, {"shop"}), "USE_CONNECTION on shop");
}

TEST_F(PrincipalsTest, OwnersDoEverythingButReadWhatOthersHaveInIt) {
  Securables();
  auto ann = User("ann");
  auto group = Make(PrincipalKind::kGroup, "team", {ann});
  EXPECT_GT(group, 0);
  ASSERT_TRUE(catalog_->Alter(Kind::kCatalog, {"main"}, OwnedBy("Team"), "admin").ok());
  EXPECT_EQ(Missing(ann, "MANAGE", Kind::kTable, orders_), "");
  EXPECT_EQ(Missing(ann, "CREATE_TABLE", Kind::kSchema, {"main", "sales"}), "");
  EXPECT_EQ(Missing(ann, "SELECT", Kind::kTable, orders_), "SELECT on main.sales.orders");
  EXPECT_THAT(Visible(ann, Kind::kTable, {"main", "sales"}), ElementsAre("orders", "people"));
  auto bob = User("bob");
  Grant(Kind::kSchema, {"main", "sales"}, "bob", "MANAGE");
  EXPECT_EQ(Missing(bob, "MANAGE", Kind::kTable, orders_), "USE_CATALOG on main");
  Grant(Kind::kCatalog, {"main"}, "bob", "USE_CATALOG");
  EXPECT_EQ(Missing(bob, "MANAGE", Kind::kTable, orders_), "");
  EXPECT_EQ(Missing(bob, "SELECT", Kind::kTable, orders_), "SELECT on main.sales.orders");
}

TEST_F(PrincipalsTest, BrowsersSeeWithoutTheWay) {
  Securables();
  auto ann = User("ann");
  EXPECT_THAT(Visible(ann, Kind::kCatalog, {}), ElementsAre());
  Grant(Kind::kCatalog, {"main"}, "ann", "BROWSE");
  EXPECT_THAT(Visible(ann, Kind::kCatalog, {}), ElementsAre("main"));
  EXPECT_THAT(Visible(ann, Kind::kTable, {"main", "sales"}), ElementsAre("orders", "people"));
  EXPECT_EQ(Missing(ann, "SELECT", Kind::kTable, orders_), "USE_CATALOG on main");
  EXPECT_FALSE((*access_->CheckVisible(CallerOf(ann), Kind::kTable, orders_)).has_value());
  EXPECT_TRUE((*access_->CheckVisible(CallerOf(User("bob")), Kind::kTable, orders_)).has_value());
}

TEST_F(PrincipalsTest, SecretsGiveShortLivedTokens) {
  auto robot = Make(PrincipalKind::kService, "1234-abcd");
  auto secret = identity_->AddClientSecret(robot, 60);
  ASSERT_TRUE(secret.ok());
  auto token = identity_->AddAccessToken("1234-ABCD", secret->text.Reveal());
  ASSERT_TRUE(token.ok() && token->has_value());
  EXPECT_EQ((*identity_->WhoHas((*token)->Reveal()))->name, "1234-abcd");
  EXPECT_FALSE((*identity_->WhoHas(secret->text.Reveal())).has_value());
  for (const auto& [id, text] : std::vector<std::pair<std::string, std::string>>{
           {"1234-abcd", "wrong"}, {"other", secret->text.Reveal()}, {"1234-abcd", ""}, {"", ""}})
    EXPECT_FALSE((*identity_->AddAccessToken(id, text)).has_value()) << id;
  auto old = identity_->AddClientSecret(robot, -1);
  EXPECT_FALSE((*identity_->AddAccessToken("1234-abcd", old->text.Reveal())).has_value());
  ASSERT_TRUE(principals_->Alter(PrincipalKind::kService, robot, {.active = false}).ok());
  EXPECT_FALSE((*identity_->WhoHas((*token)->Reveal())).has_value());
  EXPECT_FALSE((*identity_->AddAccessToken("1234-abcd", secret->text.Reveal())).has_value());
  ASSERT_TRUE(principals_->Alter(PrincipalKind::kService, robot, {.active = true}).ok());
  EXPECT_TRUE((*identity_->WhoHas((*token)->Reveal())).has_value());
  ASSERT_TRUE(identity_->RemoveClientSecret(robot, secret->info.id).ok());
  EXPECT_FALSE((*identity_->WhoHas((*token)->Reveal())).has_value());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(identity_->AddClientSecret(robot, 60).ok());
  EXPECT_FALSE(identity_->AddClientSecret(robot, 60).ok());
}

TEST_F(PrincipalsTest, ATokenThatCouldNotBeToldIsNone) {
  auto fail = [](const Secret&) -> Status {
    return Error(ErrorClass::STORE_FULL, "no space is left");
  };
  Identity::TokenRequest wanted{.owner = admin_, .created_by = admin_, .tell = fail};
  EXPECT_FALSE(identity_->AddToken(wanted).ok());
  EXPECT_FALSE(*identity_->HasTokens());
  wanted.tell = {};
  wanted.lifetime_seconds = -1;
  ASSERT_TRUE(identity_->AddToken(wanted).ok());
  EXPECT_FALSE(*identity_->HasTokens());
  wanted.lifetime_seconds = std::nullopt;
  ASSERT_TRUE(identity_->AddToken(wanted).ok());
  EXPECT_TRUE(*identity_->HasTokens());
}

TEST_F(PrincipalsTest, TokensTellWhoCallsUntilTheyEnd) {
  EXPECT_FALSE(*identity_->HasTokens());
  auto token = identity_->AddToken({.owner = admin_, .created_by = admin_});
  ASSERT_TRUE(token.ok()) << token.status().ToString();
  auto gone = identity_->AddToken({.owner = admin_, .created_by = admin_, .lifetime_seconds = -1});
  ASSERT_TRUE(gone.ok());
  EXPECT_EQ((*identity_->WhoHas(token->text.Reveal()))->name, "admin");
  EXPECT_FALSE((*identity_->WhoHas(gone->text.Reveal())).has_value());
  EXPECT_FALSE((*identity_->WhoHas("")).has_value());
  EXPECT_EQ(identity_->Tokens(admin_)->size(), 2U);
  auto ann = User("ann");
  EXPECT_TRUE(identity_->Tokens(ann)->empty());
  EXPECT_TRUE(identity_->RemoveToken(ann, token->info.id).Is(ErrorClass::NOT_FOUND));
  ASSERT_TRUE(identity_->RemoveToken(admin_, token->info.id).ok());
  EXPECT_FALSE((*identity_->WhoHas(token->text.Reveal())).has_value());
  EXPECT_TRUE(identity_->RemoveToken(admin_, token->info.id).Is(ErrorClass::NOT_FOUND));
}

TEST_F(PrincipalsTest, ListsAreFilteredSortedAndCut) {
  for (const auto* name : {"bob@x", "Ann@x", "cid@y"}) User(name);
  using Operation = PrincipalCondition::Operation;
  auto names = [&](const PrincipalRequest& request) {
    std::vector<std::string> found;
    auto page = principals_->List(PrincipalKind::kUser, request);
    for (const auto& each : page->items) found.push_back(each.name);
    return found;
  };
  EXPECT_THAT(names({.order = "name", .rows = 9}), ElementsAre("admin", "Ann@x", "bob@x", "cid@y"));
  EXPECT_THAT(names({.order = "name", .descending = true, .skip = 1, .rows = 1}),
              ElementsAre("bob@x"));
  EXPECT_THAT(names({.any_of = {{{"name", Operation::kEquals, "ANN@X"}}}, .rows = 9}),
              ElementsAre("Ann@x"));
  EXPECT_THAT(names({.any_of = {{{"name", Operation::kContains, "@X"},
                                 {"name", Operation::kDiffers, "bob@x"}},
                                {{"name", Operation::kBegins, "c"}}},
                     .rows = 9}),
              ElementsAre("Ann@x", "cid@y"));
  EXPECT_THAT(names({.any_of = {{{"name", Operation::kEquals, "' OR 1=1 --"}}}, .rows = 9}),
              ElementsAre());
  EXPECT_EQ(principals_->List(PrincipalKind::kUser, {.rows = 1})->total, 4);
}

TEST(PrincipalsMigration, WhoWasThereAdministrates) {
  auto folder = testing::TempDir() + "migration_" + RandomHex(6);
  std::filesystem::create_directories(folder);
  SystemClock clock;
  {
    std::array<std::string_view, 1> first{kMigrations.steps[0]};
    std::array<store::Migrations, 1> former{{{.module = "catalog", .steps = first}}};
    auto database = std::move(store::Database::Open(folder + "/freshet.db", former)).value();
    ASSERT_TRUE(database->Execute("INSERT INTO users VALUES (1, 'admin', 'Administrator')").ok());
    ASSERT_TRUE(
        database->Execute("INSERT INTO tokens VALUES ('t', 1, ?, 'c', 1, NULL)", {HashOf("dapi1")})
            .ok());
    ASSERT_TRUE(database->Execute("INSERT INTO grants VALUES ('s', 'Bob', 'SELECT')").ok());
  }
  std::array<store::Migrations, 1> migrations{kMigrations};
  auto database = store::Database::Open(folder + "/freshet.db", migrations);
  ASSERT_TRUE(database.ok()) << database.status().ToString();
  Principals principals(database->get());
  Identity identity(database->get(), &principals, &clock);
  auto caller = identity.WhoHas("dapi1");
  ASSERT_TRUE(caller.ok() && caller->has_value());
  EXPECT_TRUE((*caller)->admin);
  EXPECT_EQ((*caller)->id, 1);
  EXPECT_EQ(Grants(database->get()).Get("s", "bob")->size(), 1U);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace freshet::catalog
