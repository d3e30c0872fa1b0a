import { askingCommands, askingFunctions } from './asking.ts';

/**
 * What runs inside the edge container beside Caddy (busybox sh). It owns these in /live:
 *   incoming/ID                           a set that was delivered; moved to sets/ when it is first used
 *   sets/ID/PORT, sets/ID/PORT.fallback   `container:port` that the public PORT sends to, and where it goes if that fails
 *   sets/ID/PORT.among                    how many containers the first one leads to, if they are several
 *   sets/ID/to/PORT/PRIMARY,FALLBACK      all of it as a name (with `,AMONG`), which is how Caddy finds it; edges of before read the files
 *   now                                   link to the set that serves; replaced by one rename, so a switch is atomic
 *   pending                               a switch that nobody has confirmed: `DUE OPERATION PREVIOUS-SET SECONDS`, due by uptime
 *   confirmed                             the last switch that was confirmed: `OPERATION PREVIOUS-SET`
 *   fence                                 who may act: `REVISION OPERATION RECORDED-REVISION`
 *   record                                a copy of what is recorded, for operators who have lost it; replaced by one rename
 *   guard, lock                           the process that is it, or holds it: `PID.START.BOOT`
 * All but the sets and the record are links: none is half written, and a file system with a journal keeps them in the order
 * in which they were made. Every command that changes something works under one lock, and so does the guard when it takes
 * an unconfirmed switch back that is due: so a host recovers when its operator is gone, also across a restart of the host.
 * What only asks (`asking.ts`) needs none, and `show` answers also where it cannot have it.
 *
 * TOKEN is `REVISION:OPERATION:RECORDED:OVER`: the revision that is made, by which operation, the highest revision that
 * its record knows, and operations that ended without a record and are taken over (a list with commas). Exit codes: 3 the
 * set is not there, 4 nothing to confirm, 5 unhealthy, 6 overtaken, 7 no guard, 8 not as asked, 9 busy, 10 cannot ask.
 */
