#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A throwaway PostgreSQL server for tests, the demo and the bench; installs nothing.
#
#   postgres-real.sh start   DIR [-c name=value]...   make the cluster on first use, start it, print its URI
#   postgres-real.sh stop    DIR                      stop it (fast: open sessions are ended)
#   postgres-real.sh restart DIR [-c name=value]...   stop, start again on the same port, print the URI
#   postgres-real.sh kill    DIR                      stop it as a crash would (immediate: recovery on next start)
#   postgres-real.sh uri     DIR                      print the URI
#
# wal_level is logical unless an option says otherwise. Options given to start or restart stay until given anew.
# PostgreSQL refuses to run as root: then it runs as user postgres, else nobody. FRESHET_PG chooses the version: 15
# unless told, others as tools/postgres-get installs them; PG_BIN names the programs of any other server.
# FRESHET_PG_SETTINGS holds `name=value`, blanks between, for the configuration of every server that is made.
set -euo pipefail

bin=${PG_BIN:-$("$(dirname "${BASH_SOURCE[0]}")/postgres-get" --bin "${FRESHET_PG:-15}")}
usage() { sed -n '3,16s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
command=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
shift 2

owner=$(id -un)
if [ "$(id -u)" = 0 ]; then
  owner=nobody
  id postgres >/dev/null 2>&1 && owner=postgres
fi
as_owner() {
  if [ "$(id -un)" = "$owner" ]; then (cd / && "$@"); else (cd / && setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups "$@"); fi
}

# A server that lies where its user may not go, as under root's home, is run from a copy.
reach() {
  if as_owner test -x "$bin/postgres"; then return; fi
  [ -x "$bin/postgres" ] || { echo "there is no PostgreSQL in $bin: tools/postgres-get installs it" >&2; exit 1; }
  [ -e "$dir/programs" ] || cp -r "$(dirname "$bin")" "$dir/programs"
  bin=$dir/programs/bin
}

# A port nobody listens on. Two scripts may still choose the same: `start` then tries another.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

running() { as_owner "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; }
uri() { echo "postgresql://postgres@127.0.0.1:$(cat "$dir/port")/postgres"; }

prepare() {
  [ -e "$dir/data/PG_VERSION" ] && return
  as_owner "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 ||
    { cat "$dir/initdb.log" >&2; exit 1; }
  cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
wal_level = logical
max_replication_slots = 20
max_wal_senders = 20
fsync = off
full_page_writes = off
max_connections = 60
shared_buffers = 128MB
max_wal_size = 2GB
include_if_exists = 'options.conf'
CONF
  local setting
  for setting in ${FRESHET_PG_SETTINGS:-}; do
    printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}" >>"$dir/data/postgresql.conf"
  done
}

start() {
  if [ $# -gt 0 ] || [ ! -e "$dir/options.conf" ]; then
    : >"$dir/data/options.conf"
    while [ $# -gt 0 ]; do
      [ "$1" = -c ] && [ $# -ge 2 ] || usage
      printf "%s = '%s'\n" "${2%%=*}" "${2#*=}" >>"$dir/data/options.conf"
      shift 2
    done
    touch "$dir/options.conf"
  fi
  for attempt in 1 2 3 4 5; do
    [ -e "$dir/port" ] || free_port >"$dir/port"
    # Every file descriptor but the three is closed: a caller's lock or pipe must not live as long as the server.
    if as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/data/server.log" -w -t 240 -o "-p $(cat "$dir/port")" start >"$dir/start.log" 2>&1 </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; then
      uri
      return
    fi
    grep -q 'could not bind' "$dir/data/server.log" && [ "$attempt" -lt 5 ] || break
    : >"$dir/data/server.log"
    rm -f "$dir/port"
  done
  tail -20 "$dir/data/server.log" >&2
  exit 1
}

stop() { ! running || as_owner "$bin/pg_ctl" -D "$dir/data" -m "$1" -w -t 240 stop >/dev/null; }

open_way() {
  # Temporary directories are closed to other users: open the way down to this one.
  [ "$(id -u)" = 0 ] || return 0
  local above=$dir
  while [ "$above" != / ]; do
    as_owner test -x "$above" || chmod o+x "$above"
    above=$(dirname "$above")
  done
  chown "$owner" "$dir"
}

open_way
reach
case $command in
  start)
    prepare
    if running; then uri; else start "$@"; fi
    ;;
  stop) stop fast ;;
  restart)
    prepare
    stop fast
    start "$@"
    ;;
  kill) stop immediate ;;
  uri) uri ;;
  *) usage ;;
esac
