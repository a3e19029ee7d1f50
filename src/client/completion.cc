// SPDX-License-Identifier: Apache-2.0
#include "client/completion.h"

#include <fmt/format.h>

#include <functional>

namespace freshet::client {
namespace {

using Option = CompletedCommand::Option;

/// A command with the words that lead to it: ` pipelines list`; the topmost has none.
struct Placed {
  std::string place;
  const CompletedCommand* command;
};

void Collect(const CompletedCommand& command, const std::string& place,
             std::vector<Placed>* placed) {
  placed->push_back({place, &command});
  for (const auto& below : command.commands) Collect(below, place + " " + below.name, placed);
}

std::vector<Placed> AllOf(const CompletedCommand& command) {
  std::vector<Placed> placed;
  Collect(command, "", &placed);
  return placed;
}

std::string Joined(const std::vector<std::string>& words, std::string_view between) {
  return fmt::format("{}", fmt::join(words, between));
}

/// In single quotes. Source: POSIX.1, 2.2.2: nothing within them is special but the quote itself.
std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// The first line of a summary, as far as a menu has room for it.
std::string Short(std::string_view summary) {
  constexpr size_t kRoom = 70;
  auto text = std::string(summary.substr(0, summary.find('\n')));
  if (text.size() <= kRoom) return text;
  text.resize(text.rfind(' ', kRoom));
  return text + " …";
}

/// The words that may stand after a command: its commands, the values of what it takes, and its
/// options.
std::vector<std::string> WordsAfter(const CompletedCommand& command) {
  std::vector<std::string> words;
  for (const auto& below : command.commands) words.push_back(below.name);
  for (const auto& values : command.positionals) {
    for (const auto& value : values) words.push_back(value);
  }
  for (const auto& option : command.options) {
    for (const auto& name : option.names) words.push_back(name);
  }
  return words;
}

/// ` pipelines|list`: every step from a command to one below it, as patterns of a `case`.
std::string Steps(const std::vector<Placed>& placed) {
  std::vector<std::string> steps;
  for (const auto& [place, command] : placed) {
    if (!place.empty()) steps.push_back(Quoted(place));
  }
  return Joined(steps, "|");
}

constexpr std::string_view kBash =
    R"sh(# bash completion of freshet: freshet completion bash > /etc/bash_completion.d/freshet
_freshet() {
  local current=${COMP_WORDS[COMP_CWORD]} former=${COMP_WORDS[COMP_CWORD-1]} place= words= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$place ${COMP_WORDS[i]}" in
      <steps>) place="$place ${COMP_WORDS[i]}" ;;
    esac
  done
  COMPREPLY=()
  case "$place $former" in
<values>  esac
  case "$place" in
<words>  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _freshet freshet
)sh";

constexpr std::string_view kZsh = R"sh(#compdef freshet
# zsh completion of freshet: freshet completion zsh > a folder of $fpath/_freshet
_freshet() {
  local place= i
  local -a found
  for ((i = 2; i < CURRENT; i++)); do
    case "$place ${words[i]}" in
      (<steps>) place="$place ${words[i]}" ;;
    esac
  done
  case "$place ${words[CURRENT-1]}" in
<values>  esac
  case "$place" in
<words>  esac
  _describe 'freshet' found
  [[ ${words[CURRENT]} == -* ]] || _files
}
if [[ ${funcstack[1]} == _freshet ]]; then _freshet "$@"; else compdef _freshet freshet; fi
)sh";

constexpr std::string_view kFish =
    R"sh(# fish completion of freshet: freshet completion fish > ~/.config/fish/completions/freshet.fish
function __freshet_at
  set -l steps <steps>
  set -l place ''
  for word in (commandline -opc)[2..-1]
    if contains -- "$place $word" $steps
      set place "$place $word"
    end
  end
  test "$place" = "$argv[1]"
end
<words>)sh";

std::string Filled(std::string_view form,
                   const std::vector<std::pair<std::string, std::string>>& parts) {
  std::string text(form);
  for (const auto& [name, part] : parts) {
    auto at = text.find("<" + name + ">");
    if (at != std::string::npos) text.replace(at, name.size() + 2, part);
  }
  return text;
}