const keeping = String.raw`set -eu
cd "${'$'}{EDGE_LIVE:-/live}"

fail() {
  echo "$2" >&2
  exit "$1"
}

# clock: seconds that only go forward, whoever sets the time; after a restart of the host from the beginning
clock() {
  cut -d. -f1 /proc/uptime
}

{ read -r boot < /proc/sys/kernel/random/boot_id; } 2> /dev/null || boot=unknown

# identity PID: what no other process is ever called, also after a restart of the host
identity() {
  { read -r stat < "/proc/$1/stat"; } 2> /dev/null || return 1
  set -- "$1" ${'$'}{stat##*) }
  case $2 in Z | X) return 1 ;; esac
  echo "$1.${'$'}{21}.$boot"
}

lives() {
  [ "$(identity "${'$'}{1%%.*}")" = "$1" ]
}

# take LOCK: a link to its owner. One whose owner is dead is removed under a lock of that owner's name, so that nobody
# removes what another one has taken meanwhile.
take() {
  local owner tries=0 nobody=0
  until ln -s "$me" "$1" 2> /dev/null; do
    owner=$(readlink "$1") || owner=
    tries=$((tries + 1))
    # Where nobody has it time after time, nothing can be written.
    [ -n "$owner" ] || nobody=$((nobody + 1))
    if [ "$tries" -gt "$patience" ] || [ "$nobody" -gt 20 ]; then return 1; fi
    if [ -z "$owner" ] || lives "$owner"; then
      sleep 0.05
    else
      take "dead.$owner" || return 1
      if [ "$(readlink "$1")" = "$owner" ]; then rm -f "$1"; fi
      rm -f "dead.$owner"
    fi
  done
}

patience=120
copy=

held() {
  me=$(identity $$)
  if ! take lock; then
    [ -L lock ] || fail 8 "nothing can be written"
    fail 9 "busy: process $(get lock unknown) holds the lock"
  fi
  trap 'rm -f lock $copy' EXIT
}

# put LINK TEXT: as a whole or not at all
put() {
  rm -rf next
  ln -s "$2" next || fail 8 "$1 cannot be written"
  mv -fT next "$1" || fail 8 "$1 cannot be written"
  [ "$(readlink "$1")" = "$2" ] || fail 8 "$1 is not $2"
}

get() {
  readlink "$1" || echo "$2"
}

current() {
  target=$(get now sets/none)
  echo "${'$'}{target#sets/}"
}

point_at() {
  [ -d "sets/$1" ] || fail 8 "the set $1 is gone"
  put now "sets/$1"
}

answer() {
  echo "previous $1"
  echo "now $(current)"
}

# whole FOLDER SET: a set is named by what is in it; those of before by something else
whole() {
  [ -d "$1" ] || return 1
  case $2 in
    routes-*) [ "routes-$(cd "$1" && grep -H '' [0-9]* 2> /dev/null | sha256sum | cut -c1-16)" = "$2" ] ;;
  esac
}

# named FOLDER: gives a set the names of its targets, if it does not have them
named() {
  for file in "$1"/*.fallback; do
    [ -e "$file" ] || continue
    port=${'$'}{file##*/}
    port=${'$'}{port%.fallback}
    primary= fallback= among=
    read -r primary < "$1/$port" || true
    read -r fallback < "$file" || true
    if [ -e "$1/$port.among" ]; then read -r among < "$1/$port.among" || true; fi
    target=$1/to/$port/$primary,$fallback${'$'}{among:+,$among}
    set -- "$1" "$1/to/$port"/*
    if [ $# -eq 2 ] && [ "$2" = "$target" ]; then continue; fi
    rm -rf "$1/to/$port"
    mkdir -p "$1/to/$port" && : > "$target" || fail 8 "the set ${'$'}{1#sets/} cannot be written"
  done
}

have() {
  if whole "sets/$1" "$1"; then
    named "sets/$1"
    return
  fi
  whole "incoming/$1" "$1" || fail 3 "no set $1"
  rm -rf "sets/$1"
  mv -T "incoming/$1" "sets/$1" || fail 8 "the set $1 cannot be written"
  whole "sets/$1" "$1" || fail 8 "the set $1 is not what was delivered"
  named "sets/$1"
}

# allowed TOKEN: the operation may act, or this ends
allowed() {
  case $1 in *:*:*) ;; *) set -- "0:$1:0" ;; esac
  revision=${'$'}{1%%:*}
  rest=${'$'}{1#*:}
  operation=${'$'}{rest%%:*}
  rest=${'$'}{rest#*:}:
  known=${'$'}{rest%%:*}
  over=${'$'}{rest#*:}
  held
  fence=$(get fence '0 - 0')
  recorded=${'$'}{fence##* }
  highest=${'$'}{fence%% *}
  holder=${'$'}{fence#* }
  holder=${'$'}{holder%% *}
  if [ "$known" -lt "$recorded" ] || [ "$revision" -lt "$highest" ]; then overtaken; fi
  if [ "$revision" -eq "$highest" ] && [ "$known" -lt "$highest" ] && [ "$operation" != "$holder" ]; then
    case ",${'$'}{over%:}," in *",$holder,"*) ;; *) overtaken ;; esac
  fi
}

# fenced TOKEN: from here on the operation holds the fence, or this ends
fenced() {
  allowed "$1"
  if [ "$fence" != "$revision $operation $known" ]; then put fence "$revision $operation $known"; fi
}

overtaken() {
  fail 6 "revision $highest of operation $holder holds the fence (recorded: $recorded)"
}

read_pending() {
  pending=$(get pending "")
  set -- $pending
  due=${'$'}{1:-0} whose=${'$'}{2:-} previous=${'$'}{3:-} seconds=${'$'}{4:-0}
  [ -n "$previous" ]
}

read_confirmed() {
  set -- $(get confirmed "")
  whose=${'$'}{1:-} previous=${'$'}{2:-}
  [ -n "$previous" ]
}

take_back() {
  point_at "$previous"
  rm -f pending confirmed
}

keep() {
  rm -rf incoming/*
  local kept="none $* $(current)"
  if read_pending; then kept="$kept $previous"; fi
  if read_confirmed; then kept="$kept $previous"; fi
  for set in sets/*; do
    case " $kept " in *" ${'$'}{set#sets/} "*) ;; *) rm -rf "$set" ;; esac
  done
}

guard_lives() {
  lives "$(get guard 0)"
}

status() {
  echo "now $(current)"
  if [ -L pending ]; then echo "pending $(readlink pending)"; fi
  if [ -L confirmed ]; then echo "confirmed $(readlink confirmed)"; fi
  if [ -L fence ]; then echo "fence $(readlink fence)"; fi
  if guard_lives; then echo "guard lives"; else echo "guard dead"; fi
}
`;

