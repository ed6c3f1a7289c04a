# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
# expects: oops
#
# Proves what deleting a file leads to whose page is not present, when nobody holds it: its block becomes free, and the file
# that is given it crashes the kernel. The counterpart is hold.sh.
fresh_xfs
make_file $MNT/f 262144
poison_mce "$(($(phys $MNT/f 8192) / 8 * 8))"
grep HardwareCorrupted /proc/meminfo
rm $MNT/f
sync
cat /dev/zero >$MNT/full 2>/dev/null || true
sync -f $MNT
fail "the file system is full, and the kernel lives"
