# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that with Writer=punch a lost sector comes back by way of a hole, also after the worker was killed while the
# hole was there; and that a page that may be absent is not set free.
fresh_db plain 262144 killed 262144 absent 262144
protect db "Path=$DB" "Replica=mirror:$MIRROR" Writer=punch
start_daemon

# healed FILE: what it holds, its times, and that it can be read; it may be in more pieces, and the poison in free space.
healed() {
    wait_entry STATE=healed "FILE=$1"
    expect_id healed
    expect "the bytes of $1" "$(hash_of "$MIRROR/${1##*/}")" "$(hash_of "$1")"
    expect "the times of $1" "$(stat -c '%s %.9Y' "$MIRROR/${1##*/}")" "$(stat -c '%s %.9Y' "$1")"
    wait_until 10 no_intents
}

lose_ars $DB/plain 8192 512
healed $DB/plain
expect_fields WRITER=punch

systemctl stop bezoard.service
fault punched:kill
start_daemon
lose_ars $DB/killed 8192 512
wait_entry REASON=worker-died "FILE=$DB/killed"
fault
healed $DB/killed

# of a page that is listed as a whole nobody can tell
lose_ars $DB/absent 8192 4096
wait_entry STATE=refused "FILE=$DB/absent" REASON=writer-not-allowed
expect_untouched $DB/absent 8192
