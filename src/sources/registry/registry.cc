// SPDX-License-Identifier: Apache-2.0
#include "sources/registry/registry.h"

#include <algorithm>

#include "sources/postgres/connector.h"
#include "sources/sample/connector.h"

namespace freshet::sources {

const std::vector<Connector>& Connectors() {
  static const std::vector<Connector> kConnectors = {
      postgres::AsConnector(),
      sample::AsConnector(),
  };
  return kConnectors;
}

Result<const Connector*> ConnectorNamed(std::string_view name) {
  for (const auto& connector : Connectors()) {
    if (connector.name == name) return &connector;
  }
  return Error(ErrorClass::SOURCE_UNSUPPORTED, "this version has no connector called {}", name)
      .WithRemedy("Use the version of Freshet that filled this destination, or a later one.");
}

Result<Settings> ParseSource(std::string_view text) {
  size_t end = text.find("://");
  std::string_view scheme = end == std::string_view::npos ? "" : text.substr(0, end);
  std::string forms;
  for (const auto& connector : Connectors()) {
    if (std::ranges::find(connector.schemes, scheme) != connector.schemes.end()) {
      FRESHET_TRY(Settings settings, connector.parse(text));
      settings.connector = connector.name;
      return settings;
    }
    forms += (forms.empty() ? "" : " or ") + std::string(connector.form);
  }
  // The text may hold a password, so it is not quoted.
  return Error(ErrorClass::INVALID_ARGUMENT, "no connector reads this source: it begins with {}",
               forms);
}

Result<std::unique_ptr<Source>> OpenSource(const Settings& settings) {
  FRESHET_TRY(const Connector* connector, ConnectorNamed(settings.connector));
  return connector->open(settings);
}

}  // namespace freshet::sources
