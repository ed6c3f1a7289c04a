# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that the last page of a file whose size is no multiple of 4096 is restored, and the size stays: lost by the
# sector, in the bytes that the file has and behind them, and by a machine check.
fresh_db a 263144 b 263144 c 263144
start_daemon
lose_ars $DB/a $((262144 + 512)) 512
expect_healed $DB/a 262144
lose_ars $DB/b $((262144 + 2048)) 512
wait_until 40 no_badblocks
expect_as_before $DB/b
lose_mce $DB/c 262144
expect_healed $DB/c 262144
