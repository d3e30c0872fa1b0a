/**
 * The POSIX shell scripts that set up a machine as a host, sent on stdin to `sh -s`, values as their arguments. Each
 * is a function that is called in the last line, so that it is read whole before anything in it could read the rest.
 */

const path = 'PATH=$PATH:/usr/sbin:/sbin';
/** The folder with a subfolder for each container that runs, by its id. */
const tasks = '/run/containerd/io.containerd.runtime.v2.task/moby';

/** The script that prints the machine's facts as lines `name=value`. Changes nothing. */
export const probeScript = String.raw`
${path}
say() { printf '%s=%s\n' "$1" "$2"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
main() {
  if [ -r /etc/os-release ]; then . /etc/os-release; fi
  say distribution "${'$'}{ID:-} ${'$'}{ID_LIKE:-}"
  say system "${'$'}{PRETTY_NAME:-}"
  say architecture "$(uname -m)"
  say user "$(id -un)"
  say groups "$(id -Gn "$(id -un)")"
  if as_root true; then say root yes; fi
  if [ -d /run/systemd/system ]; then say systemd yes; fi
  if program=$(command -v dockerd); then
    say program "$program"
    say version "$("$program" --version | sed -n 's/^Docker version \([^,]*\).*/\1/p')"
  fi
  if [ "$(systemctl is-active docker)" = active ]; then say active yes; fi
  if as_root test -s /etc/docker/daemon.json; then
    say settings "$(as_root cat /etc/docker/daemon.json | base64 | tr -d '\n')"
  fi
  if as_root test -e /etc/docker/daemon.json.before; then say unread yes; fi
  if as_root test -s /var/lib/docker/swarm/docker-state.json; then say swarm yes; fi
  say running "$(as_root ls ${tasks} | wc -l)"
}
main </dev/null 2>/dev/null
`;

/**
 * The script that changes the engine's settings. $wanted: the wanted ones. $before: those when the change was decided, so
 * that nobody else's change is lost. Both may have passwords in them, of a proxy: they are no arguments, and a file keeps its mode.
 */
export const configureScript = String.raw`
main() {
  set -eu
  file=/etc/docker/daemon.json
  now=$(cat "$file" 2>/dev/null || true)
  if [ "$now" != "$before" ]; then
    echo "$file was changed by somebody else meanwhile" >&2
    exit 9
  fi
  mkdir -p /etc/docker
  umask 022
  # It stays until an engine has started with the new settings; one that is there is of an earlier, interrupted time.
  if [ ! -e "$file.before" ]; then
    if [ -e "$file" ]; then cp -p "$file" "$file.before"; else : > "$file.before"; fi
  fi
  rm -f "$file.draft"
  if [ -e "$file" ]; then cp -p "$file" "$file.draft"; fi
  printf '%s\n' "$wanted" > "$file.draft"
  mv "$file.draft" "$file"
}
main </dev/null
`;

/** Returns a script with values for its variables, as text of its own: the arguments of a program are for all to see. */
export function withVariables(script: string, values: Readonly<Record<string, string>>): string {
  const lines = Object.entries(values).map(
    ([name, value]) => `${name}=$(printf %s '${Buffer.from(value).toString('base64')}' | base64 -d)`,
  );
  return [...lines, script].join('\n');
}

/**
 * The script that installs the distribution's engine, and what its kernel needs to confine containers. The package
 * starts it.
 */
export const installScript = String.raw`
${path}
main() {
  set -eu
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
  confine=
  if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]; then confine=apparmor; fi
  apt-get -q -o DPkg::Lock::Timeout=120 update
  apt-get -q -o DPkg::Lock::Timeout=120 install -y --no-install-recommends docker.io ca-certificates $confine
  systemctl enable --now docker
  rm -f /etc/docker/daemon.json.before
}
main </dev/null
`;

export const startScript = String.raw`
main() {
  if systemctl enable --now docker; then
    rm -f /etc/docker/daemon.json.before
    exit 0
  fi
  journalctl --no-pager -n 20 -u docker >&2
  exit 1
}
main </dev/null
`;

/**
 * $1: the value of live-restore in the engine's settings; empty: no container runs there. It takes effect with a
 * reload and must do so before the restart: an engine that stops with true and starts with false stops its containers
 * for good. An engine that does not accept its settings gets the old ones back, and the containers that ran are
 * started again.
 */
export const restartScript = String.raw`
file=/etc/docker/daemon.json
# Perl is on every Debian and Ubuntu; the engine's own client may not be.
ask_engine() {
  perl -MIO::Socket::UNIX -e '
    alarm $ARGV[0];
    $engine = IO::Socket::UNIX->new(Peer => "/run/docker.sock") or exit 1;
    print $engine "$ARGV[1] HTTP/1.0\r\nHost: docker\r\nContent-Length: 0\r\n\r\n";
    print <$engine>;
  ' "$@"
}
live_restore_is() { ask_engine 2 'GET /info' | grep -q "\"LiveRestoreEnabled\":$1"; }
main() {
  systemctl reload docker
  tries=40
  while [ -n "$1" ] && ! live_restore_is "$1"; do
    tries=$((tries - 1))
    if [ "$tries" = 0 ]; then
      journalctl --no-pager -n 10 -u docker >&2
      echo "the engine runs, and did not take live-restore: $1; restarted now, it would stop its containers" >&2
      restore
      # It may be reading now what was there before.
      systemctl reload docker
      exit 3
    fi
    sleep 0.25
  done
  ran=$(ls ${tasks} 2>/dev/null)
  if systemctl restart docker; then
    rm -f "$file.before"
    exit 0
  fi
  journalctl --no-pager -n 20 -u docker >&2
  restore
  systemctl reset-failed docker
  systemctl restart docker || exit 4
  for container in $ran; do ask_engine 60 "POST /containers/$container/start" >/dev/null; done
  exit 3
}
restore() {
  if [ -s "$file.before" ]; then mv "$file.before" "$file"; else rm -f "$file.before" "$file"; fi
}
main "$@" </dev/null
`;

/** $1: the user who is allowed to use the engine. */
export const joinScript = String.raw`
${path}
main() {
  set -eu
  getent group docker >/dev/null || groupadd --system docker
  usermod --append --groups docker "$1"
}
main "$@" </dev/null
`;
