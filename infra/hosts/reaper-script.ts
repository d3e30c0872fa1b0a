import { labels, ownerLabels, reaperPart } from '../docker/labels.ts';
import { labelFilter } from '../docker/api/resources.ts';
import type { Place } from '../resources/inputs.ts';

/**
 * What runs in the container that removes an environment after its time (busybox sh). It looks at the host's own clock every few
 * seconds, so that neither sleep nor a clock that is set delays it for longer, and is a shell that sleeps until then. What it
 * asks of the engine goes through a Caddy beside it, which knows the requests of `reaperRequests` and no others.
 *
 * While a command is at work on the environment, whose lock it sees renewed, it waits: for an hour at most.
 *
 * Whatever cannot be removed now is tried again, with longer and longer pauses, as long as anything is left; and itself goes
 * last. A reaper with a later deadline that was started makes this one wait. Where the engine does not answer, it ends: its
 * engine starts it again, with the socket that is there by then.
 */
const whole = String.raw`set -u
at=127.0.0.1:2375
self=$(hostname)

ask() {
  wget -q -Y off -O - "http://$at/$1"
}

fail() {
  echo "$1"
  tail -n 3 /tmp/caddy.log
  exit 1
}

# open: from here on the engine can be asked
open() {
  printf %s "$REAPER_REQUESTS" > /tmp/caddy.json
  caddy run --config /tmp/caddy.json > /tmp/caddy.log 2>&1 &
  caddy=$!
  tries=0
  until ask ping > /dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 75 ] || ! kill -0 "$caddy" 2> /dev/null; then return 1; fi
    sleep 0.2
  done
}

shut() {
  kill -KILL "$caddy" 2> /dev/null
  wait "$caddy" 2> /dev/null
}

# over: not where the clock cannot be read
over() {
  now=$(date +%s) && [ "$now" -ge "$REAPER_DEADLINE" ]
}

# found KEY: those in what is listed
found() {
  printf %s "$listed" | grep -o "\"$1\":\"[a-zA-Z0-9][a-zA-Z0-9_.-]*\"" | cut -d '"' -f 4
}

# names LIST: of what is listed; fails where the engine does not say all of it
names() {
  listed=$(ask "$1") || return 1
  case $listed in '['*']' | '{'*'}') ;; *) return 1 ;; esac
  case $1 in volumes) key=Name ;; *) key=Id ;; esac
  found "$key" | tr '\n' ' '
}

# look: notes what there is of the environment, without its reapers
look() {
  reapers=$(names reapers) && all=$(names containers) && networks=$(names networks) && volumes=$(names volumes) || return 1
  containers=
  for each in $all; do
    case " $reapers" in *" $each "*) ;; *) containers="$containers$each " ;; esac
  done
}

# waits: a reaper that was started has a later deadline, or nobody says that none has
waits() {
  listed=$(ask started) || return 0
  case $listed in '['*']') ;; *) return 0 ;; esac
  for each in $(printf %s "$listed" | grep -o '"lockage.deadline":"[0-9]*"' | cut -d '"' -f 4); do
    if [ "$each" -gt "$REAPER_DEADLINE" ]; then return 0; fi
  done
  return 1
}

# held: there is a lock, and less than its lease ago it was another one, or renewed; names alone tell, as clocks may be set; or
# nobody says that there is none
seen=
held() {
  now=$(date +%s) || return 0
  [ "$now" -lt $((REAPER_DEADLINE + 3600)) ] || return 1
  listed=$(ask locks) || return 0
  case $listed in '{'*'}') ;; *) return 0 ;; esac
  locks=
  for each in $(found Name | sort); do
    case $each in *.over) ;; *) locks="$locks $each" ;; esac
  done
  [ -n "$locks" ] || return 1
  if [ "$locks" != "$seen" ] || [ "$now" -lt "$since" ]; then
    seen=$locks
    since=$now
  fi
  lease=$(printf %s "$listed" | grep -o '"lockage.lease":"[0-9]\{1,4\}"' | cut -d '"' -f 4 | sort -n | tail -n 1)
  [ -n "$lease" ] || lease=90
  [ "$now" -lt $((since + lease)) ]
}

# remove KIND NAME: a label may read as if it were a name, so the engine has to say first that this is the environment's
remove() {
  case $(ask "own/$1/$2") in *"\"$2\""*) ;; *) return 0 ;; esac
  if [ "$1" = containers ]; then ask "stop/$2" > /dev/null 2>&1; fi
  if ask "remove/$1/$2" > /dev/null; then echo "removed: $1 $2"; else echo "not removed: $1 $2"; fi
}

# sweep: removes all but the reapers; fails where something is left
sweep() {
  look || return 1
  stopping=
  for each in $containers; do
    remove containers "$each" &
    stopping="$stopping $!"
  done
  [ -z "$stopping" ] || wait $stopping
  for each in $networks; do remove networks "$each"; done
  for each in $volumes; do remove volumes "$each"; done
  look && [ -z "$containers$networks$volumes" ]
}

# leave: whoever comes last removes itself
leave() {
  for each in $reapers; do
    case $each in "$self"*) ;; *) remove containers "$each" ;; esac
  done
  for each in $reapers; do
    case $each in "$self"*) ask "remove/containers/$each" ;; esac
  done
}

open || fail "the engine does not answer"
case " $(names reapers)" in *" $self"*) ;; *) fail "the engine does not know this container: it is another one, or refuses" ;; esac
shut
: > /tmp/works

pause=1
while :; do
  until over; do sleep 3; done
  open || fail "the engine does not answer"
  if waits || held; then
    pause=5
  elif sweep; then
    leave
  else
    echo "something is left: again in $pause s"
  fi
  shut
  sleep "$pause"
  if [ "$pause" -lt 60 ]; then pause=$((pause * 2)); fi
done
`;

