# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 900
#
# Proves that bad sectors in a hundred files, found all at once, are as many cases, each of them healed, with every file as it was, the
# memory of the daemon bounded and D-Bus answering all the while. With --count 512 it is 512 files, as many as the lab can lose at once.
files=$((COUNT ? COUNT : 96))
manager=(org.bezoar1 /org/bezoar1 org.bezoar1.Manager)
ms_between() {
    echo $(((${2/./} - ${1/./}) / 1000))
}
fresh_xfs
mkdir -p $DB
/lab/many.py make $DB "$files" 16384
mkdir -p "${MIRROR%/*}"
cp -a $DB $MIRROR
/lab/many.py print $DB >/run/lab/before
protect db Path=$DB Replica=mirror:$MIRROR
configure RepairBudget=100000/1h
start_daemon
wait_until 30 eval 'bezoarctl volumes --json=short | grep -q "$MNT"'
pid=$(systemctl show -P MainPID bezoard)
rss() {
    awk '/^Vm(HWM|RSS)/ {printf "%s %s KiB ", $1, $2}' "/proc/$pid/status"
}
idle=$(rss)

destroy_many $DB 8192

$probe ask >/run/lab/asked &
asker=$!
began=$EPOCHREALTIME
inject_many
injected=$EPOCHREALTIME
no_case_is_open() {
    sleep 1
    no_badblocks && [ "$(busctl get-property "${manager[@]}" OpenCases)" = "u 0" ]
}
wait_until 120 eval "[ \"\$(ls /var/lib/bezoar/cases | grep -c 'json\$')\" -ge $files ]"
wait_until 500 no_case_is_open
healed=$EPOCHREALTIME
expect "the cases" "healed $files" "$(/lab/many.py count /var/lib/bezoar/cases)"
kill $asker
wait $asker || fail "D-Bus: $(cat /run/lab/asked)"
say "# $files files: injected in $(ms_between $began $injected) ms, healed $(ms_between $injected $healed) ms later; idle $idle, then $(rss); D-Bus: $(cat /run/lab/asked)"
[ "$(awk '/^VmHWM/ {print $2}' "/proc/$pid/status")" -lt 32768 ] || fail "the daemon has grown: $(rss)"
expect "the daemon" "$pid" "$(systemctl show -P MainPID bezoard)"
expect "badblocks" "" "$(badblocks)"
/lab/many.py print $DB | diff /run/lab/before - >&2 || fail "files are not as they were"
