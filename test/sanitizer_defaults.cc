// SPDX-License-Identifier: Apache-2.0
// What every sanitized program is linked with, so that `ctest`
// and a debugger see the same rules without any environment: the Arrow wheel, RocksDB, libpq and
// OpenSSL come without instrumentation.

extern "C" {

const char* __asan_default_options() {
  // Containers cross the border to uninstrumented code, which grows them without telling their
  // shadow.
  return "detect_container_overflow=0:detect_stack_use_after_return=1:strict_string_checks=1:abort_"
         "on_error=1";
}

const char* __ubsan_default_options() { return "print_stacktrace=1"; }

const char* __lsan_default_suppressions() {
  // One-time allocations that live as long as the process.
  return "leak:libarrow\nleak:libparquet\nleak:librocksdb\nleak:libcrypto\nleak:libssl\nleak:"
         "libpq\n"
         "leak:libgssapi\nleak:libkrb5\nleak:libp11-kit\n";
}

const char* __tsan_default_options() {
  // Uninstrumented libraries synchronise where the tool cannot see it: only our own accesses count.
  return "ignore_noninstrumented_modules=1:second_deadlock_stack=1:halt_on_error=1";
}

const char* __tsan_default_suppressions() {
  return "race:libarrow\nrace:libparquet\nrace:librocksdb\nrace:libcrypto\nrace:libpq\n"
         "deadlock:librocksdb\nthread:libarrow\n";
}

}  // extern "C"
