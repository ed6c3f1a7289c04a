# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that after a machine check in a page that some process has mapped, writing the whole page heals it.
fresh_xfs
make_file $MNT/f 65536
hold_map $MNT/f 8192
page=$(phys $MNT/f 8192)
destroy "$page" 8
poison_mce "$page"
expect "badblocks" "$page 8" "$(badblocks)"
expect "reading the page" EIO "$($probe read $MNT/f 8192 4096)"
expect "a sector from the block device" EIO "$($probe read /dev/pmem0 $((page * 512)) 512 direct)"
expect "writing the whole page" "ok 4096" "$($probe write $MNT/f 8192 4096)"
expect "badblocks at the end" "" "$(badblocks)"
expect "reading it again" "ok 65536" "$($probe read $MNT/f 0 65536)"
kill -0 "$HOLDER"
