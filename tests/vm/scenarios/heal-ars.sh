# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that one bad sector that the firmware found is restored from the mirror, and that the good sectors around it
# are kept: the mirror's copy of the page is not what is written, it is only asked for the lost sector. The file's name is not ASCII,
# since each kernel comes with other libraries.
fresh_db "naïve" 262144
file=$DB/naïve
start_daemon
lose_ars "$file" $((8192 + 3 * 512)) 512
expect_healed "$file" 8192 WRITER=pwrite "REPLICA=mirror:$MIRROR" PROOF=identity+neighbours
wait_entry STATE=located "FILE=$file"
expect_id found
expect_fields "OFFSET=$(page_at "$file" 8192)" "PHYSICAL=$(printf '%#x' $(($(data_start) + $(page_at "$file" 8192))))"
expect "badblocks" "" "$(badblocks)"
