/**
 * What the first program of a fork does. All of them read from stdin: lines that set the fork's password, and an empty one. Who is
 * connected to that stdin owns the fork: PostgreSQL's ends with it.
 */

/** The place of the data in a baked image: no image declares a volume there, so that a commit keeps it. */
export const dataFolder = '/lockage/data';

/** Where forks that serve again find the data as it was baked, which they cannot write: a volume that they have in common. */
export const pristineFolder = '/lockage/pristine';

/** The file with what was read; in memory, and readable by the server alone. */
export const forkFile = '/tmp/fork';

/** Keeps what it reads in `forkFile`, and becomes the server. */
export const keepAndServe = String.raw`umask 077
while IFS= read -r line && [ -n "$line" ]; do printf '%s\n' "$line"; done > ${forkFile}
exec "$@"`;

/**
 * Serves PostgreSQL once for each time that it reads a statement with a password, and says when it can be used.
 *
 * From the second time on, whatever ran is taken away, and what has changed is put back, wherever the server's account can write:
 * what the kernel notes a change of after `made` was written. No program can set that back, as it can a file's time. Where `find` or
 * `cp` know less than those of GNU, all data is copied.
 */
export const servePostgres = String.raw`user=$1; shift
data=${dataFolder} pristine=${pristineFolder} made=/tmp/made server= spots=
trap 'exit 0' TERM INT
fail() { cat /tmp/psql >&2 2> /dev/null; exit 1; }
is_ready() { while read -r line; do case $line in ready*) return 0 ;; esac; done; return 1; }
end_all() {
  kill -QUIT "$server" 2> /dev/null; wait "$server"
  while kill -KILL -1 2> /dev/null; do sleep 0.01; done
}
restore() {
  [ -n "$spots" ] || spots=$(find / -xdev -type d '(' -perm -0002 -o -user "$(id -u)" ')' -prune -print 2> /dev/null)
  if find $spots -xdev -cnewer $made ! -type d -delete 2> /dev/null; then
    find $spots -xdev -depth -type d -cnewer $made -exec rmdir {} + 2> /dev/null
  else
    rm -rf $data
  fi
  find /tmp /dev/shm -mindepth 1 -delete 2> /dev/null || rm -rf /tmp/* /tmp/.[!.]* /dev/shm/*
  cp -au --sparse=always $pristine/. $data 2> /dev/null || { rm -rf $data; cp -a $pristine $data; } || exit 1
}
while IFS= read -r statement && read -r end; do
  [ -z "$server" ] || { end_all; restore; }
  # What is written next must be newer than this: the kernel's clock for files ticks each 10 ms or less.
  : > $made; sleep 0.02
  postgres -D $data "$@" < /dev/null &
  server=$!
  until is_ready < $data/postmaster.pid; do kill -0 "$server" || fail; sleep 0.01; done 2> /dev/null
  printf '%s\n' "$statement" |
    psql -X -q -w -v ON_ERROR_STOP=1 -h /tmp -U "$user" -d postgres > /dev/null 2> /tmp/psql || fail
  echo 'lockage: ready'
done`;
