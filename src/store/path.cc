// SPDX-License-Identifier: Apache-2.0
#include "store/path.h"

#include <algorithm>

#include "base/status.h"

namespace freshet::store {

void CheckPath(std::string_view path) {
  size_t begin = 0;
  while (begin <= path.size()) {
    size_t end = std::min(path.find('/', begin), path.size());
    std::string_view part = path.substr(begin, end - begin);
    FRESHET_ASSERT(!part.empty() && part != "." && part != ".." && part.find('\0') == part.npos,
                   "{}", path);
    begin = end + 1;
  }
}

void CheckFolder(std::string_view folder) {
  if (!folder.empty()) CheckPath(folder);
}

std::string_view FolderOf(std::string_view path) {
  size_t slash = path.rfind('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

}  // namespace freshet::store
