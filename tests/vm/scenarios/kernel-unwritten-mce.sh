# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
# expects: oops
#
# Proves that the first write to a block that is allocated and was never written crashes the kernel where a machine check took
# its page: the block is zeroed through the block layer first.
fresh_xfs
xfs_io -f -c "falloc 0 65536" $MNT/f
poison_mce "$(($(phys $MNT/f 8192) / 8 * 8))"
grep HardwareCorrupted /proc/meminfo
expect "reading it" "ok 4096" "$($probe read $MNT/f 8192 4096)"
$probe write $MNT/f 8192 4096
sync -f $MNT
fail "it was written, and the kernel lives"
