# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
# expects: oops
#
# Proves what a machine check in free space of an XFS with rmapbt leads to when nobody parks the page: the file that is given this
# block crashes the kernel, for zeroing it goes through the block layer, which knows of no page that is not present.
# The counterpart is park.sh.
fresh_xfs
make_file $MNT/f 262144
page=$(phys $MNT/f 8192)
rm $MNT/f
sync -f $MNT
poison_mce $((page / 8 * 8))
grep HardwareCorrupted /proc/meminfo
sync
cat /dev/zero >$MNT/full 2>/dev/null || true
sync -f $MNT
fail "the file system is full, and the kernel lives"
