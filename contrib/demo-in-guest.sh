# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# timeout: 170
#
# The part of contrib/demo that runs in the virtual machine. A scenario like those of tests/vm/scenarios, but one that talks.
. /lab/daemon.sh

bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' dim=$'\e[2m' off=$'\e[0m'

title() {
    say ""
    say "$bold$*$off"
}

# show COMMAND…: a command line and what it prints, as on a terminal.
show() {
    say "  $dim\$$off $*"
    { "$@" 2>&1 || true; } | show_lines
}

show_lines() {
    local line
    while IFS= read -r line; do
        say "  $line"
    done
}

# story SINCE: what the reader of the file saw and what the daemon said since that time, in the order in which it happened.
story() {
    {
        sed 's/ ok$/ reader the page can be read/; s/ \(E[A-Z]*\)$/ reader reading the page fails: \1/' /run/lab/watch
        journalctl -u bezoard.service --since "@$1" -o json --no-pager |
            jq -r 'select(.BEZOAR_CASE) | "\(.__REALTIME_TIMESTAMP | tonumber / 1000000) bezoard \(.MESSAGE)"'
    } | sort -n | awk -v start="$1" '$1 >= start' | while read -r time who what; do
        case $what in
            *fails*) what=$red$what$off ;;
            *"can be read"*) what=$green$what$off ;;
        esac
        say "  $dim$(date -d "@$time" +%T.%3N)$off  $(printf '%-8s' "$who")  $what"
    done
}

readable_again() {
    tail -n 1 /run/lab/watch | grep -q ' ok$'
}

# lose_and_heal FILE OFFSET HOW…: runs HOW, which destroys and poisons, and shows what comes of it.
lose_and_heal() {
    local file=$1 offset=$2 before start watcher
    shift 2
    before=$(fate "$file")
    show sha256sum "$file"
    $probe watch "$file" "$offset" 4096 >/run/lab/watch &
    watcher=$!
    wait_until 5 test -s /run/lab/watch
    start=$EPOCHREALTIME
    "$@"
    wait_entry STATE=healed "FILE=$file"
    wait_until 10 readable_again
    kill "$watcher"
    story "$start"
    say ""
    show sha256sum "$file"
    show cat /sys/block/pmem0/badblocks
    [ "$(fate "$file")" = "$before" ] || fail "$file is not what it was"
    say "  ${green}The same bytes, the same extents, the same times; no bad blocks.$off"
}

say ""
say "${bold}bezoar on Debian $(cat /etc/debian_version), kernel $(uname -r)$off"

title "A file system on persistent memory, a copy of its files on a disk, and who may take from it"
fresh_db ledger.db 1048576 catalog.db 262144
show findmnt -no SOURCE,TARGET,FSTYPE,OPTIONS $MNT
show ls -l $DB
show cat /etc/bezoar/protect.d/db.conf
show systemctl enable --now bezoard.service
systemctl is-active --quiet bezoard.service || fail "bezoard does not run"

title "1. The firmware finds a lost sector (ACPI address range scrub)"
say "  512 bytes of ledger.db are overwritten on the medium, and the firmware reports them as lost."
lose_and_heal $DB/ledger.db 81920 lose_ars $DB/ledger.db 82944 512

title "2. The CPU finds a lost page (machine check) in a file that a program has mapped"
say "  4096 bytes of catalog.db are overwritten on the medium; the kernel takes the whole page out of its map."
hold_map $DB/catalog.db 40960
lose_and_heal $DB/catalog.db 40960 lose_mce $DB/catalog.db 40960

title "What the alert said, with its explanation"
journalctl --update-catalog             # as installing a package does
show journalctl -b -x --no-pager -n 1 MESSAGE_ID="${ID[found]}"
say ""
