# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a lost block of ext4's inode table costs what its inodes own and no more: of their bytes nothing is guessed,
# and others are found and restored.
FS=ext4
fresh_db a 262144
touch $DB/{1..60}
make_file $DB/b 262144
cp -a $DB/b $MIRROR/
sync -f $MNT
[ $((($(stat -c %i $DB/a) - 1) / 16)) != $((($(stat -c %i $DB/b) - 1) / 16)) ] || fail "both inodes are in one block"
table=$(dumpe2fs /dev/pmem0 2>/dev/null | sed -n 's/.*Inode table at \([0-9]*\)-.*/\1/p' | head -n 1)
block=$((table + ($(stat -c %i $DB/b) - 1) / 16))
page=$(page_at $DB/b 65536)
lose_ars $DB/b 65536 512
wait_until 20 is_bad "$(phys $DB/b 65536)"
umount $MNT
poison_ars $((block * 8 + 2))
mount_dax
echo 3 >/proc/sys/vm/drop_caches
start_daemon

wait_entry STATE=refused REASON=metadata OFFSET=$((block * 4096))
expect_match "what the journal says" "*inode table*" "$(field MESSAGE)"
wait_entry STATE=waiting REASON=unknown-owner "OFFSET=$page"
expect_match "what the journal says" "*metadata cannot be read*" "$(field MESSAGE)"
lose_ars $DB/a 65536 512
expect_healed $DB/a 65536 WRITER=pwrite
