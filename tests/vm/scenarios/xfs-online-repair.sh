# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that lost metadata of XFS is rebuilt by the file system while it is mounted where the kernel can do that: headers in place, btrees,
# extent maps and a folder in other blocks; that the case says what was lost and what was done; that the file system is sound afterwards,
# and no file the worse for it; and that what could only be salvaged is never asked for. The counterpart is xfs-metadata.
#
# kernels: 7.2
# timeout: 240
. /lab/xfs-parts.sh
fresh_parts
mount_dax
start_daemon

for line in "${PARTS[@]}" "${FORKS[@]}"; do
    read -r sector state name <<<"$line"
    page=$((sector / 8 * 4096))
    forget_entries
    destroy "$sector"
    poison_ars "$sector"
    wait_entry "STATE=$state" "OFFSET=$page"
    expect_fields WRITER=mend
    outcome=$(bezoarctl show "$(field BEZOAR_CASE)" --json=short | jq -r '.events[].detail // empty')
    expect_match "what was done" "*: rebuilt*" "$outcome"
    find_entry STATE=repairing "OFFSET=$page"
    expect_match "what it was" "*rebuild what was lost of it: $name*" "$(field MESSAGE)"
done
expect_parts_as_before
[ "$(find $MNT -type f | wc -l)" = 643 ]

umount $MNT
heal_medium
mount_dax                           # the kernel keeps counting anew for the next mount, and leaves the log as it is for that
umount $MNT
xfs_repair -n /dev/pmem0
mount_dax
expect_parts_as_before

forget_entries
poison_ars "$INODES"
wait_entry STATE=refused REASON=metadata OFFSET=$((INODES / 8 * 4096))
expect_match "the advice" "*xfs_repair /dev/pmem0*" "$(field BEZOAR_ADVICE)"
expect_no_entry STATE=repairing
