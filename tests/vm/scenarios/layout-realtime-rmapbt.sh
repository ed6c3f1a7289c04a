# SPDX-License-Identifier: LGPL-2.1-or-later
# kernels: 7.2
# timeout: 200
#
# Proves that on a realtime device which has a reverse mapping (rmapbt=1) a file is restored, found by ARS or by a machine check: mapped, or
# not, where the page has to be brought back into the kernel's map first. And that free space there, which is an armed crash, is an alert.
fresh_xfs() {
    mkfs.xfs -q -f -m rmapbt=1,metadir=1,reflink=0 -r rtdev=/dev/pmem1 "/dev/$PMEM"
    mount -t xfs -o dax=always,rtdev=/dev/pmem1 "/dev/$PMEM" $MNT
}

fresh_db a 262144
xfs_io -R -f -c stat $DB/r >/dev/null
head -c 4194304 /dev/urandom >>$DB/r
sync -f $DB/r
remember $DB/r
cp -a $DB/r $MIRROR/r
start_daemon

lose_ars $DB/a 8192 512
expect_healed $DB/a 8192 WRITER=pwrite
FS_DEVICE=/dev/pmem1
lose_ars $DB/r 8192 512
expect_healed $DB/r 8192 WRITER=pwrite PROOF=identity+neighbours
hold_map $DB/r 1048576
lose_mce $DB/r 1048576
expect_healed $DB/r 1048576 PROOF=identity+neighbours
kill -0 $HOLDER
lose_mce $DB/r 2097152
expect_healed $DB/r 2097152 WRITER=revive PROOF=identity+neighbours
expect "writing it" "ok 4096" "$($probe write $DB/r 2097152 4096)"

forget_entries
PMEM=pmem1
poison_mce $((90 * 2048))
wait_entry DEVICE=/dev/pmem1 REASON=free-page-may-be-absent
expect_match "what the journal says" "*on a realtime device it cannot be parked*" "$(field MESSAGE)"
expect "guard files" "" "$(find $MNT/.bezoar -type f 2>/dev/null)"
