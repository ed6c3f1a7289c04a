# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that what was begun on one of two disks below one file system is settled there, and is not taken for something that the
# other disk should have: daemon and workers are killed before a write, on either disk, and the poison is gone before they are
# back, with the bytes not written. Nobody knows by whom, so that is in doubt, and the intent is kept.
XFS_OPTIONS=(--unsupported -m reflink=0)         # so small
mapper db "0 196608 striped 2 128 /dev/pmem0 2048 /dev/pmem1 4096"
fresh_db a 1048576 b 1048576

disks=()
for file in a b; do
    [ $file = a ] && offset=8192 || offset=$((65536 + 8192))
    read -r disk sector < <(place $DB/$file $offset)
    disks+=("$disk")
    fault before-write:sleep=60
    start_daemon
    lose_ars $DB/$file $offset 512
    wait_until 40 intent_is_logged
    kill_daemon
    systemctl stop bezoard.service      # else it is started again
    fault
    dd if=/dev/zero of="/dev/$disk" bs=512 count=1 seek="$sector" oflag=direct conv=notrunc status=none
    expect "badblocks of $disk" "" "$(PMEM=$disk badblocks)"
    start_daemon
    wait_entry STATE=in-doubt "FILE=$DB/$file"
    intent_is_logged || fail "the intent should be kept"
    systemctl stop bezoard.service
    rm -r /var/lib/bezoar/*
    forget_entries
done
[ "${disks[0]}" != "${disks[1]}" ]
