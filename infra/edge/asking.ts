/** What the edge's script (`script.ts`) asks over HTTP: containers by `probe`, and public ports by `visit`. It keeps nothing. */

/** The functions. */
export const askingFunctions = String.raw`# request ADDRESS PORT HOST PATH: what one request was answered; fails unless it was 200 to 399. The answer comes by
# stderr, which is the only one that neither nc gives to the connection nor timeout keeps open.
request() {
  local said code=0
  said=$(timeout 3 nc "$1" "$2" -e sh "$0" ask "$3" "$4" 2>&1 > /dev/null) || code=$?
  said=$(printf '%s' "$said" | tr -cd ' -~\n' | tr '\n' ' ' | cut -c1-200)
  case $code$said in 126* | 127* | *Usage:* | *'invalid option'* | *'unrecognized option'*) fail 10 "the image has no nc that can ask: $said" ;; esac
  case $said in
    HTTP/1.[0-9]\ [23][0-9][0-9] | HTTP/1.[0-9]\ [23][0-9][0-9]\ *) return ;;
    nc:* | HTTP/1.[0-9]\ [0-9][0-9][0-9]*) echo "$said" ;;
    '' | Terminated*) if [ "$code" = 0 ]; then echo "the connection was closed without an answer"; else echo "no answer within 3 s"; fi ;;
    *) echo "no HTTP answer: $said" ;;
  esac
  return 1
}

# gateway: this host's own address, as containers see it. It stands in /proc with its bytes turned round.
gateway() {
  local to via a b c d
  while read -r _ to via _; do
    if [ "$to" != 00000000 ] || [ "$via" = 00000000 ]; then continue; fi
    a=${'$'}{via#??????} b=${'$'}{via#????} c=${'$'}{via#??} d=${'$'}{via%??????}
    printf '%d.%d.%d.%d' "0x$a" "0x${'$'}{b%??}" "0x${'$'}{c%????}" "0x$d"
    return
  done < /proc/net/route
  return 1
}

# visit ADDRESS PORT HOST PATH DEADLINE: until it is answered; what is wrong with the app behind it is no answer
visit() {
  local said code
  while :; do
    code=0
    said=$(request "$1" "$2" "$3" "$4" 2>&1) || code=$?
    case $code$said in 0* | 1HTTP/1.[0-9]\ [1-4]*) echo "port $2 answers" && return ;; esac
    if [ "$code" -ne 1 ] || [ "$(clock)" -ge "$5" ]; then break; fi
    sleep 0.2
  done
  echo "port $2 silent $said"
}
`;

/** The commands, as cases of the script. */
export const askingCommands = String.raw`  probe)
    # probe URL TIMES INTERVAL-SECONDS DEADLINE-SECONDS HOST: TIMES good answers in a row
    at=${'$'}{1#http://}
    path=/${'$'}{at#*/}
    at=${'$'}{at%%/*}
    good=0
    end=$(($(clock) + $4))
    while :; do
      code=0
      said=$(request "${'$'}{at%:*}" "${'$'}{at##*:}" "${'$'}{5:-$at}" "$path") || code=$?
      if [ "$code" -eq 10 ]; then exit 10; fi
      if [ "$code" -eq 0 ]; then
        good=$((good + 1))
        echo "ok $good"
        if [ "$good" -ge "$2" ]; then exit 0; fi
      else
        good=0
        echo "$said"
      fi
      if [ "$(clock)" -ge "$end" ]; then exit 5; fi
      sleep "$3"
    done
    ;;
  visit)
    # visit ADDRESS SECONDS {PORT HOST PATH}...: what public ports answer to who comes from outside, by an address of this
    # host. ADDRESS - finds one, and says first what show says. Without a HOST (-) Caddy answers by itself that it is missing.
    if [ "$1" = - ]; then
      sh "$0" show
      shift
      at=${'$'}{EDGE_GATEWAY:-$(gateway)} || exit 0
      echo "gateway $at"
      set -- "$at" "$@"
    fi
    address=$1
    end=$(($(clock) + $2))
    shift 2
    while [ $# -ge 3 ]; do
      visit "$address" "$1" "$2" "$3" "$end" &
      shift 3
    done
    wait
    ;;
  ask)
    # ask HOST PATH: what nc runs on a connection; its own status line counts, wherever it points to
    if [ "$1" = - ]; then
      printf 'GET / HTTP/1.1\r\nUser-Agent: lockage\r\nConnection: close\r\n\r\n'
    else
      printf 'GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: lockage\r\nAccept: */*\r\nConnection: close\r\n\r\n' "$2" "$1"
    fi
    IFS= read -r -n 200 line || true
    printf '%s\n' "$line" >&2
    exec 2> /dev/null
    # Read on a little, as some servers note a connection that is closed while they answer.
    timeout 1 head -c 65536 > /dev/null || true
    ;;
`;