/// A line for each option that takes a value: what it may be, or nothing, and then it is a file.
std::string ValueLines(const std::vector<Placed>& placed,
                       const std::function<std::string(const std::string&, const Option&)>& line) {
  std::string lines;
  for (const auto& [place, command] : placed) {
    for (const auto& option : command->options) {
      if (!option.takes_value) continue;
      std::vector<std::string> patterns;
      for (const auto& name : option.names) patterns.push_back(Quoted(place + " " + name));
      lines += line(Joined(patterns, "|"), option);
    }
  }
  return lines;
}

std::string BashOf(const std::vector<Placed>& placed) {
  auto values = ValueLines(placed, [](const std::string& patterns, const Option& option) {
    auto words = option.values.empty()
                     ? std::string()
                     : fmt::format("COMPREPLY=($(compgen -W {} -- \"$current\")); ",
                                   Quoted(Joined(option.values, " ")));
    return fmt::format("    {}) {}return ;;\n", patterns, words);
  });
  std::string words;
  for (const auto& [place, command] : placed) {
    words += fmt::format("    {}) words={} ;;\n", Quoted(place),
                         Quoted(Joined(WordsAfter(*command), " ")));
  }
  return Filled(kBash, {{"steps", Steps(placed)}, {"values", values}, {"words", words}});
}

/// `name:summary`, as zsh's _describe reads it.
std::string Described(std::string_view name, std::string_view summary) {
  std::string text;
  for (char c : name) text += c == ':' ? std::string("\\:") : std::string(1, c);
  return Quoted(text + ":" + Short(summary));
}

std::string ZshOf(const std::vector<Placed>& placed) {
  auto values = ValueLines(placed, [](const std::string& patterns, const Option& option) {
    std::vector<std::string> quoted;
    for (const auto& value : option.values) quoted.push_back(Quoted(value));
    auto words = quoted.empty() ? std::string("_files") : "compadd -- " + Joined(quoted, " ");
    return fmt::format("    ({}) {}; return ;;\n", patterns, words);
  });
  std::string words;
  for (const auto& [place, command] : placed) {
    std::vector<std::string> found;
    for (const auto& below : command->commands)
      found.push_back(Described(below.name, below.summary));
    for (const auto& positional : command->positionals) {
      for (const auto& value : positional) found.push_back(Quoted(value));
    }
    for (const auto& option : command->options) {
      for (const auto& name : option.names) found.push_back(Described(name, option.summary));
    }
    words += fmt::format("    ({}) found=({}) ;;\n", Quoted(place), Joined(found, " "));
  }
  return Filled(kZsh, {{"steps", Steps(placed)}, {"values", values}, {"words", words}});
}

/// Source: fish's own quoting: within single quotes `\'` and `\\` are the only escapes.
std::string FishQuoted(std::string_view text) {
  std::string quoted = "'";
  for (char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string FishOption(const std::string& line, const Option& option) {
  auto text = line;
  for (const auto& name : option.names) {
    bool is_long = name.starts_with("--");
    text += fmt::format(" {} {}", is_long ? "-l" : "-s", name.substr(is_long ? 2 : 1));
  }
  if (option.takes_value && option.values.empty()) text += " -r";
  if (!option.values.empty()) text += " -x -a " + FishQuoted(Joined(option.values, " "));
  return text + " -d " + FishQuoted(Short(option.summary)) + "\n";
}

std::string FishOf(const std::vector<Placed>& placed) {
  std::string steps, words;
  for (const auto& [place, command] : placed) {
    if (!place.empty()) steps += (steps.empty() ? "" : " ") + FishQuoted(place);
    auto line = fmt::format("complete -c freshet -n \"__freshet_at {}\"", FishQuoted(place));
    for (const auto& below : command->commands) {
      words +=
          fmt::format("{} -f -a {} -d {}\n", line, below.name, FishQuoted(Short(below.summary)));
    }
    for (const auto& values : command->positionals) {
      if (!values.empty())
        words += fmt::format("{} -f -a {}\n", line, FishQuoted(Joined(values, " ")));
    }
    for (const auto& option : command->options) words += FishOption(line, option);
  }
  return Filled(kFish, {{"steps", steps}, {"words", words}});
}

}  // namespace

std::string CompletionOf(const CompletedCommand& command, Shell shell) {
  auto placed = AllOf(command);
  if (shell == Shell::kBash) return BashOf(placed);
  return shell == Shell::kZsh ? ZshOf(placed) : FishOf(placed);
}

}  // namespace freshet::client
