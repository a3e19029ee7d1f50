// SPDX-License-Identifier: Apache-2.0
#include "pipeline/connection_settings.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/random.h"

namespace freshet::pipeline {
namespace {

std::string AuthorityOf(const SourceSettings& settings) {
  for (const auto& [name, value] : settings.parameters) {
    if (name == "sslrootcert") return value;
  }
  return "";
}

TEST(ConnectionSettingsTest, ACertificateThatIsInUseIsNotReplaced) {
  auto folder = testing::TempDir() + "connection_settings_" + RandomHex(6);
  catalog::Securable connection{.id = "one", .kind = catalog::Kind::kConnection, .path = {"c"}};
  connection.facts["connection_type"] = "POSTGRESQL";
  auto with = [&](const std::string& authority) {
    connection.options["userProvidedServerCertificate"] = authority;
    auto settings = SettingsOf(connection, {}, "db", folder);
    EXPECT_TRUE(settings.ok()) << settings.status().ToString();
    return AuthorityOf(*settings);
  };
  auto first = with("first"), second = with("second");
  EXPECT_NE(first, second);
  EXPECT_EQ(with("first"), first);
  std::stringstream text;
  text << std::ifstream(first).rdbuf();
  EXPECT_EQ(text.str(), "first");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace freshet::pipeline
