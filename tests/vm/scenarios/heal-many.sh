# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that twelve bad sectors in three files are restored, found all at once: single ones, one range across a page
# boundary, two in one page, the first and the last page of a file.
fresh_db a 262144 b 262144 c 262144
start_daemon
lose_ars \
    $DB/a $((1 * 4096 + 1536)) 512 $DB/a $((4 * 4096 - 512)) 1024 \
    $DB/b $((2 * 4096 + 512)) 512 $DB/b $((2 * 4096 + 3072)) 512 $DB/b $((9 * 4096)) 512 $DB/b $((20 * 4096 + 3584)) 512 \
    $DB/c 0 512 $DB/c $((5 * 4096 + 1024)) 1024 $DB/c $((30 * 4096 + 2048)) 512 $DB/c $((63 * 4096 + 3584)) 512
wait_until 60 has_entries 9 STATE=healed
expect "badblocks" "" "$(badblocks)"
for file in a b c; do
    expect_as_before "$DB/$file"
done
