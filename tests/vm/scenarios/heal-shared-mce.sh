# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
# timeout: 180
#
# Proves that a page that two files share and that a machine check took away is restored by way of another block, which
# both share then; that the bad one is a guard file's and not free when both are deleted; and that the file system can
# then be filled to the last byte.
fresh_db a 262144
mkdir $MNT/snapshot
xfs_io -f -c "reflink $DB/a 0 0 262144" $MNT/snapshot/a >/dev/null
sync -f $MNT
remember $DB/a
bad=$(page_at $DB/a 8192)
start_daemon
lose_mce $DB/a 8192
wait_entry STATE=healed "FILE=$DB/a" "OFFSET=$bad"
expect_fields WRITER=clone "REPLICA=mirror:$MIRROR" PROOF=identity+neighbours
same_bytes $DB/a $MNT/snapshot/a
same_bytes $DB/a $MIRROR/a
expect "the page of the snapshot" "$(page_at $DB/a 8192)" "$(page_at $MNT/snapshot/a 8192)"
[ "$(page_at $DB/a 8192)" != "$bad" ] || fail "it is where it was"
wait_entry "OFFSET=$bad" STATE=harmless REASON=parked
expect "size and time" "$(stat -c '%s %Y' $MIRROR/a)" "$(stat -c '%s %Y' $DB/a)"

rm $DB/a $MNT/snapshot/a
sync -f $MNT
dd if=/dev/zero of=$MNT/filler bs=1M status=none 2>/dev/null || true
sync -f $MNT
rm $MNT/filler
is_bad $((bad / 512)) 8 || fail "somebody wrote to it: $(badblocks)"