/** The script, without the lines that are comments: another word in one must not replace the reapers of every environment. */
export const reaperScript = whole
  .split('\n')
  .filter((line) => !/^\s*#/.test(line))
  .join('\n');

/** Where a reaper has the engine's socket mounted. */
export const mountedSocket = '/engine.sock';

/** Milliseconds for an answer; a stop may take as long as any container gets to end. */
const answerTimeout = 120_000;
const stopTimeout = 3_700_000;

interface Allowed {
  /** what the script asks for, without its slash; `ID` and `NAME` stand for one */
  readonly asked: string;
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly timeout?: number;
}

/** What `ID` and `NAME` may be: those of containers and networks, and those of volumes. */
const patterns = { ID: '([0-9a-f]{64})', NAME: '([a-zA-Z0-9][a-zA-Z0-9_.-]*)' } as const;

/**
 * Returns the configuration of a reaper's Caddy. Lists are those of what carries the environment's labels, by the engine's own
 * filter; everything that is not one of these requests is answered with 404. The paths name no version: a reaper may outlive
 * the engine's.
 */
export function reaperRequests({ app, environment }: Place): string {
  const { [labels.part]: part = '', ...own } = ownerLabels(app, environment, reaperPart);
  const reapers = { ...own, [labels.part]: part };
  // One that was made and not started has never worked.
  const started = { status: ['running', 'restarting', 'paused', 'exited'] };
  const all = (filters: string) => ({ path: '/containers/json', query: { all: 'true', filters } });
  const only = (path: string, others: object = {}) => ({ path, query: { filters: labelFilter(own, others) } });
  const allowed: readonly Allowed[] = [
    { asked: 'ping', path: '/_ping' },
    { asked: 'reapers', ...all(labelFilter(reapers)) },
    { asked: 'started', ...all(labelFilter(reapers, started)) },
    { asked: 'containers', ...all(labelFilter(own)) },
    { asked: 'networks', ...only('/networks') },
    { asked: 'volumes', ...only('/volumes') },
    { asked: 'locks', path: '/volumes', query: { filters: labelFilter({ ...own, [labels.part]: 'lock' }) } },
    { asked: 'own/containers/ID', ...all(labelFilter(own, { id: ['ID'] })) },
    { asked: 'own/networks/ID', ...only('/networks', { id: ['ID'] }) },
    // The engine looks for it anywhere in a name.
    { asked: 'own/volumes/NAME', ...only('/volumes', { name: ['^NAME$'] }) },
    { asked: 'stop/ID', method: 'POST', path: '/containers/ID/stop', timeout: stopTimeout },
    { asked: 'remove/containers/ID', method: 'DELETE', path: '/containers/ID', query: { force: 'true', v: 'true' } },
    { asked: 'remove/networks/ID', method: 'DELETE', path: '/networks/ID' },
    { asked: 'remove/volumes/NAME', method: 'DELETE', path: '/volumes/NAME' },
  ];
  const engine = {
    listen: ['127.0.0.1:2375'],
    automatic_https: { disable: true },
    routes: [...allowed.map(routeOf), { handle: [{ handler: 'static_response', status_code: 404 }] }],
  };
  return JSON.stringify({
    admin: { disabled: true, config: { persist: false } },
    logging: { logs: { default: { level: 'ERROR' } } },
    storage: { module: 'file_system', root: '/tmp/caddy' },
    apps: { http: { servers: { engine } } },
  });
}

function routeOf({ asked, method = 'GET', path, query = {}, timeout = answerTimeout }: Allowed) {
  const name = asked.replaceAll(/[^a-z]/g, '');
  const pattern = `^/${asked.replace(/ID|NAME/, (each) => patterns[each as keyof typeof patterns])}$`;
  const parts = Object.entries(query).map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
  const uri = [path, ...(parts.length === 0 ? [] : [parts.join('&')])].join('?');
  return {
    match: [{ path_regexp: { name, pattern } }],
    handle: [
      { handler: 'rewrite', method, uri: uri.replace(/ID|NAME/, `{http.regexp.${name}.1}`) },
      {
        handler: 'reverse_proxy',
        upstreams: [{ dial: `unix/${mountedSocket}` }],
        transport: { protocol: 'http', dial_timeout: '5s', response_header_timeout: `${timeout / 1000}s` },
      },
    ],
    terminal: true,
  };
}
