# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 240
#
# Proves that a file system that was frozen for a repair is thawed whoever is killed in the meantime: the worker, the
# daemon, all at once; also when the worker only hangs; and that the repair is then finished.
fresh_db worker 262144 hung 262144 daemon 262144 all 262144
protect db "Path=$DB" "Replica=mirror:$MIRROR" Exclusion=freeze

is_frozen() {
    [ -e /var/lib/bezoar/intent/.frozen-pmem0 ]
}

# freeze_by FAULT FILE: a repair of FILE has frozen the file system, and WRITES is a process that waits to write to it.
freeze_by() {
    systemctl stop bezoard.service
    fault "$1"
    start_daemon
    lose_ars "$2" 8192 512
    wait_until 40 is_frozen
    wait_until 10 pgrep -x bezoar-thaw
    sleep 0.2
    fault
    touch $MNT/written &
    WRITES=$!
    sleep 0.3
    [ -e /proc/$WRITES ] || fail "it is not frozen"
}

# expect_thawed MILLISECONDS: since START at most, if WRITES is to be believed.
expect_thawed() {
    local took
    wait $WRITES
    took=$(((${EPOCHREALTIME/./} - START) / 1000))
    echo "thawed after $took ms"
    [ $took -lt "$1" ] || fail "thawed only after $took ms"
    rm $MNT/written
}

systemctl set-environment BEZOAR_FREEZE_SEC=50
freeze_by before-write:sleep=8 $DB/worker
START=${EPOCHREALTIME/./}
pkill -KILL -x bezoar-worker
expect_thawed 6000
expect_healed $DB/worker 8192 WRITER=block

systemctl set-environment BEZOAR_FREEZE_SEC=10
freeze_by before-write:sleep=8 $DB/hung
START=${EPOCHREALTIME/./}
pkill -STOP -x bezoar-worker
expect_thawed 15000
expect_healed $DB/hung 8192 WRITER=block

systemctl set-environment BEZOAR_FREEZE_SEC=50
freeze_by before-write:sleep=60 $DB/daemon
START=${EPOCHREALTIME/./}
pkill -KILL -x bezoard
expect_thawed 20000
expect_healed $DB/daemon 8192 WRITER=block

freeze_by before-write:sleep=60 $DB/all
START=${EPOCHREALTIME/./}
kill_daemon
expect_thawed 20000
expect_healed $DB/all 8192 WRITER=block
wait_until 10 no_intents
! is_frozen || fail "the note is left"
systemctl unset-environment BEZOAR_FREEZE_SEC
