# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
# timeout: 240
#
# Proves that a page that two files share and that a machine check took away is restored by way of another block also when
# the kernel has read the files anew since they were made to share it: before Linux 6.2 they have no DAX then, and new files
# have. Once both are like that, and share the other block then; once one of them has been in memory since before. Nothing
# that was made for it is left but the guards.
fresh_db a 262144 b 262144
mkdir $MNT/snapshot
xfs_io -f -c "reflink $DB/a 0 0 262144" $MNT/snapshot/a >/dev/null
sync -f $MNT
since 6.2 && now=yes || now=no

expect "DAX of a file that shares blocks" yes "$(has_dax $DB/a)"
sector=$(phys $DB/a 8192) bad=$(page_at $DB/a 8192)
expect "the page of the snapshot before" "$bad" "$(page_at $MNT/snapshot/a 8192)"
umount $MNT
mount_dax

# Nobody has opened it yet: 6.1 shuts the file system down when a machine check is in a file without DAX that is in memory.
destroy "$sector" 8
poison_mce "$sector"
start_daemon
wait_entry STATE=healed "FILE=$DB/a" "OFFSET=$bad"
expect_fields WRITER=clone "REPLICA=mirror:$MIRROR" PROOF=identity+neighbours
for f in $DB/a $MNT/snapshot/a; do
    expect "DAX of $f, which was read anew" $now "$(has_dax $f)"
done
same_bytes $DB/a $MNT/snapshot/a
same_bytes $DB/a $MIRROR/a
expect "the page of the snapshot" "$(page_at $DB/a 8192)" "$(page_at $MNT/snapshot/a 8192)"
[ "$(page_at $DB/a 8192)" != "$bad" ] || fail "it is where it was"
expect "the first page" "$((bad - 8192))" "$(page_at $DB/a 0)"
expect "the page before" "$((bad - 4096))" "$(page_at $MNT/snapshot/a 4096)"
expect "the page behind" "$((bad + 4096))" "$(page_at $DB/a 12288)"
wait_entry "OFFSET=$bad" STATE=harmless REASON=parked
expect "size and time" "$(stat -c '%s %Y' $MIRROR/a)" "$(stat -c '%s %Y' $DB/a)"

# What memory has may be right where the medium is not.
sync -f $MNT
echo 3 >/proc/sys/vm/drop_caches
same_bytes $DB/a $MIRROR/a
same_bytes $MNT/snapshot/a $MIRROR/a

guard=$(find $MNT/.bezoar -type f)
expect "what is there" 1 "$(wc -w <<<"$guard")"
expect "the block of the guard" "$bad" "$(page_at "$guard" 0)"
expect "DAX of the guard" $now "$(has_dax "$guard")"

# Who has the other one in memory has not opened it, so there can be a lease. The firmware finds that one.
forget_entries
python3 -c 'import os, sys, time; os.open(sys.argv[1], os.O_PATH); time.sleep(3600)' $DB/b &
holder=$!
wait_until 20 eval "readlink /proc/$holder/fd/* | grep -q $DB/b"
xfs_io -f -c "reflink $DB/b 0 0 262144" $MNT/snapshot/b >/dev/null
sync -f $MNT
echo 2 >/proc/sys/vm/drop_caches
expect "DAX of a file that was in memory" yes "$(has_dax $DB/b)"
expect "DAX of who shares its blocks" $now "$(has_dax $MNT/snapshot/b)"
bad=$(page_at $DB/b 16384)
lose_ars $DB/b 16384 4096
wait_entry STATE=healed "FILE=$DB/b" "OFFSET=$bad"
expect_fields WRITER=clone
wait_entry "OFFSET=$bad" STATE=harmless REASON=parked
sync -f $MNT
echo 3 >/proc/sys/vm/drop_caches
same_bytes $DB/b $MIRROR/b
same_bytes $MNT/snapshot/b $MIRROR/b
[ "$(page_at $DB/b 16384)" != "$bad" ] || fail "the bad block is in use"
[ "$(page_at $MNT/snapshot/b 16384)" != "$bad" ] || fail "the bad block is in use by the snapshot"
expect "what is there" 2 "$(find $MNT/.bezoar -type f | wc -l)"
kill $holder
