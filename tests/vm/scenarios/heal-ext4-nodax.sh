# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# timeout: 240
#
# Proves that files on ext4 that is not mounted with DAX are restored through the page cache, a program too, once it has
# ended; that a page that may be absent is not written; and that swap space waits until it is none.
MOUNT_OPTIONS=dax=never
FS=ext4
fresh_db a 262144 b 262144
expect "is it DAX" "" "$(findmnt -n -o OPTIONS $MNT | grep -o dax=always || true)"
cp /bin/sleep $DB/program
cp -p $DB/program $MIRROR/
sync -f $MNT
remember $DB/program
start_daemon
lose_ars $DB/a $((8192 + 3 * 512)) 512
echo 3 >/proc/sys/vm/drop_caches
expect_healed $DB/a 8192 WRITER=pwrite PROOF=identity+neighbours
expect "badblocks" "" "$(badblocks)"

# A program that runs: nobody may write it, so it waits until it has ended.
$DB/program 1000 &
program=$!
wait_until 10 test "$(readlink /proc/$program/exe)" = $DB/program
lose_ars $DB/program $((4096 + 512)) 512
wait_entry STATE=waiting REASON=file-busy "FILE=$DB/program"
expect_match "what the journal says" "*a program runs from it*" "$(field MESSAGE)"
kill $program
wait_until 60 find_entry STATE=healed "FILE=$DB/program"
expect_as_before $DB/program

# Of a page that is lost as a whole nobody can say that it is present: to write it might crash the kernel.
lose_ars $DB/b 16384 4096
wait_entry STATE=waiting REASON=page-not-present "FILE=$DB/b"
expect_untouched $DB/b 16384

mkswap $DB/swap >/dev/null 2>&1 || { dd if=/dev/zero of=$DB/swap bs=1M count=1 status=none; chmod 600 $DB/swap; mkswap $DB/swap; }
cp -p $DB/swap $MIRROR/
sync -f $MNT
swapon $DB/swap
lose_ars $DB/swap $((524288 + 512)) 512
wait_entry STATE=waiting REASON=file-busy "FILE=$DB/swap"
expect_match "what the journal says" "*swap space*" "$(field MESSAGE)"
swapoff $DB/swap
wait_until 60 find_entry STATE=healed "FILE=$DB/swap"
