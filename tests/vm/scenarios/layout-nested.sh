# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a file is restored on a device-mapper device that is linear, over one that is striped, over a partition and
# a disk; and that poison waits which a target has that is not followed.
XFS_OPTIONS=(--unsupported -m reflink=0)         # so small
partition_gpt "start=2MiB, size=16MiB" "size=128MiB"
mapper lower "0 196608 striped 2 64 /dev/pmem0p2 1024 /dev/pmem1 0"
mapper db "0 131072 linear /dev/mapper/lower 32768" "131072 16384 linear /dev/mapper/lower 8192"
fresh_db a 1048576
start_daemon
# one after another: two disks list what they lost at two moments, and until then it looks like another version of the file
lose_ars $DB/a 8192 512
expect_healed $DB/a 8192 WRITER=pwrite PROOF=identity+neighbours
lose_ars $DB/a $((8192 + 32768)) 512
expect_healed $DB/a $((8192 + 32768)) WRITER=pwrite PROOF=identity+neighbours
lose_mce $DB/a 131072
expect_healed $DB/a 131072 PROOF=identity+neighbours
expect "badblocks of pmem0" "" "$(badblocks)"
expect "badblocks of pmem1" "" "$(PMEM=pmem1 badblocks)"

FS_DEVICE=/dev/mapper/db
modprobe dm-delay || skip "this kernel has no dm-delay"
umount $MNT
dmsetup remove db
mapper slow "0 196608 delay /dev/mapper/lower 0 0"
forget_entries
read -r PMEM sector < <(below /dev/mapper/lower 80000)
poison_ars "$sector"
wait_entry STATE=waiting REASON=unknown-owner "DEVICE=/dev/$PMEM"
expect_match "what the journal says" "*/dev/mapper/slow*delay*" "$(field MESSAGE)"
