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
 * Succeeds in an image whose programs know all that `servePostgres` asks of them to make a fork pristine: BusyBox does not, and its
 * forks serve once.
 */
export const canRestore = `find / -maxdepth 0 -newerct "@$(date +%s.%N)" -printf '' && sort < /dev/null && id -u > /dev/null`;

/**
 * Serves PostgreSQL once for each time that it reads a statement with a password, and says when it can be used.
 *
 * From the second time on, whatever ran is taken away, and what has changed is put back, wherever the server's account can write:
 * what the kernel notes a change of after `made`. No program can set that back, as it can a file's time. It ends where that fails, and
 * where other files are there than before: one outside the data that was part of the image cannot be put back. What is mounted in the
 * image's volumes has to be read-only, as other devices are not looked at.
 */
export const servePostgres = String.raw`user=$1; shift
data=${dataFolder} pristine=${pristineFolder} made= server= spots= names=
trap 'exit 0' TERM INT
fail() { cat /tmp/psql >&2 2> /dev/null; exit 1; }
is_ready() { while read -r line; do case $line in ready*) return 0 ;; esac; done; return 1; }
end_all() {
  kill -QUIT "$server" 2> /dev/null; wait "$server"
  while kill -KILL -1 2> /dev/null; do sleep 0.01; done
}
list() { find $spots -xdev -printf '%M %U %G %p %l\n' | sort; }
remember() {
  spots=$(find / /tmp /dev/shm /dev/mqueue -xdev -type d '(' -perm -0002 -o -perm -0020 -o -user "$(id -u)" ')' -prune -print 2> /dev/null)
  names=$(list)
}
restore() {
  # Where files have times of whole seconds, what changed cannot be told.
  case $(find $data/postmaster.opts -printf %C@) in '' | *.0000000000) exit 1 ;; esac
  find $spots -xdev -newerct "@$made" ! -type d -delete || exit 1
  find $spots -xdev -depth -type d -newerct "@$made" -exec rmdir {} + 2> /dev/null
  cp -au --sparse=always $pristine/. $data 2> /dev/null || { rm -rf $data && cp -a $pristine $data; } || exit 1
  [ -n "$names" ] && [ "$(list)" = "$names" ] || exit 1
}
while IFS= read -r statement && read -r end; do
  if [ -n "$server" ]; then end_all; restore
  elif [ -d $pristine ]; then remember
  fi
  # What is written next must be newer than this: the kernel's clock for files ticks each 10 ms or less.
  made=$(date +%s.%N); sleep 0.02
  # What a fork logs is too little for replication slots: no server starts with one.
  rm -rf $data/pg_replslot/*
  postgres -D $data "$@" < /dev/null &
  server=$!
  until is_ready < $data/postmaster.pid; do kill -0 "$server" || fail; sleep 0.01; done 2> /dev/null
  printf '%s\n' "$statement" |
    psql -X -q -w -v ON_ERROR_STOP=1 -h /tmp -U "$user" -d postgres > /dev/null 2> /tmp/psql || fail
  echo 'lockage: ready'
done`;
