# SPDX-License-Identifier: LGPL-2.1-or-later
# by name: yes
# timeout: 180
#
# Proves what happens where a file system is full, and a machine check takes one of the blocks that XFS keeps back for itself: nobody is
# given these, so no guard is, which is an alert that says so; and that the block is parked as soon as there is room again, after
# which the file system can be filled to the last byte, and the kernel lives.
fill() {
    cat /dev/zero >$MNT/full 2>/dev/null || true
    sync -f $MNT
}

fresh_db keep 65536
fill
# In the middle of the largest piece of free space behind the first group.
read -r length first < <(xfs_io -r -c 'fsmap -v' $MNT | grep 'free space' |
    sed -n 's/.*\[\([0-9]*\)\.\.\([0-9]*\)\]:.*/\1 \2/p' | awk '$1 > 262144 {print $2 - $1 + 1, $1}' | sort -n | tail -n 1)
[ "$length" -ge 64 ] || fail "XFS keeps nothing back"
page=$(((first + length / 2) / 8 * 8))
start_daemon
take_page $page
wait_entry STATE=waiting REASON=free-page-may-be-absent "OFFSET=$((page * 512))"
expect_id free-page-absent
expect PRIORITY 2 "$(field PRIORITY)"
expect_match "what it says" "*no guard file: No space left on device*" "$(field MESSAGE)"

rm $MNT/full
sync -f $MNT
bezoarctl resolve "$(field BEZOAR_CASE)" retry
wait_entry STATE=harmless REASON=parked "OFFSET=$((page * 512))"
fill
[ "$(df --output=avail -B4096 $MNT | tail -n 1)" -lt 128 ]
rm $MNT/full
expect_as_before $DB/keep
systemctl is-active bezoard.service
