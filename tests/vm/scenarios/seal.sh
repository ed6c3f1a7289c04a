# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a seal decides by the lost page itself: a copy with another time and other neighbours restores the page; one in
# which a single bit of the lost sector is flipped does not, though its size, its time and all neighbours agree. And that a file
# that has lost bytes, or that a program writes to, is not sealed.
fresh_db times 262144 bit 262144 mce 262144
sleep 3         # a seal is only made of what has been left alone for two seconds
start_daemon
expect_match "sealing" "3 sealed (*" "$(bezoarctl seal)"
expect_match "sealing again" "0 sealed (*3 had a current seal*" "$(bezoarctl seal $DB)"

# a byte of the copy behind the lost sector's page, and its time
printf X | dd of=$MIRROR/times bs=1 seek=$((8192 + 5000)) conv=notrunc status=none
# one bit within the lost sector
touch -r $MIRROR/bit /run/lab/time
byte=$(od -An -tu1 -j $((8192 + 700)) -N 1 $MIRROR/bit)
printf "\\x$(printf %x $((byte ^ 4)))" | dd of=$MIRROR/bit bs=1 seek=$((8192 + 700)) conv=notrunc status=none
touch -r /run/lab/time $MIRROR/bit

lose_ars $DB/times 8192 512 $DB/bit 8704 512
expect_healed $DB/times 8192 PROOF=seal WRITER=pwrite
expect_refused $DB/bit 8704 replica-stale
expect_match "what the journal says" "*not what was sealed*" "$(field MESSAGE)"
lose_mce $DB/mce 16384
expect_healed $DB/mce 16384 "REPLICA=mirror:$MIRROR"

touch $DB/bit    # its seal is not current any more
why=$(bezoarctl seal $DB/bit 2>&1) && fail "a file with lost bytes was sealed"
expect_match "what seal says of lost bytes" "*bit: not sealed: bytes of it cannot be read*" "$why"
exec 7>>$DB/times
touch $DB/times
why=$(bezoarctl seal $DB/times 2>&1) && fail "a file that is open for writing was sealed"
expect_match "what seal says of a busy file" "*times: not sealed: somebody has it open for writing*" "$why"
