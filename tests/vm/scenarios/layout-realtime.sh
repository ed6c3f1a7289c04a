# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 150
#
# Proves that files on the realtime device of an XFS are not taken for owners of the data device: a page of a file there heals
# although a realtime file has a block of the same number. What the realtime device itself loses is reported, and waits.
. /lab/daemon.sh
fresh_xfs() {
    mkfs.xfs -q -f -m rmapbt=0,reflink=0 -r rtdev=/dev/pmem1 "/dev/$PMEM"
    mount -t xfs -o dax=always,rtdev=/dev/pmem1 "/dev/$PMEM" $MNT
}

fresh_db a 262144
xfs_io -R -f -c "pwrite -q -b 1M -S 0x5a 0 64M" $MNT/rt
make_file $MNT/plain 262144
remember $MNT/plain
cp -a $MNT/plain /srv/mirror/plain
protect plain Path=$MNT/plain Replica=mirror:/srv/mirror/plain
sync -f $MNT/rt
[ "$(phys $MNT/plain 8192)" -lt $((64 * 2048)) ] || fail "no realtime block has the number of this one"
start_daemon

lose_ars $MNT/plain 8192 512
expect_healed $MNT/plain 8192 WRITER=pwrite "INODE=$(stat -c %i $MNT/plain)"
lose_ars $DB/a 16384 512
expect_healed $DB/a 16384 WRITER=pwrite

forget_entries
PMEM=pmem1
poison_ars $((8 * 2048)) 1
wait_entry STATE=waiting DEVICE=/dev/pmem1 REASON=unknown-owner
expect_match "what the journal says" "*realtime device of the file system at $MNT*" "$(field MESSAGE)"
is_bad $((8 * 2048)) || fail "badblocks has it no more: $(badblocks)"
expect "reading the realtime file" EIO "$($probe read $MNT/rt $((8 << 20)) 4096)"
