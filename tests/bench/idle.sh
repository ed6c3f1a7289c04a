# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# timeout: 180
#
# What the daemon costs while nothing happens: how often it wakes up in a minute, and its memory.
. /lab/daemon.sh

switches() {
    awk '/ctxt_switches/ {n += $2} END {print n}' "/proc/$1/status"
}

fresh_db ledger.db 1048576
start_daemon
pid=$(systemctl show -P MainPID bezoard.service)
sleep 10
before=$(switches "$pid")
sleep 60
say "idle, one minute with one protected folder"
say "  wake-ups         $(($(switches "$pid") - before))"
say "  resident memory  $(awk '/^(VmRSS|RssAnon)/ {printf "%s %.1f MiB  ", $1, $2 / 1024}' "/proc/$pid/status")"
say "  processes        $(systemctl show -P TasksCurrent bezoard.service)"
