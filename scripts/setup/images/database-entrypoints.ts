/** The start scripts of the MariaDB and Redis images, with the variables and users of the official ones. */

/**
 * MariaDB's. Accounts are made by a file of statements at the first start, which runs before anybody is let in.
 */
export const mariadbEntrypoint = `#!/bin/sh
set -eu
umask 077

case "\${1:-mariadbd}" in
  -*) set -- mariadbd "$@" ;;
esac
[ "\${1:-mariadbd}" = mariadbd ] || exec "$@"
[ "$#" -eq 0 ] || shift

data=/var/lib/mysql
for word in "$@"; do
  case $word in --datadir=*) data=\${word#--datadir=} ;; esac
done

if [ "$(id -u)" = 0 ]; then
  # Only root can read these.
  for name in MARIADB_PASSWORD MARIADB_ROOT_PASSWORD; do
    file=$(printenv "\${name}_FILE" || true)
    [ -z "$file" ] || export "$name=$(cat "$file")"
  done
  mkdir -p "$data" /run/mysqld
  chown -R mysql:mysql "$data" /run/mysqld
  exec setpriv --reuid=mysql --regid=mysql --clear-groups "$0" mariadbd "$@"
fi

if [ ! -d "$data/mysql" ]; then
  root=\${MARIADB_ROOT_PASSWORD:?is not set}
  mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal --skip-test-db > /dev/null
  {
    echo "ALTER USER 'root'@'localhost' IDENTIFIED BY '$root';"
    echo "CREATE USER 'root'@'%' IDENTIFIED BY '$root';"
    echo "GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;"
    if [ -n "\${MARIADB_DATABASE:-}" ]; then echo "CREATE DATABASE \\\`$MARIADB_DATABASE\\\`;"; fi
    if [ -n "\${MARIADB_USER:-}" ]; then
      echo "CREATE USER '$MARIADB_USER'@'%' IDENTIFIED BY '$MARIADB_PASSWORD';"
      echo "GRANT ALL ON \\\`$MARIADB_DATABASE\\\`.* TO '$MARIADB_USER'@'%';"
    fi
  } > /tmp/accounts.sql
  set -- "--init-file=/tmp/accounts.sql" "$@"
fi
exec mariadbd --no-defaults --datadir="$data" --socket=/run/mysqld/mysqld.sock --bind-address='*' "$@"
`;

/** Redis': it owns its working folder. */
export const redisEntrypoint = `#!/bin/sh
set -eu
case "\${1:-redis-server}" in
  -*) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
  chown redis:redis .
  exec setpriv --reuid=redis --regid=redis --clear-groups "$@"
fi
exec "$@"
`;
