// SPDX-License-Identifier: Apache-2.0
#include "client/command_line.h"

#include <CLI/CLI.hpp>
#include <map>
#include <memory>

namespace freshet::client {
namespace {

using Kind = Argument::Kind;
using Place = Argument::Place;

constexpr char kServerGroup[] = "Where the server is", kCommandGroup[] = "Commands to a server";
constexpr char kAuthExamples[] = R"(Examples:
  freshet auth login --host http://127.0.0.1:8080 --token-file DATA/admin.token
      from now on the other commands need no --host and no token
  freshet auth login --host https://lake.example.com --profile lake
      asks for the token; --profile lake, or FRESHET_CONFIG_PROFILE=lake, chooses it
  freshet auth describe)";
constexpr char kApiExamples[] = R"(Examples:
  freshet api GET /api/2.0/preview/scim/v2/Users
  freshet api POST /api/2.0/preview/scim/v2/Users --json '{"userName": "ann"}')";
constexpr char kCompletionExamples[] = R"(Examples:
  source <(freshet completion bash)
  freshet completion zsh > ~/.zfunc/_freshet
  freshet completion fish > ~/.config/fish/completions/freshet.fish)";

/// What a command of ours is parsed into.
struct Parsed {
  WantedServer wanted{};
  std::string output = "table";
  Given given{};

  Format format() const { return output == "json" ? Format::kJson : Format::kTable; }
};

void AddServer(CLI::App* command, WantedServer* wanted) {
  command->add_option("--profile", wanted->profile, "this one of ~/.freshetcfg")
      ->type_name("NAME")
      ->group(kServerGroup);
  command
      ->add_option("--host", wanted->host,
                   "http://HOST:PORT or https://HOST:PORT; else FRESHET_HOST, or the profile's")
      ->type_name("URL")
      ->group(kServerGroup);
  command
      ->add_option("--token-file", wanted->token_file,
                   "where the token stands, - is standard input; else FRESHET_TOKEN, or the "
                   "profile's")
      ->type_name("FILE")
      ->group(kServerGroup);
  command
      ->add_option("--ca-file", wanted->ca_file,
                   "PEM: who signs the server's certificate; else FRESHET_CA_FILE, or the "
                   "profile's")
      ->type_name("FILE")
      ->group(kServerGroup);
}

void AddOutput(CLI::App* command, std::string* output) {
  command
      ->add_option("-o,--output", *output,
                   "table (the default), or json: what the server says, lists as one array")
      ->check(CLI::IsMember({"table", "json"}));
}

CLI::Option* AddValues(CLI::App* command, const Argument& argument, Given* given) {
  const auto& name = argument.name;
  if (argument.kind == Kind::kFlag)
    return command->add_flag_callback(
        name, [=] { given->Set(name, {"true"}); }, argument.meaning);
  if (argument.kind == Kind::kList || argument.kind == Kind::kPairs) {
    auto take = [=](const std::vector<std::string>& values) { given->Set(name, values); };
    auto* option =
        command->add_option_function<std::vector<std::string>>(name, take, argument.meaning);
    if (argument.kind == Kind::kList) option->delimiter(',');
    return option->allow_extra_args(false);
  }
  auto take = [=](const std::string& value) { given->Set(name, {value}); };
  return command->add_option_function<std::string>(name, take, argument.meaning);
}

void AddArgument(CLI::App* command, const Argument& argument, Given* given) {
  auto* option = AddValues(command, argument, given);
  if (argument.required) option->required();
  if (!argument.value_name.empty()) option->type_name(argument.value_name);
  if (!argument.values.empty()) option->transform(CLI::IsMember(argument.values, CLI::ignore_case));
}

/// Find the server and do it.
Outcome Run(const Command& command, const Parsed& parsed, const CommandLine& line) {
  auto server = ChooseServer(parsed.wanted, line.surroundings);
  if (!server.ok()) return {server.status()};
  auto api = line.open(*std::move(server), line.surroundings->clock());
  return RunCommand(command, parsed.given, parsed.format(), api.get(), line.surroundings);
}

void AddOne(CLI::App* resource, Command command, const CommandLine& line) {
  auto* verb = resource->add_subcommand(command.verb, command.summary);
  for (const auto& alias : command.aliases) verb->alias(alias);
  verb->footer("Example:\n  " + command.example);
  auto parsed = std::make_shared<Parsed>();
  for (const auto& argument : command.arguments) AddArgument(verb, argument, &parsed->given);
  AddOutput(verb, &parsed->output);
  AddServer(verb, &parsed->wanted);
  verb->callback(
      [command = std::move(command), parsed, line] { line.ended(Run(command, *parsed, line)); });
}

