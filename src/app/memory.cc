// SPDX-License-Identifier: Apache-2.0
#include "app/memory.h"

#include <malloc.h>

#include <cstdlib>

namespace freshet::app {
namespace {

constexpr int kMiB = 1024 * 1024;
/// Below what a second arena may hold (64 MiB): larger ones are rare and go back at once.
constexpr int kHeapBlockBytesMax = 32 * kMiB;
/// What the top of a heap keeps when it is free.
constexpr int kHeapKeptBytes = 64 * kMiB;
/// One for each of the two threads that work at a time: more would each keep what they freed.
constexpr int kArenas = 2;

}  // namespace

void SetUpMemory() {
  // Read by Arrow at its first allocation; it has no call for it. A user's own choice stays.
  setenv("ARROW_DEFAULT_MEMORY_POOL", "system", /*overwrite=*/0);
  mallopt(M_MMAP_THRESHOLD, kHeapBlockBytesMax);
  mallopt(M_TRIM_THRESHOLD, kHeapKeptBytes);
  mallopt(M_ARENA_MAX, kArenas);
}

}  // namespace freshet::app
