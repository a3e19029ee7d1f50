#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Run a command with FRESHET_TEST_POSTGRES set to the URI of a throwaway PostgreSQL server, which ends with it.
#
#   with_postgres.sh COMMAND [ARGUMENT]...
set -euo pipefail
[ $# -gt 0 ] || { sed -n '3,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
top=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d -t freshet-postgres.XXXXXX)
finish() {
  "$top/tools/postgres-real.sh" stop "$dir" || true
  rm -rf "$dir"
}
trap finish EXIT
FRESHET_TEST_POSTGRES=$("$top/tools/postgres-real.sh" start "$dir" -c wal_sender_timeout=20s -c max_prepared_transactions=5)
FRESHET_TEST_POSTGRES_DIR=$dir
export FRESHET_TEST_POSTGRES FRESHET_TEST_POSTGRES_DIR
"$@"
