# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a file that is deleted between the look at it and its repair harms nobody: the daemon holds the file, so a
# page that is not present does not become free space, where the next file would crash the kernel; not even when the
# repair is refused. Filled to the last byte, the file system and the kernel live.
fresh_db a 262144 b 262144 refused 262144
fault before-repair:sleep=5
start_daemon

lose_ars $DB/a 8192 512
wait_entry STATE=repairing "FILE=$DB/a"
rm $DB/a
wait_entry STATE=healed "FILE=$DB/a"

lose_mce $DB/b 8192
wait_entry STATE=repairing "FILE=$DB/b"
rm $DB/b
wait_entry STATE=healed "FILE=$DB/b"
expect "badblocks" "" "$(badblocks)"
fault

# This one is not restored, so its page stays away.
touch $MIRROR/refused
lose_mce $DB/refused 8192
expect_refused $DB/refused 8192 replica-stale
rm $DB/refused

cat /dev/zero >$DB/full 2>/dev/null || true
[ "$(df --output=avail -B4096 $MNT | tail -n 1)" -lt 64 ]       # XFS keeps a few blocks for itself
sync -f $MNT
rm $DB/full
touch $DB/alive
systemctl is-active bezoard.service
