/**
 * The start script of the PostgreSQL image. The cluster is made beside its place and moved there with PG_VERSION last,
 * so a container killed in the middle starts over instead of serving half a database.
 */
export const postgresEntrypoint = `#!/bin/sh
set -eu
umask 077

data=\${PGDATA:-/var/lib/postgresql/data}
user=\${POSTGRES_USER:-postgres}
database=\${POSTGRES_DB:-$user}

case "\${1:-postgres}" in
  -*) set -- postgres "$@" ;;
esac
[ "\${1:-postgres}" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
  # Only root can read it.
  if [ -n "\${POSTGRES_PASSWORD_FILE:-}" ]; then
    POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    export POSTGRES_PASSWORD
    unset POSTGRES_PASSWORD_FILE
  fi
  mkdir -p "$data" /run/postgresql
  chown -R postgres:postgres "$data" /run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi

make_cluster() {
  new=$data/.new
  mkdir -p "$new"
  chmod 700 "$new"
  if [ -n "\${POSTGRES_PASSWORD_FILE:-}" ]; then
    set -- --pwfile="$POSTGRES_PASSWORD_FILE"
  elif [ -n "\${POSTGRES_PASSWORD:-}" ]; then
    printf '%s\\n' "$POSTGRES_PASSWORD" > "$data/.password"
    set -- --pwfile="$data/.password"
  else
    echo "Neither POSTGRES_PASSWORD_FILE nor POSTGRES_PASSWORD is set" >&2
    exit 1
  fi
  initdb -D "$new" --username="$user" --auth-local=trust --auth-host=scram-sha-256 \\
    --encoding=UTF8 --locale=C.UTF-8 --no-instructions "$@" > /dev/null
  rm -f "$data/.password"
  echo "host all all all scram-sha-256" >> "$new/pg_hba.conf"
  echo "jit = off" >> "$new/postgresql.conf"
  if [ "$database" != postgres ]; then
    printf 'CREATE DATABASE "%s"\\n' "$database" | postgres --single -D "$new" postgres > /dev/null
  fi
  for entry in "$new"/*; do
    [ "\${entry##*/}" = PG_VERSION ] || mv "$entry" "$data/"
  done
  sync
  mv "$new/PG_VERSION" "$data/"
  rmdir "$new"
}

if [ ! -s "$data/PG_VERSION" ]; then
  if [ -d "$data/.new" ]; then
    find "$data" -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +
  elif [ -n "$(ls -A "$data" | grep -vx lost+found || true)" ]; then
    echo "$data holds files but no PostgreSQL cluster: refusing to use it" >&2
    exit 1
  fi
  make_cluster
fi

[ "$#" -gt 0 ] && shift
postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/run/postgresql "$@" &
server=$!
# On TERM PostgreSQL would wait for its clients to leave; on INT it ends their transactions and stops cleanly.
trap 'kill -INT "$server"' TERM INT
status=0
wait "$server" || status=$?
while kill -0 "$server" 2> /dev/null; do
  status=0
  wait "$server" || status=$?
done
exit "$status"
`;
