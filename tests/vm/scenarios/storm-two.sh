# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 240
#
# Proves that two disks are restored at the same time, and that no case is lost when their file systems are taken away in the middle of a
# repair and mounted again, and one of their namespaces is disabled and enabled, while devices never stop telling of changes: with nothing
# left to be done the daemon lets go of both.
files=8
use() {                 # DISK: what follows is about this one
    PMEM=$1 MNT=/srv/$1 DB=/srv/$1/db MIRROR=/srv/mirror/$1/db
}
rm -rf /srv/mirror
for disk in pmem0 pmem1; do
    use $disk
    if [ $disk = pmem0 ]; then fresh_xfs; else fresh_ext4; fi
    mkdir -p $DB "${MIRROR%/*}"
    /lab/many.py make $DB $files 65536
    cp -a $DB $MIRROR
    /lab/many.py print $DB >/run/lab/before.$disk
    protect $disk Path=$DB Replica=mirror:$MIRROR
done
fault before-write:stop         # in the middle, until somebody lets it go on
configure RescanIntervalSec=1h  # nothing that is lost may be found by chance
start_daemon
wait_until 30 eval 'bezoarctl volumes --json=short | grep -q /srv/pmem0 && bezoarctl volumes --json=short | grep -q /srv/pmem1'

for disk in pmem0 pmem1; do
    use $disk
    destroy_many $DB 8192
    mv /run/lab/places /run/lab/places.$disk
done
inject_many

stopped() {
    [ "$(ps -C bezoar-worker -o stat= | grep -c ^T)" = "$1" ]
}
wait_until 60 stopped 2         # one for each disk, both about to write
noise() {
    while :; do
        echo change >/sys/block/pmem0/uevent
        [ ! -e /sys/block/pmem1/uevent ] || echo change >/sys/block/pmem1/uevent || true
        sleep 0.05
    done
}
{ set +x; } 2>/dev/null
noise &
noise=$!
set -x

echo "--- both go, one comes back at once"
umount -l /srv/pmem0 /srv/pmem1
use pmem0
mount_dax
{ set +x; } 2>/dev/null
while :; do
    pkill -CONT -x bezoar-worker || true
    sleep 0.05
done &
set -x

# states DISK: how its cases stand, "8 healed".
states() {
    jq -rs --arg disk "/dev/$1" 'map(select(.volume.device == $disk)) | group_by([.state, .reason])[]
        | "\(length) \(.[0].state) \(.[0].reason // "")"' /var/lib/bezoar/cases/*.json | sed 's/ *$//'
}
all_healed() {
    sleep 0.5
    [ "$(states $1)" = "$files healed" ]
}
wait_until 60 all_healed pmem0
states pmem1

echo "--- the other, without its namespace"
no_work_on_pmem1() {
    sleep 0.5
    ! states pmem1 | grep -qvE 'healed|unmounted'
}
wait_until 60 no_work_on_pmem1
states pmem1
kill $noise                     # ndctl waits until udev has nothing to do
disable() {
    ndctl disable-namespace namespace1.0 || { sleep 0.2; false; }
}
wait_until 30 disable
{ set +x; } 2>/dev/null
noise &
noise=$!
set -x
not_there() {
    ! bezoarctl volumes --json=short | grep -q '"/dev/pmem1"'
}
wait_until 30 not_there
states pmem1
kill $noise
ndctl enable-namespace namespace1.0
wait_until 20 test -b /dev/pmem1
{ set +x; } 2>/dev/null
noise &
set -x
use pmem1
mount_dax
wait_until 60 all_healed pmem1

echo "--- what was done"
bezoarctl list
for disk in pmem0 pmem1; do
    use $disk
    expect "the pages of $disk" "$(awk '{print int($1 / 8) * 4096}' /run/lab/places.$disk | sort -n)" \
        "$(jq -r --arg disk "/dev/$disk" 'select(.volume.device == $disk) | .range.start' /var/lib/bezoar/cases/*.json | sort -n)"
    expect "badblocks of $disk" "" "$(badblocks)"
    expect_bytes "the files of $disk" "$(cat /run/lab/before.$disk)" "$(/lab/many.py print $DB)"
done
expect "open cases" "u 0" "$(busctl get-property org.bezoar1 /org/bezoar1 org.bezoar1.Manager OpenCases)"
