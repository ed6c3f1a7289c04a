# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a file on a namespace that keeps the kernel's list of its pages in memory (--map=mem), and so begins
# elsewhere, is restored, after a scrub as after a machine check.
fresh_namespace 0 -m fsdax --map=mem
fresh_db a 262144
start_daemon
lose_ars $DB/a 8192 512
expect_healed $DB/a 8192 WRITER=pwrite PROOF=identity+neighbours
lose_mce $DB/a 65536
expect_healed $DB/a 65536 PROOF=identity+neighbours
expect_fields "PHYSICAL=$(printf '%#x' $(($(data_start) + $(page_at $DB/a 65536))))"
expect "badblocks" "" "$(badblocks)"
