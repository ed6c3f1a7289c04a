# SPDX-License-Identifier: LGPL-2.1-or-later
# modules: 3
# timeout: 180
#
# Proves that files are restored on two namespaces of one region, mounted and poisoned side by side, each from its own
# replica, after a scrub as after a machine check; the second namespace keeps the kernel's list of its pages in memory, and so its
# bytes begin elsewhere.
use() {                 # DISK: what follows is about this one
    PMEM=$1 MNT=/srv/$1 DB=/srv/$1/db MIRROR=/srv/mirror/$1/db
}
expect_place() {        # FILE OFFSET: the last entry has the physical address, which is inside the namespace
    local start at
    start=$(sysfs "$(namespace)/resource")
    at=$(($(data_start) + $(page_at "$1" "$2")))
    expect_fields "PHYSICAL=$(printf '%#x' $at)" DIMM=nmem2
    [ $((start <= at && at < start + $(sysfs "$(namespace)/size"))) = 1 ] || fail "$at is not on $PMEM"
}
change_media
region=$(basename "$(dirname "$(grep -l ^nmem2, /sys/bus/nd/devices/region*/mapping0)")")
n=${region#region}
ndctl create-namespace -r "$region" -m fsdax -s 128M >/dev/null
ndctl create-namespace -r "$region" -m fsdax -s 112M --map=mem >/dev/null
udevadm settle
disks=("pmem$n" "pmem$n.1")
follow_journal
mkdir -p /run/lab/was
for disk in "${disks[@]}"; do
    use "$disk"
    expect "the mode of $disk" memory "$(sysfs "$(namespace)/mode")"
    fresh_xfs --unsupported     # so small
    mkdir -p "$DB" "${MIRROR%/*}"
    make_file "$DB/$disk" 262144
    remember "$DB/$disk"
    cp -a "$DB" "$MIRROR"
    protect "$disk" "Path=$DB" "Replica=mirror:$MIRROR"
done
start_daemon

wait_until 20 eval 'bezoarctl volumes --json=short | grep -q "/srv/pmem$n.1"'
expect "the volumes of the region" \
    "/dev/pmem$n namespace$n.0 /srv/pmem$n nmem2 /dev/pmem$n.1 namespace$n.1 /srv/pmem$n.1 nmem2" \
    "$(bezoarctl volumes --json=short | jq -r ".[] | select(.Region == \"$region\") | .Device, .Namespace, .MountPoint, .Dimms[]" | xargs)"
bezoarctl volumes --no-legend | tee /run/lab/volumes
expect "how they are drawn" "$region (nmem2) namespace$n.0 (fsdax) /dev/pmem$n namespace$n.1 (fsdax) /dev/pmem$n.1" \
    "$(sed -n "/^$region /,/^region/p" /run/lab/volumes | sed "/^region/{/^$region /!d}" | grep -oE "(region|namespace)[0-9.]+ \([a-z0-9]+\)|/dev/pmem[0-9.]+" | xargs)"

for lose in "lose_ars 8192 512" "lose_mce 65536"; do
    read -r verb offset bytes <<<"$lose"
    for disk in "${disks[@]}"; do
        use "$disk"
        $verb "$DB/$disk" "$offset" $bytes
    done
    for disk in "${disks[@]}"; do
        use "$disk"
        expect_healed "$DB/$disk" "$offset" "REPLICA=mirror:$MIRROR" PROOF=identity+neighbours
        expect_place "$DB/$disk" "$offset"
    done
done
for disk in "${disks[@]}"; do
    use "$disk"
    expect_as_before "$DB/$disk"
    expect "badblocks of $disk" "" "$(badblocks)"
done
expect "badblocks of the region" "" "$(sysfs "$region/badblocks")"
