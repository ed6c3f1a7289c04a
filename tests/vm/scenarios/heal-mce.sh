# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that a page that a machine check took away is restored: while a program has it mapped, which goes on running,
# and where nobody has, so that the page must be brought back into the kernel's map first.
fresh_db mapped 262144 alone 262144
start_daemon

hold_map $DB/mapped 12288
lose_mce $DB/mapped 12288
expect_healed $DB/mapped 12288 WRITER=pwrite PROOF=identity+neighbours
kill -0 $HOLDER

lose_mce $DB/alone 12288
expect_healed $DB/alone 12288 WRITER=revive PROOF=identity+neighbours
expect "writing it" "ok 4096" "$($probe write $DB/alone 12288 4096)"
expect "badblocks" "" "$(badblocks)"
