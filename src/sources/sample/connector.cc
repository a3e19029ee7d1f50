// SPDX-License-Identifier: Apache-2.0
#include "sources/sample/connector.h"

#include "sources/sample/config.h"
#include "sources/sample/source.h"

namespace freshet::sources::sample {

Connector AsConnector() {
  return {.name = "sample",
          .schemes = {"sample"},
          .form = "sample://",
          .parse = ParseUri,
          .open = [](const Settings& settings) -> Result<std::unique_ptr<Source>> {
            FRESHET_TRY(Config config, ConfigOf(settings));
            return Open(std::move(config));
          }};
}

}  // namespace freshet::sources::sample
