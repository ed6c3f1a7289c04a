# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that lost bytes that two files share are restored in place for both, that they go on sharing them, and that it
# is enough that one of them is protected, whichever the kernel names first.
fresh_db a 262144 b 262144
mkdir $MNT/snapshot
xfs_io -f -c "reflink $DB/a 0 0 262144" $MNT/snapshot/a >/dev/null
xfs_io -f -c "reflink $DB/b 0 0 131072" $DB/c >/dev/null
cp -a $DB/c $MIRROR
sync -f $MNT
remember $DB/a
remember $DB/b
remember $DB/c
shared=$(page_at $DB/a 8192)
expect "the page of the snapshot" "$shared" "$(page_at $MNT/snapshot/a 8192)"

start_daemon
lose_ars $DB/a $((8192 + 3 * 512)) 512
expect_healed $DB/a 8192 WRITER=block "REPLICA=mirror:$MIRROR" PROOF=identity+neighbours
same_bytes $DB/a $MNT/snapshot/a
expect "the page of the snapshot, healed" "$shared" "$(page_at $MNT/snapshot/a 8192)"
[ "$(field BEZOAR_FROZEN_USEC)" -gt 0 ] || fail "it was not frozen"

forget_entries
shared=$(page_at $DB/b 16384)
lose_ars $DB/b 16384 1024 $DB/b 20992 512
wait_entry STATE=healed "OFFSET=$shared"
wait_until 40 no_badblocks
expect_as_before $DB/b
expect_as_before $DB/c
expect "the page of the copy, healed" "$shared" "$(page_at $DB/c 16384)"
no_intents
