// SPDX-License-Identifier: Apache-2.0
#include "app/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "store/local_file.h"

namespace freshet::app {
namespace {

/// A specification is far below it.
constexpr size_t kFileBytesMax = size_t{8} * 1024 * 1024;

Status Unreadable(const std::string& path, std::string_view why) {
  return Error(ErrorClass::INVALID_ARGUMENT, "cannot read {}: {}", path, why);
}

Result<std::string> ReadAll(int descriptor, const std::string& path) {
  std::string text;
  std::array<char, size_t{64} * 1024> bytes;
  while (true) {
    auto got = read(descriptor, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unreadable(path, strerror(errno));
    if (got == 0) return text;
    text.append(bytes.data(), static_cast<size_t>(got));
    if (text.size() > kFileBytesMax) return Unreadable(path, "it is larger than 8 MiB");
  }
}

}  // namespace

Secret AskOnTerminal(const std::string& prompt) {
  termios shown{};
  if (tcgetattr(STDIN_FILENO, &shown) != 0) return {};
  termios hidden = shown;
  // Ctrl-C comes as a character that ends the line, so that it does not end this process with the
  // echo off.
  hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
  hidden.c_cc[VEOL] = shown.c_cc[VINTR];
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  std::fprintf(stderr, "%s: ", prompt.c_str());
  std::string line;
  int c = std::getchar();
  for (; c != EOF && c != '\n' && c != shown.c_cc[VINTR]; c = std::getchar())
    line += static_cast<char>(c);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
  if (c == shown.c_cc[VINTR]) raise(SIGINT);
  std::fprintf(stderr, "\n");
  return Secret(std::move(line));
}

std::string Terminal::Variable(const char* name) const {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<std::string> Terminal::Read(const std::string& path) {
  if (path == "-") return ReadAll(STDIN_FILENO, "standard input");
  store::OpenFile file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.ok()) return Unreadable(path, strerror(errno));
  return ReadAll(file.get(), path);
}

Result<std::string> Terminal::ReadPrivate(const std::string& path) {
  store::OpenFile file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.ok() && errno == ENOENT)
    return Error(ErrorClass::NOT_FOUND, "there is no file {}", path);
  struct stat status {};
  if (!file.ok() || fstat(file.get(), &status) != 0) return Unreadable(path, strerror(errno));
  constexpr mode_t kOthers = 0077;
  if (S_ISREG(status.st_mode) && (status.st_mode & kOthers) != 0) {
    return Error(ErrorClass::INVALID_ARGUMENT, "others may read {}, which holds tokens", path)
        .WithRemedy("chmod 600 " + path);
  }
  return ReadAll(file.get(), path);
}

/// Written whole beside its place, so that a file that is there is complete.
Status Terminal::WritePrivate(const std::string& path, const std::string& text) {
  auto beside = path + ".new";
  unlink(beside.c_str());
  store::OpenFile file(open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.ok()) return store::FromErrno(errno, "cannot write", beside);
  FRESHET_CHECK_OK(store::WriteAll(file.get(), text, beside));
  if (fsync(file.get()) != 0) return store::FromErrno(errno, "cannot sync", beside);
  if (std::rename(beside.c_str(), path.c_str()) == 0) return Status::Ok();
  return store::FromErrno(errno, "cannot replace", path);
}

bool Terminal::Print(std::string_view text) {
  bool whole = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  return std::fflush(stdout) == 0 && whole;
}

void Terminal::Note(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

client::Surroundings::Size Terminal::TerminalSize() const {
  if (isatty(STDOUT_FILENO) == 0) return {};
  winsize size{};
  bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? Size{size.ws_col, size.ws_row} : Size{80, 24};
}

}  // namespace freshet::app
