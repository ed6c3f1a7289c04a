# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that files on ext4 with DAX are restored, with their times: after a scrub as after a machine check, one that a
# program has mapped, one in many pieces, and the last page of a file.
FS=ext4
fresh_db a 262144 b 262144 c 262144 d 263144
start_daemon
lose_ars $DB/a $((8192 + 3 * 512)) 512
expect_healed $DB/a 8192 WRITER=pwrite "REPLICA=mirror:$MIRROR" PROOF=identity+neighbours
lose_mce $DB/b 12288
expect_healed $DB/b 12288 WRITER=pwrite PROOF=identity+neighbours
lose_ars $DB/d $((262144 + 512)) 512
expect_healed $DB/d 262144

# While a program has the file open, the time of modification cannot be put back.
touch -m -r $DB/c /run/lab/time
hold_map $DB/c 4096
lose_mce $DB/c 4096
wait_entry STATE=healed "FILE=$DB/c" WRITER=pwrite
kill -0 $HOLDER
expect_bytes "the bytes" "$(hash_of $MIRROR/c)" "$(hash_of $DB/c)"
expect "badblocks" "" "$(badblocks)"
