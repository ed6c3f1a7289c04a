# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that poison on a device which has nothing but the journal of an XFS is told as that, with the command that knows where the journal
# is, while files of the same file system are restored as ever.
fresh_xfs() {
    mkfs.xfs -q -f -m rmapbt=1 -l logdev=/dev/pmem1,size=64m "/dev/$PMEM"
    mount -o dax=always,logdev=/dev/pmem1 "/dev/$PMEM" $MNT
}
fresh_db a 262144
start_daemon
lose_ars $DB/a 8192 512
expect_healed $DB/a 8192 WRITER=pwrite

PMEM=pmem1
poison_ars $((8 * 2048))
wait_entry STATE=refused REASON=log DEVICE=/dev/pmem1 "OFFSET=$((8 << 20))"
expect PRIORITY 2 "$(field PRIORITY)"
expect_match "the advice" "*xfs_repair -L -l /dev/pmem1 /dev/pmem0*" "$(field BEZOAR_ADVICE)"
is_bad $((8 * 2048)) || fail "badblocks has it no more: $(badblocks)"
