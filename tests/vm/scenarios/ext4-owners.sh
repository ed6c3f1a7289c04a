# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that on ext4 what is no file's data is told apart from it, and left alone: free space, space that was never
# written, a folder, the journal and the inode table. Of free space that a machine check hit nobody can tell whether the page is there
# (kernel-free-pmd-ext4): that is an alert.
FS=ext4
fresh_db a 262144
xfs_io -f -c "falloc 0 65536" $DB/unwritten
inode=$(stat -c %i $DB)
sync -f $MNT
folder=$(debugfs -R "blocks <$inode>" /dev/pmem0 2>/dev/null | awk '{print $1}')
journal=$(debugfs -R "blocks <8>" /dev/pmem0 2>/dev/null | awk '{print $1}')
table=$(dumpe2fs /dev/pmem0 2>/dev/null | sed -n 's/.*Inode table at \([0-9]*\)-.*/\1/p' | head -n 1)
free=$(dumpe2fs /dev/pmem0 2>/dev/null | sed -n 's/.*Free blocks: .*-\([0-9]*\)$/\1/p' | tail -n 1)
unwritten=$(($(phys $DB/unwritten 8192) / 8))
start_daemon
poison_ars $((folder * 8 + 1)) 1 $((journal * 8 + 8001)) 1 $((table * 8 + 8001)) 1 $((free * 8 + 1)) 1 $((unwritten * 8 + 1)) 1

wait_entry STATE=refused REASON=metadata OFFSET=$((folder * 4096))
expect_match "what the journal says" "*directory*" "$(field MESSAGE)"
wait_entry STATE=refused REASON=log OFFSET=$(((journal + 1000) * 4096))
wait_entry STATE=refused REASON=metadata OFFSET=$(((table + 1000) * 4096))
expect_match "what the journal says" "*inode table*" "$(field MESSAGE)"
wait_entry STATE=harmless REASON=free OFFSET=$((free * 4096))
wait_entry STATE=harmless REASON=unwritten OFFSET=$((unwritten * 4096))

take_page $(((free - 100) * 8))
wait_entry STATE=waiting REASON=free-page-may-be-absent OFFSET=$(((free - 100) * 4096))
expect PRIORITY 2 "$(field PRIORITY)"
expect_match "what the journal says" "*on this file system it cannot be parked*" "$(field MESSAGE)"

# And with all that, a file is found and healed.
lose_ars $DB/a 65536 512
expect_healed $DB/a 65536 WRITER=pwrite
