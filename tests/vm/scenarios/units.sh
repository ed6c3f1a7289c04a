# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that the units of the nightly and the monthly work do it: bezoar-seal.service seals, and by that alone a page is
# restored whose copy has another time and other neighbours; bezoar-drill.service tries the replicas, its score is in the
# figures, and a replica that could not restore a file is told, and the unit fails, before any byte is lost.
#
# timeout: 150
fresh_db a 65536 b 65536
sleep 3         # a seal is only made of what has been left alone for two seconds
start_daemon
rehearsed() { bezoarctl metrics | sed -n "s/^bezoar_replica_rehearsed_total{.*outcome=\"$1\"} //p"; }

systemctl start bezoar-seal.service
expect_match "sealing again" "0 sealed (*2 had a current seal*" "$(bezoarctl seal)"
systemctl start bezoar-drill.service
expect "the pages that would be restored" 256 "$(rehearsed good)"
expect "those that would not" "0 0" "$(rehearsed failed) $(rehearsed wrong)"
expect_no_entry "REPLICA=mirror:$MIRROR"

printf X | dd of=$MIRROR/a bs=1 seek=$((8192 + 5000)) conv=notrunc status=none
lose_ars $DB/a 8192 512
expect_healed $DB/a 8192 PROOF=seal "REPLICA=mirror:$MIRROR"

forget_entries
rm $MIRROR/b
! systemctl start bezoar-drill.service || fail "the drill did not fail"
expect "the unit" failed "$(systemctl is-failed bezoar-drill.service)"
systemctl reset-failed bezoar-drill.service
wait_entry REASON=replica-missing "FILE=$DB/b" "REPLICA=mirror:$MIRROR"
expect_match "the figures of it" "[1-9]*" "$(rehearsed failed)"
expect "badblocks" "" "$(badblocks)"

for timer in bezoar-seal bezoar-drill; do
    systemctl start $timer.timer
    expect "what $timer.timer starts" $timer.service "$(systemctl show -P Triggers $timer.timer)"
    expect_match "when" "[A-Z]*" "$(systemctl show -P NextElapseUSecRealtime $timer.timer)"
    systemctl stop $timer.timer
done
