# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves what the kernel does with one bad sector that the firmware found: the file cannot be read in that page, the
# good sectors around it can be read from the block device, a part of the page cannot be written, and writing the whole
# page heals it.
fresh_xfs
make_file $MNT/f 65536
page=$(phys $MNT/f 8192)
bad=$((page + 3))
destroy $bad
poison_ars $bad
expect "badblocks" "$bad 1" "$(badblocks)"

expect "reading the page" EIO "$($probe read $MNT/f 8192 4096)"
expect "reading a good sector of the page" EIO "$($probe read $MNT/f 8192 512)"
expect "reading the page before" "ok 4096" "$($probe read $MNT/f 4096 4096)"
expect "a good sector from the block device" "ok 512" "$($probe read /dev/pmem0 $(((bad + 1) * 512)) 512 direct)"
expect "the bad sector from the block device" EIO "$($probe read /dev/pmem0 $((bad * 512)) 512 direct)"
expect "loading through a mapping" SIGBUS "$($probe load $MNT/f 8192)"

expect "writing a part of the page" EFAULT "$($probe write $MNT/f 8192 512)"
expect "badblocks then" "$bad 1" "$(badblocks)"
expect "writing the whole page" "ok 4096" "$($probe write $MNT/f 8192 4096)"
expect "badblocks at the end" "" "$(badblocks)"
expect "reading it again" "ok 65536" "$($probe read $MNT/f 0 65536)"
expect "extents" 1 "$(extents $MNT/f)"
