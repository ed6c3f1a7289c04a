# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 900
#
# Proves that bad sectors in a hundred files on two devices, found all at once, are as many cases, each of them healed, with every file as
# it was, the memory of the daemon bounded and D-Bus answering all the while; though one of the two file systems and its namespace are taken
# away and brought back meanwhile, and the kernel tells of changes as fast as it can. With --count 512 it is 512 files, as many as the lab
# can lose at once.
files=$((COUNT ? COUNT : 96))
others=$((files / 6))
files=$((files - others))
manager=(org.bezoar1 /org/bezoar1 org.bezoar1.Manager)
ms_between() {
    echo $(((${2/./} - ${1/./}) / 1000))
}
use() {
    PMEM=$1
    MNT=/srv/pmem
    [ "$1" = pmem0 ] || MNT=/srv/$1
    DB=$MNT/db$1 MIRROR=/srv/mirror/db$1
}
use pmem0
for device in pmem1 pmem0; do
    use $device
    if [ $device = pmem0 ]; then fresh_xfs; else fresh_ext4; fi
    mkdir -p $DB "${MIRROR%/*}"
    /lab/many.py make $DB $([ $device = pmem0 ] && echo $files || echo $others) 16384
    cp -a $DB $MIRROR
    /lab/many.py print $DB >/run/lab/before.$device
    protect $device Path=$DB Replica=mirror:$MIRROR
done
configure RepairBudget=100000/1h
start_daemon
wait_until 30 eval 'bezoarctl volumes --json=short | grep -q "/srv/pmem1"'
pid=$(systemctl show -P MainPID bezoard)
rss() {
    awk '/^Vm(HWM|RSS)/ {printf "%s %s KiB ", $1, $2}' "/proc/$pid/status"
}
idle=$(rss)
rm -f /run/lab/errors
for device in pmem1 pmem0; do
    use $device
    destroy_many $DB 8192
done

$probe ask >/run/lab/asked &
asker=$!
$probe changes /sys/block/pmem0/uevent >/run/lab/changes &
noise=$!
began=$EPOCHREALTIME
inject_many
injected=$EPOCHREALTIME

# The other file system goes away and comes back with its namespace.
use pmem1
for round in 1 2; do
    wait_until 60 umount $MNT
    ndctl disable-namespace namespace1.0
    ndctl enable-namespace namespace1.0
    wait_until 20 test -b /dev/pmem1
    mount_dax
done
kill $noise
wait $noise || fail "changes: $(cat /run/lab/changes)"

no_case_is_open() {
    sleep 1
    [ -z "$(cat /sys/block/pmem[01]/badblocks)" ] && [ "$(busctl get-property "${manager[@]}" OpenCases)" = "u 0" ]
}
known() {
    sleep 1
    [ "$(ls /var/lib/bezoar/cases | grep -c 'json$')" -ge $((files + others)) ]
}
wait_until 120 known
wait_until 500 no_case_is_open
healed=$EPOCHREALTIME
expect "the cases of pmem0" "healed $files" "$(/lab/many.py count /var/lib/bezoar/cases /dev/pmem0)"
expect "the cases of pmem1" "healed $others" "$(/lab/many.py count /var/lib/bezoar/cases /dev/pmem1)"
kill $asker
wait $asker || fail "D-Bus: $(cat /run/lab/asked)"
say "# $((files + others)) files: injected in $(ms_between $began $injected) ms, healed $(ms_between $injected $healed) ms later; changes: $(cat /run/lab/changes)"
say "# daemon: idle $idle, then $(rss); D-Bus: $(cat /run/lab/asked)"
[ "$(awk '/^VmHWM/ {print $2}' "/proc/$pid/status")" -lt 32768 ] || fail "the daemon has grown: $(rss)"
expect "the daemon" "$pid" "$(systemctl show -P MainPID bezoard)"
for device in pmem0 pmem1; do
    use $device
    /lab/many.py print $DB | diff /run/lab/before.$device - >&2 || fail "files on $device are not as they were"
done
