#!/usr/bin/env bash
# A Service finds its Pods, the rules that follow, a packet there and back, and a monitor that is wrong by one word.
# Run by `make demo`; with kdp on PATH it runs by itself, in a terminal or in a pipe.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold="" dim="" plain=""; fi

title() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }
run() { # run COMMAND...: show a command, then its output
    printf '%s$ %s%s\n' "$dim" "$*" "$plain"
    "$@"
}

f=examples/mysql/

title "1. A Service finds Pods by their labels, never by name"
run kdp get service mysql-service -n blog-system -o wide -f $f
echo
run kdp get pods -n blog-system -l app=mysql -o wide -f $f

title "2. Between them stand its endpoints: the addresses of the Pods found"
run kdp get endpoints,endpointslices -n blog-system -f $f
echo
run kdp explain svc/mysql-service -n blog-system -f $f

title "3. The cluster IP is on no interface: every node has rules for it"
run kdp rules --node node-1 --chain KUBE-SERVICES -f $f
chain="$(kdp rules --node node-1 --chain KUBE-SERVICES -q -f $f | sed -n 's/^\(KUBE-SVC-[A-Z0-9]*\) .*mysql-service.*/\1/p' | head -1)"
echo
run kdp rules --node node-1 --chain "$chain" -f $f

title "4. A packet goes there and comes back"
run kdp trace pod/was mysql-service:3306 -n blog-system -f $f
echo
run kdp trace pod/was mysql-service:3306 -n blog-system --explore -f $f

title "5. Prometheus sees no target: the ServiceMonitor is wrong by one word"
run kdp explain servicemonitor/mysql-exporter -n monitoring -f $f

title "6. One chain for all Services: walked from the top, or through an index"
run kdp bench scaling --services 100,1000,10000
