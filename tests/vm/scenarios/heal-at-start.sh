# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that poison is restored that was there before the daemon started: by the firmware and by a machine check.
fresh_db a 262144 b 262144
lose_ars $DB/a 65536 512
lose_mce $DB/b 65536
wait_until 20 is_bad "$(phys $DB/a 65536)"
wait_until 20 is_bad "$(phys $DB/b 65536)" 8
start_daemon
expect_healed $DB/a 65536 WRITER=pwrite
expect_healed $DB/b 65536 WRITER=revive
