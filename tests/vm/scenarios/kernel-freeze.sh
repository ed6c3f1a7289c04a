# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that a frozen file system stops stores through mappings that were there before, and that one bad sector found by
# the firmware can then be written alone, through the block device.
fresh_xfs
make_file $MNT/f 65536
page=$(phys $MNT/f 8192)
destroy $((page + 3))
poison_ars $((page + 3))
hold store $MNT/f 0

now() { $probe load $MNT/f 0; }
moves() { [ "$1" != "$(now)" ]; }

wait_until 5 moves "$(now)"
xfs_freeze -f $MNT
before=$(now)
sleep 0.3
expect "the stored byte, frozen" "$before" "$(now)"
expect "writing the sector" "ok 512" "$($probe write /dev/pmem0 $(((page + 3) * 512)) 512 direct)"
xfs_freeze -u $MNT
wait_until 5 moves "$before"
expect "badblocks at the end" "" "$(badblocks)"
expect "the bytes of the sector" ZZZZ "$(dd if=$MNT/f bs=1 skip=$((8192 + 3 * 512)) count=4 status=none)"
