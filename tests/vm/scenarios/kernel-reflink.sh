# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that a poisoned page that two files share cannot be written through either of them, and that writing the bad sector
# to the block device heals both in place.
fresh_xfs
make_file $MNT/f 65536
xfs_io -f -c "reflink $MNT/f 0 0 65536" $MNT/g >/dev/null
bad=$(($(phys $MNT/f 8192) + 1))
expect "the sector in the other file" "$bad" "$(($(phys $MNT/g 8192) + 1))"
destroy $bad
poison_ars $bad
expect "writing through one file" EIO "$($probe write $MNT/f 8192 4096)"
expect "writing through the other" EIO "$($probe write $MNT/g 8192 4096)"
expect "badblocks" "$bad 1" "$(badblocks)"
expect "writing the sector" "ok 512" "$($probe write /dev/pmem0 $((bad * 512)) 512 direct)"
expect "badblocks at the end" "" "$(badblocks)"
same_bytes $MNT/f $MNT/g
expect "the bytes of the sector" ZZZZ "$(dd if=$MNT/g bs=1 skip=$((8192 + 512)) count=4 status=none)"
expect "where it is" "$bad" "$(($(phys $MNT/f 8192) + 1))"
