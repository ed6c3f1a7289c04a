# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a file that is dealt out over two NVDIMMs in chunks of 64 KiB is restored on both of them, also where the lost
# bytes are neighbours on a disk and none in the file.
XFS_OPTIONS=(--unsupported -m reflink=0)         # so small
mapper db "0 196608 striped 2 128 /dev/pmem0 2048 /dev/pmem1 4096"
fresh_db a 1048576
read -r disk0 _ < <(place $DB/a 0)
read -r disk1 _ < <(place $DB/a 65536)
[ "$disk0" != "$disk1" ]
start_daemon
lose_ars $DB/a 8192 512
expect_healed $DB/a 8192 WRITER=pwrite PROOF=identity+neighbours
lose_ars $DB/a $((65536 + 8192)) 512
expect_healed $DB/a $((65536 + 8192)) WRITER=pwrite PROOF=identity+neighbours
forget_entries

# the last page of a chunk, and the first of the next chunk on the same disk: 64 KiB apart in the file
lose_ars $DB/a $((131072 - 4096 - 65536)) 4096 $DB/a 131072 4096
expect_healed $DB/a $((131072 - 4096 - 65536)) PROOF=identity+neighbours
expect_healed $DB/a 131072 PROOF=identity+neighbours
expect "badblocks of pmem0" "" "$(badblocks)"
expect "badblocks of pmem1" "" "$(PMEM=pmem1 badblocks)"
