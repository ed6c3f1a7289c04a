# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a repair of a device-dax that is killed after the poison was cleared and before the bytes were stored is
# brought to its end; but that nothing is written where a program may have stored newer bytes since.
# timeout: 180
. /lab/device-dax.sh
fresh_device 4096
follow_journal
protect dax "Device=$DAX" "Replica=block:$IMAGE" Proof=neighbours

# stopped_at POINT SECTOR [SECTOR]: the daemon's worker gets there, and no further.
stopped_at() {
    systemctl stop bezoard.service
    fault "$1:sleep=200"
    start_daemon
    [ $# -lt 3 ] || lose "$3" 1 --no-notify
    lose "$2" 1
    wait_entry STATE=repairing "DEVICE=$DAX" "OFFSET=$(($2 / 8 * 4096))"
    wait_until 40 intent_is_logged
    [ "$1" != cleared ] || wait_until 40 nothing_listed
    [ "$1" != before-store ] || wait_until 40 left_is_noted
    fault
    expect_no_entry STATE=healed "DEVICE=$DAX" "OFFSET=$(($2 / 8 * 4096))"
}

left_is_noted() {
    compgen -G "/var/lib/bezoar/intent/.left-*" >/dev/null
}

sector() {
    $probe dax-load "$DAX" $(($1 * 512)) 512 | sha256sum
}

# before the poison is cleared
stopped_at before-write $((100 * 8 + 3))
kill_daemon
expect_case $((100 * 4096))

# between clearing and storing, with another sector behind it that is not cleared yet
stopped_at before-store $((200 * 8 + 3)) $((200 * 8 + 6))
is_listed || fail "the other one should be listed"
kill_daemon
expect_case $((200 * 4096))

# the same, and a program stores there
stopped_at before-store $((300 * 8 + 3))
head -c 512 /dev/zero | $probe dax-store "$DAX" $(((300 * 8 + 3) * 512)) 512
kill_daemon
wait_entry STATE=in-doubt "DEVICE=$DAX" OFFSET=$((300 * 4096))
expect "what the program has stored" "$(head -c 512 /dev/zero | sha256sum)" "$(sector $((300 * 8 + 3)))"
intent_is_logged || fail "the intent should be kept"

# between clearing and noting what that has left: nobody can tell
stopped_at cleared $((400 * 8 + 3))
left=$(sector $((400 * 8 + 3)))
kill_daemon
wait_entry STATE=in-doubt "DEVICE=$DAX" OFFSET=$((400 * 4096))
expect "what stands there" "$left" "$(sector $((400 * 8 + 3)))"
