/**
 * What runs inside the edge container beside Caddy (busybox sh). It owns three things in /live:
 *   incoming/ID                           a set that was delivered; moved to sets/ when it is first used, never over one
 *   sets/ID/PORT, sets/ID/PORT.fallback   `container:port` that the public PORT sends to, and where it goes if that fails
 *   now                                   link to the set that serves; replaced by one rename, so a switch is atomic
 *   pending                               a switch that nobody has confirmed: `DEADLINE TOKEN PREVIOUS-SET`
 * The guard takes an unconfirmed switch back after its deadline, so that a host recovers when its operator is gone,
 * also across a restart of the host. Times are seconds of this container's clock only.
 */
export const edgeScript = String.raw`set -eu
cd /live

point_at() {
  ln -s "sets/$1" "next.$$"
  mv -fT "next.$$" now
}

current() {
  target=$(readlink now)
  echo "${'$'}{target#sets/}"
}

have() {
  [ -d "sets/$1" ] || mv "incoming/$1" "sets/$1" 2>/dev/null || { echo "no set $1" >&2; exit 3; }
}

take_back() {
  read -r deadline token previous < pending
  point_at "$previous"
  rm -f pending
}

keep() {
  rm -rf incoming/*
  for set in sets/*; do
    [ -d "$set" ] || continue
    name=${'$'}{set#sets/}
    case " none $* $(current) $([ -f pending ] && cut -d' ' -f3 pending) " in *" $name "*) ;; *) rm -rf "$set" ;; esac
  done
}

guard() {
  while sleep 0.5; do
    [ -f pending ] || continue
    read -r deadline token previous < pending || continue
    if [ "$(date +%s)" -ge "$deadline" ]; then take_back || true; fi
  done
}

command=$1
shift
case $command in
  run)
    mkdir -p incoming sets/none
    for port in $EDGE_PORTS; do
      # Nothing listens there: without a release, a request finds no answer.
      echo 127.0.0.1:9 > "sets/none/$port"
      echo 127.0.0.1:9 > "sets/none/$port.fallback"
    done
    [ -L now ] || point_at none
    guard &
    exec caddy run --config /live/caddy.json
    ;;
  switch)
    # switch SET TOKEN SECONDS: SECONDS 0 needs no confirmation
    have "$1"
    if [ -f pending ]; then
      read -r deadline token previous < pending
    else
      previous=$(current)
    fi
    if [ "$3" -gt 0 ]; then
      echo "$(($(date +%s) + $3)) $2 $previous" > "pending.$$"
      mv -f "pending.$$" pending
      point_at "$1"
    else
      point_at "$1"
      rm -f pending
    fi
    echo "$previous"
    ;;
  confirm)
    # confirm SET TOKEN KEEP...: keep the switch, go on to the set without a fallback, and forget what is not kept
    [ -f pending ] || { echo "not pending" >&2; exit 4; }
    read -r deadline token previous < pending
    [ "$token" = "$2" ] || { echo "pending for $token" >&2; exit 4; }
    have "$1"
    point_at "$1"
    rm -f pending
    shift 2
    # The switch stands by now, whatever becomes of old files.
    keep "$@" || true
    ;;
  revert)
    # revert TOKEN: nothing to do if that switch never happened or was taken back already
    [ -f pending ] || exit 0
    read -r deadline token previous < pending
    [ "$token" = "$1" ] || exit 0
    take_back
    ;;
  show)
    echo "now $(current)"
    if [ -f pending ]; then echo "pending $(cat pending)"; fi
    ;;
  keep)
    # keep SET...: forget all others, except those in use
    keep "$@"
    ;;
  forget)
    # forget NAME...: remove the secret files of containers that are gone
    for name in "$@"; do rm -rf "/secrets/$name"; done
    ;;
  probe)
    # probe URL TIMES INTERVAL-SECONDS DEADLINE-SECONDS: TIMES good answers in a row
    good=0
    end=$(($(date +%s) + $4))
    while :; do
      # Not wget's own time limit: some static builds of it crash with one.
      if answer=$(timeout 3 wget -q -O /dev/null "$1" 2>&1); then
        good=$((good + 1))
        echo "ok $good"
        if [ "$good" -ge "$2" ]; then exit 0; fi
      else
        good=0
        answer=$(echo "$answer" | tr '\n' ' ')
        echo "${'$'}{answer:-no answer within 3 s}"
      fi
      if [ "$(date +%s)" -ge "$end" ]; then exit 5; fi
      sleep "$3"
    done
    ;;
  *)
    echo "unknown command $command" >&2
    exit 2
    ;;
esac
`;