const keepingCommands = String.raw`  run)
    mkdir -p incoming sets/none
    for port in $EDGE_PORTS; do
      # Nothing listens there: without a release, a request finds no answer.
      echo 127.0.0.1:9 > "sets/none/$port"
      echo 127.0.0.1:9 > "sets/none/$port.fallback"
    done
    sh "$0" tidy || true
    # An edge of before did not name targets. Names may outlive what a power cut took of the files.
    for set in sets/*; do
      if whole "$set" "${'$'}{set#sets/}"; then (named "$set") || true; fi
    done
    while :; do
      sh "$0" guard || true
      sleep 1
    done &
    exec caddy run --config /live/caddy.json
    ;;
  tidy)
    # What a power cut left. A file is a switch that an edge of before noted.
    held
    rm -rf next next.* pending.* record.*
    for dead in dead.*; do
      if [ -L "$dead" ] && ! lives "$(readlink "$dead")"; then rm -f "$dead"; fi
    done
    if [ -f pending ]; then
      read -r due whose previous < pending || previous=
      if [ -n "$previous" ] && [ -d "sets/$previous" ]; then put pending "$due $whose $previous 600"; else rm -f pending; fi
    fi
    [ -L now ] || put now sets/none
    ;;
  guard)
    me=$(identity $$)
    rm -f guard
    while :; do
      [ -L guard ] || ln -s "$me" guard || true
      sleep 0.5
      [ -L pending ] || continue
      sh "$0" due || sleep 5
    done
    ;;
  due)
    # What is due by the clock of a host that has restarted since is due now, or within the time that it had.
    held
    read_pending || exit 0
    left=$((due - $(clock)))
    if [ "$left" -le 0 ] || [ "$left" -gt "$seconds" ]; then take_back; fi
    ;;
  claim)
    # claim TOKEN: hold the fence, and change nothing that serves
    fenced "$1"
    answer "$(current)"
    ;;
  record)
    # record TOKEN SHA256: claim, and what comes by stdin is the copy of the record from then on, if all of it has come
    copy=record.$$
    trap 'rm -f $copy' EXIT
    cat > "$copy" || fail 8 "the record cannot be written"
    [ "$(sha256sum < "$copy" | cut -c1-64)" = "$2" ] || fail 8 "the record did not arrive as a whole"
    fenced "$1"
    mv -fT "$copy" record || fail 8 "the record cannot be written"
    ;;
  rehearse)
    # rehearse SET TOKEN: all that a switch needs, and change nothing that serves
    allowed "$2"
    have "$1"
    guard_lives || fail 7 "nobody would take an unconfirmed switch back: the guard has ended"
    answer "$(current)"
    ;;
  switch)
    # switch SET TOKEN SECONDS: SECONDS 0 needs no confirmation
    fenced "$2"
    have "$1"
    read_pending || previous=$(current)
    if [ "$3" -gt 0 ]; then
      guard_lives || fail 7 "nobody would take an unconfirmed switch back: the guard has ended"
      put pending "$(($(clock) + $3)) $operation $previous $3"
      point_at "$1"
      rm -f confirmed
    else
      point_at "$1"
      rm -f pending confirmed
    fi
    answer "$previous"
    ;;
  confirm)
    # confirm SET TOKEN KEEP...: keep the switch, go on to the set without a fallback, and forget what is not kept
    fenced "$2"
    if ! read_pending; then
      read_confirmed && [ "$whose" = "$operation" ] && [ "$(current)" = "$1" ] || fail 4 "not pending"
    fi
    [ "$whose" = "$operation" ] || fail 4 "pending for $whose"
    have "$1"
    put confirmed "$operation $previous"
    point_at "$1"
    rm -f pending
    answer "$previous"
    shift 2
    # The switch stands by now, whatever becomes of old files.
    (keep "$@") || true
    ;;
  revert)
    # revert TOKEN: also after a confirmation; nothing to do if that switch never happened or was taken back already
    fenced "$1"
    if read_pending && [ "$whose" = "$operation" ]; then
      take_back
    elif read_confirmed && [ "$whose" = "$operation" ]; then
      take_back
    fi
    answer "$(current)"
    ;;
  show)
    # Also where nothing can be written.
    me=$(identity $$)
    patience=20
    if take lock; then trap 'rm -f lock' EXIT; fi
    status
    ;;
  keep)
    # keep SET...: forget all others, except those in use
    held
    keep "$@"
    ;;
`;

const whole = String.raw`${keeping}
${askingFunctions}
command=$1
shift
case $command in
${keepingCommands}${askingCommands}  *)
    echo "unknown command $command" >&2
    exit 2
    ;;
esac
`;

/**
 * The script, as edges run it. Their fingerprint counts all of it: without the lines that are comments, as another word in one
 * must not replace the edges of every environment.
 */
export const edgeScript = whole
  .split('\n')
  .filter((line) => !/^\s*#/.test(line))
  .join('\n');
