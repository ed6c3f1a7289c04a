# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a repair that writes nothing, or fails, is not called healed: the daemon believes what it reads back, not
# what the write returned. And that it tries again.
fresh_db lost 262144 error 262144
fault before-write:skip
start_daemon
lose_ars $DB/lost 8192 512
wait_entry STATE=failed "FILE=$DB/lost" REASON=read-back-failed
expect_untouched $DB/lost 8192
expect_no_entry STATE=healed

fault before-write:error=5
systemctl restart bezoard.service
lose_ars $DB/error 8192 512
wait_entry STATE=failed "FILE=$DB/error" REASON=write-failed
expect_match "what the journal says" "*Input/output error*" "$(field MESSAGE)"
expect_untouched $DB/error 8192
expect_no_entry STATE=healed

fault
systemctl restart bezoard.service
expect_healed $DB/lost 8192
expect_healed $DB/error 8192
no_intents
