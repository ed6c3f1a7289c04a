# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
# timeout: 300
#
# Proves what is said of a machine check below space that a file has allocated and never written, where the first write crashes
# the kernel (kernel-unwritten-mce.sh) and nothing can be done about it: a person is told at once, by name of the file, what not
# to do; and the file is held, so that deleting it does not arm the kernel. After a reboot it is harmless.
if [ "$BOOT" = 2 ]; then
    follow_journal
    mount_dax
    page=$(cat /srv/mirror/page)
    poison_ars "$page" 1
    start_daemon
    wait_entry STATE=harmless REASON=unwritten "OFFSET=$((page * 512))"
    expect "writing it" "ok 4096" "$($probe write $MNT/f 8192 4096)"
    wait_entry STATE=gone "OFFSET=$((page * 512))"
    expect "badblocks" "" "$(badblocks)"
    exit
fi
fresh_db keep 65536
xfs_io -f -c "falloc 0 65536" $MNT/f
sync -f $MNT
start_daemon
page=$(($(phys $MNT/f 8192) / 8 * 8))
take_page $page
wait_entry STATE=waiting REASON=unwritten-page-may-be-absent "FILE=$MNT/f"
expect_id free-page-absent
expect PRIORITY 2 "$(field PRIORITY)"
expect_match "the advice" "*do NOT write, delete, truncate or punch*" "$(field BEZOAR_ADVICE)"
rm $MNT/f
cat /dev/zero >$MNT/full 2>/dev/null || true
sync -f $MNT
rm $MNT/full
systemctl is-active bezoard.service

# The next file is for the other boot.
xfs_io -f -c "falloc 0 65536" $MNT/f
sync -f $MNT
phys $MNT/f 8192 >/srv/mirror/page
sync
power_cut
