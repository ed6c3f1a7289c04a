# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that nothing is lost when daemon and workers are killed in the middle of the repair of a page that is not present, where the
# first write clears the poison and writes nothing: killed before it, and after the last one.
fresh_db before 262144 after 262144

fault before-write:sleep=60
start_daemon
lose_mce $DB/before 8192
wait_until 40 intent_is_logged
expect_untouched $DB/before 8192
fault
kill_daemon
expect_healed $DB/before 8192 WRITER=revive

systemctl stop bezoard.service
fault after-write:sleep=60
start_daemon
lose_mce $DB/after 8192
wait_entry STATE=repairing "FILE=$DB/after"
wait_until 40 no_badblocks
expect_no_entry STATE=healed "FILE=$DB/after"
fault
kill_daemon
wait_entry STATE=healed "FILE=$DB/after"
# The bytes were stored through a mapping, and the one who would have put the time back is gone.
touch -r $MIRROR/after $DB/after
expect_as_before $DB/after
no_intents
