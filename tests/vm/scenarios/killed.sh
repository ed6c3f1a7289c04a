# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that nothing is lost when daemon and workers are killed in the middle of a repair: before the write, and
# between the write, which clears the poison, and the look whether it has arrived; nor when only the workers are.
fresh_db before 262144 after 262144 worker 262144

fault before-write:sleep=60
start_daemon
lose_ars $DB/before 8192 512
wait_until 40 intent_is_logged
expect_untouched $DB/before 8192
fault
kill_daemon
expect_healed $DB/before 8192
no_intents

systemctl stop bezoard.service
fault after-write:sleep=60
start_daemon
lose_ars $DB/after 8192 512
wait_entry STATE=repairing "FILE=$DB/after"
wait_until 40 no_badblocks
expect_no_entry STATE=healed "FILE=$DB/after"
fault
kill_daemon
expect_healed $DB/after 8192
no_intents

systemctl stop bezoard.service
fault before-write:sleep=3
start_daemon
lose_ars $DB/worker 8192 512
wait_until 40 intent_is_logged
pkill -KILL -x bezoar-worker
fault
expect_healed $DB/worker 8192