void AddResources(CLI::App* app, const CommandLine& line) {
  std::map<std::string, CLI::App*> resources;
  std::map<std::string, std::string> examples;
  for (auto& command : AllCommands()) {
    auto& resource = resources[command.resource];
    if (resource == nullptr) {
      resource = app->add_subcommand(command.resource, std::string(SummaryOf(command.resource)));
      resource->group(kCommandGroup)->require_subcommand(1);
    }
    examples[command.resource] += "\n  " + command.example;
    AddOne(resource, std::move(command), line);
  }
  for (const auto& [name, resource] : resources) resource->footer("Examples:" + examples[name]);
}

void AddApi(CLI::App* app, const CommandLine& line) {
  auto* api = app->add_subcommand("api", "any request, as it is")->group(kCommandGroup);
  api->footer(kApiExamples);
  auto parsed = std::make_shared<Parsed>();
  auto method = std::make_shared<std::string>(), path = std::make_shared<std::string>();
  api->add_option("METHOD", *method, "GET, POST, PUT, PATCH or DELETE")
      ->required()
      ->transform(CLI::IsMember({"GET", "POST", "PUT", "PATCH", "DELETE"}, CLI::ignore_case));
  api->add_option("PATH", *path, "with its query, encoded: /api/2.0/…")
      ->required()
      ->check([](const std::string& text) {
        return text.starts_with('/') ? std::string() : "a path begins with /: " + text;
      });
  const auto body = WholeBody(false, "the body");
  AddArgument(api, body, &parsed->given);
  AddServer(api, &parsed->wanted);
  api->callback([=] {
    Command command{.resource = "api", .method = *method, .path = *path, .arguments = {body}};
    parsed->output = "json";
    line.ended(Run(command, *parsed, line));
  });
}

void AddAuth(CLI::App* app, const CommandLine& line) {
  auto* auth = app->add_subcommand("auth", "which server the commands ask, and as whom");
  auth->group(kCommandGroup);
  auth->footer(kAuthExamples);
  auth->require_subcommand(1);
  auto parsed = std::make_shared<Parsed>();
  auto* login = auth->add_subcommand("login", "keep a server and a token of it as a profile");
  login->footer(kAuthExamples);
  AddServer(login, &parsed->wanted);
  login->callback([=] { line.ended(LogIn(parsed->wanted, line.open, line.surroundings)); });
  auto* profiles = auth->add_subcommand("profiles", "list the profiles");
  profiles->footer("Example:\n  freshet auth profiles");
  AddOutput(profiles, &parsed->output);
  profiles->callback([=] { line.ended(ListProfiles(parsed->format(), line.surroundings)); });
  auto* describe =
      auth->add_subcommand("describe", "say which server is asked, what with, and as whom");
  describe->footer("Example:\n  freshet auth describe --profile lake");
  AddOutput(describe, &parsed->output);
  AddServer(describe, &parsed->wanted);
  describe->callback([=] {
    line.ended(DescribeLogin(parsed->wanted, parsed->format(), line.open, line.surroundings));
  });
}

void AddCompletion(CLI::App* app, const CommandLine& line) {
  auto* command = app->add_subcommand("completion",
                                      "print a script that makes a shell complete "
                                      "these commands");
  command->footer(kCompletionExamples);
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([=] {
    auto kind = *shell == "bash" ? Shell::kBash : *shell == "zsh" ? Shell::kZsh : Shell::kFish;
    line.surroundings->Print(CompletionOf(CompletedOf(*app), kind));
    line.ended({});
  });
}

/// What an option may be stands in its type, as the library writes it: `TEXT:{table,json}`.
std::vector<std::string> ValuesOf(const CLI::Option& option) {
  auto type = option.get_type_name();
  auto from = type.find('{'), to = type.find('}');
  if (from == std::string::npos || to == std::string::npos) return {};
  return CLI::detail::split(type.substr(from + 1, to - from - 1), ',');
}

CompletedCommand::Option CompletedOf(const CLI::Option& option) {
  CompletedCommand::Option completed{.summary = option.get_description()};
  for (const auto& name : option.get_lnames()) completed.names.push_back("--" + name);
  for (const auto& name : option.get_snames()) completed.names.push_back("-" + name);
  completed.takes_value = option.get_items_expected_max() > 0;
  completed.values = ValuesOf(option);
  return completed;
}

}  // namespace

CompletedCommand CompletedOf(const CLI::App& app) {
  CompletedCommand completed{.name = app.get_name(), .summary = app.get_description()};
  for (const auto* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    if (option->nonpositional())
      completed.options.push_back(CompletedOf(*option));
    else
      completed.positionals.push_back(ValuesOf(*option));
  }
  for (const auto* below : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (below->get_group().empty()) continue;
    completed.commands.push_back(CompletedOf(*below));
    for (const auto& alias : below->get_aliases()) {
      completed.commands.push_back(completed.commands.back());
      completed.commands.back().name = alias;
    }
  }
  return completed;
}

void AddCommands(CLI::App* app, const CommandLine& line) {
  AddResources(app, line);
  AddApi(app, line);
  AddAuth(app, line);
  AddCompletion(app, line);
}

}  // namespace freshet::client
