# SPDX-License-Identifier: LGPL-2.1-or-later
# by name: yes
# kernels: 7.2
# expects: oops
#
# Proves what a machine check in a page of ext4 leads to that is mapped by a 2 MiB entry, when its file is deleted afterwards: the file that
# is given the block crashes the kernel, as on XFS. On 6.12 it does not; nor on 7.2 where nobody had
# mapped the page, or with 4 KiB.
fresh_ext4 -E stride=512,stripe_width=512
xfs_io -f -c "falloc 0 16m" $MNT/f
dd if=/dev/urandom of=$MNT/f bs=1M count=16 conv=notrunc status=none
sync -f $MNT
page=$(phys $MNT/f 8192)
expect "alignment of the extent" 8192 $((($(data_start) + page * 512) % 2097152))
hold_pmd $MNT/f 0
poison_mce "$page"
kill "$HOLDER"
wait "$HOLDER" || true
rm $MNT/f
sync -f $MNT
cat /dev/zero >$MNT/full 2>/dev/null &
filler=$!
crashed_or_full() {
    dmesg | grep -q 'BUG: ' || ! kill -0 $filler
}
wait_until 60 crashed_or_full
dmesg | grep 'BUG: ' || fail "the file system is full, and the kernel lives"
