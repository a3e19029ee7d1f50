// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

int main() {
  std::puts("freshet " FRESHET_VERSION);
  return 0;
}
