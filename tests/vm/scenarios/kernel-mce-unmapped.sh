# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that after a machine check in a page that nobody has mapped, XFS writes nothing and yet the badblocks entry
# goes: the page is not present. And that the way back works: store through a mapping, take the page offline while it is mapped,
# declare it bad again, write.
fresh_xfs
make_file $MNT/f 65536
page=$(phys $MNT/f 8192)
destroy "$page" 8
poison_mce "$page"
expect "writing the whole page" EFAULT "$($probe write $MNT/f 8192 4096)"
expect "badblocks after that" "" "$(badblocks)"
expect "reading the page" EFAULT "$($probe read $MNT/f 8192 4096)"
expect_match "loading through a mapping" "ok *" "$($probe load $MNT/f 8192)"

head -c 4096 /dev/zero | $probe store-stdin $MNT/f 8192 4096 >/run/lab/hold.store &
wait_until 10 grep -q "holding 4096" /run/lab/hold.store
printf '%#x' $(($(data_start) + page * 512)) >/sys/devices/system/memory/hard_offline_page
echo "$page 8" >/sys/block/pmem0/badblocks
expect "writing it now" "ok 4096" "$($probe write $MNT/f 8192 4096)"
expect "badblocks at the end" "" "$(badblocks)"
expect "reading it again" "ok 65536" "$($probe read $MNT/f 0 65536)"
