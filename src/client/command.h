// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/api.h"
#include "client/table_text.h"

namespace freshet::client {

/// What a command may be told, and where in the request that goes.
struct Argument {
  enum class Place : uint8_t {
    kPath,   // a `{field}` of the path
    kQuery,  // of the query
    kBody,   // a field of the body
    kWhole,  // the body itself, or as much of it as no other argument says
    kHere    // nowhere: the command reads it itself
  };
  enum class Kind : uint8_t {
    kText,
    kFlag,
    kNumber,
    kList,      // separated by commas
    kPairs,     // NAME=VALUE, may be given again; `@FILE` is a value that stands in a file
    kPipeline,  // its id or its name
    kJson       // JSON, @FILE or -
  };

  std::string name{};     // `NAME`: by its position; `--name`: an option
  std::string meaning{};  // for --help
  Place place = Place::kHere;
  std::string field{};
  Kind kind = Kind::kText;
  bool required = false;
  std::string value_name{};           // of an option's value
  std::vector<std::string> values{};  // those that there are; empty: any
  std::string flag = "true";          // what a flag says where it is given
};

/// One command, `freshet RESOURCE VERB`. All that it does is said here, but for what `action`
/// names.
struct Command {
  enum class Shape : uint8_t {
    kObject,  // one object
    kList,    // one list, which may come in pages; printed as one array
    kListIn   // an object whose list is what is shown; printed as it is
  };
  enum class Action : uint8_t {
    kRequest,  // nothing more
    kStart,    // with --wait it watches the update that it began
    kWatch,    // it watches an update
    kLogs      // it reads a log on
  };

  std::string resource{}, verb{}, summary{};
  std::string method{}, path{};
  std::vector<Argument> arguments{};
  Shape shape = Shape::kObject;
  std::string items{};  // where the answer holds what is shown; empty: it is the answer
  std::vector<Column> columns{};
  std::string example{};
  std::string done{};     // said where the answer is empty: `deleted`
  std::string verdict{};  // a flag of the answer that says whether all is well
  Action action = Action::kRequest;
  std::vector<std::string> aliases{};  // of the verb
};

/// Return the commands of each resource, in the order of --help.
std::vector<Command> PipelineCommands();
std::vector<Command> UpdateCommands();
std::vector<Command> ConnectionCommands();
std::vector<Command> CatalogCommands();
std::vector<Command> AccessCommands();
std::vector<Command> AllCommands();
/// Return what a resource is, for --help.
std::string_view SummaryOf(std::string_view resource);

// Arguments, as the tables of commands write them.
Argument InPath(std::string name, std::string field, std::string meaning);
Argument ThePipeline();
Argument InQuery(std::string name, std::string field, std::string value_name, std::string meaning);
Argument InBody(std::string name, std::string field, std::string value_name, std::string meaning);
Argument Flag(Argument::Place place, std::string name, std::string field, std::string meaning);
Argument WholeBody(bool required, std::string meaning);
Argument Limit();

/// What a command was given, by its arguments' names.
class Given {
 public:
  void Set(const std::string& name, std::vector<std::string> values) {
    values_[name] = std::move(values);
  }
  bool Has(const std::string& name) const { return values_.contains(name); }
  /// Empty: it was not given.
  std::string Text(const std::string& name) const;
  /// REQUIRES: it was given.
  const std::vector<std::string>& All(const std::string& name) const { return values_.at(name); }

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

/// Return the request that a command sends. `whole`: what the argument of that place holds; a field
/// that an argument of its own says takes the place of the one in it.
/// Errors: INVALID_ARGUMENT.
Result<Call> CallOf(const Command& command, const Given& given, const std::optional<Json>& whole);
/// Return the number that an argument is. Errors: INVALID_ARGUMENT.
Result<int64_t> NumberOf(const std::string& name, const std::string& text);

}  // namespace freshet::client
