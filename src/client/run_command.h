// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "client/command.h"
#include "client/outcome.h"
#include "client/surroundings.h"

namespace freshet::client {

enum class Format : uint8_t { kTable, kJson };

/// Do what a command says with what it was given: send its request, all pages of a list, and print
/// what comes back.
Outcome RunCommand(const Command& command, const Given& given, Format format, Api* api,
                   Surroundings* surroundings);

/// Return the id of the pipeline of that name, or of that id.
/// Errors: NOT_FOUND; INVALID_ARGUMENT (several have the name); as Api::Send.
Result<std::string> PipelineNamed(Api* api, const std::string& text);

}  // namespace freshet::client
