# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
# timeout: 240
#
# Proves that a file on an XFS without reverse mapping (what mkfs.xfs of Debian 12 makes) is found by its extent map and
# healed like any other, and that lost free space is known to be free.
. /lab/daemon.sh
fresh_xfs() {
    mkfs.xfs -q -f -m rmapbt=0 "/dev/$PMEM"
    mount_dax
}

fresh_db a 262144 b 65536
for i in $(seq 300); do
    echo "$i" >"$DB/note$i"
done
cp -a "$DB"/note* "$MIRROR/"
make_file $MNT/gone 65536
sync
free=$(phys $MNT/gone 8192)
rm $MNT/gone
sync
start_daemon

lose_ars $DB/a $((8192 + 3 * 512)) 512
expect_healed $DB/a 8192 WRITER=pwrite "REPLICA=mirror:$MIRROR" PROOF=identity+neighbours
forget_entries
lose_ars $DB/b $((4096 * 5)) 1024
expect_healed $DB/b $((4096 * 5)) WRITER=pwrite
expect "badblocks" "" "$(badblocks)"

forget_entries
poison_ars "$free" 1
wait_entry STATE=harmless
