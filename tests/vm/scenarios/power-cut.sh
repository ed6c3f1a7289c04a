# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a repair is finished that a power cut ended after the intent was logged, where the poison is gone with the
# power and the bytes are not right: the window that the kernel leaves open between clearing and copying.
if [ "$BOOT" = 1 ]; then
    fresh_db a 262144
    cp -r /run/lab/was /srv/mirror/
    fault before-write:sleep=60
    start_daemon
    lose_ars $DB/a 8192 1024
    wait_until 40 intent_is_logged
    sync -f $MIRROR
    power_cut
fi
follow_journal
cp -r /srv/mirror/was /run/lab/
mount_dax
expect "badblocks" "" "$(badblocks)"
[ "$(hash_of $DB/a)" != "$(hash_of $MIRROR/a)" ]
start_daemon
wait_entry STATE=healed "FILE=$DB/a"
expect_as_before $DB/a
