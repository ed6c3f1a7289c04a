# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that the page that a file ends in is healed also while another program has the file open, without its length
# changing for a moment: in place, frozen.
fresh_db a $((262144 + 1300))
sleep 1000 3<>$DB/a 4>&- &
start_daemon
lose_ars $DB/a $((262144 + 1024)) 512
expect_healed $DB/a 262144 WRITER=block
expect "badblocks" "" "$(badblocks)"
kill %%
