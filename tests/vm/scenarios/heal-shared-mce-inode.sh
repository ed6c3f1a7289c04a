# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
# timeout: 180
#
# Proves that where each file says for itself whether it has DAX (dax=inode, which is what mount(8) does by itself), a page that
# files with it share and that a machine check took away is restored by way of another block, although new files have none.
MOUNT_OPTIONS=dax=inode
fresh_db
mkdir $MNT/snapshot
xfs_io -c "chattr +x" $DB
xfs_io -c "chattr +x" $MNT/snapshot
make_file $DB/a 262144
cp -p $DB/a $MIRROR/a
xfs_io -f -c "reflink $DB/a 0 0 262144" $MNT/snapshot/a >/dev/null
touch $MNT/new
sync -f $MNT

expect "DAX of the files, and of a new one" "yes yes no" "$(has_dax $DB/a) $(has_dax $MNT/snapshot/a) $(has_dax $MNT/new)"
bad=$(page_at $DB/a 8192)
start_daemon
lose_mce $DB/a 8192
wait_entry STATE=healed "FILE=$DB/a" "OFFSET=$bad"
expect_fields WRITER=clone "REPLICA=mirror:$MIRROR" PROOF=identity+neighbours
same_bytes $DB/a $MIRROR/a
same_bytes $MNT/snapshot/a $MIRROR/a
expect "the page of the snapshot" "$(page_at $DB/a 8192)" "$(page_at $MNT/snapshot/a 8192)"
[ "$(page_at $DB/a 8192)" != "$bad" ] || fail "it is where it was"
wait_entry "OFFSET=$bad" STATE=harmless REASON=parked
guard=$(find $MNT/.bezoar -type f)
expect "what is there" 1 "$(wc -w <<<"$guard")"
expect "the block of the guard" "$bad" "$(page_at "$guard" 0)"
expect "DAX of the guard" yes "$(has_dax "$guard")"
