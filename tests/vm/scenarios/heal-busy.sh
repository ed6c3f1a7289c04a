# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a file that a program stores to through a mapping all the time is healed without one of its stores being
# lost: only the bad sector is written, while the file system is frozen. The program counts out of sight of the lost
# sector: neighbours that differ from the replica speak against it, whoever made the difference.
fresh_db a 262144
mkdir /srv/mirror/second
cp -a $DB/a /srv/mirror/second
protect db "Path=$DB" "Replica=mirror:$MIRROR" "Replica=mirror:/srv/mirror/second" Proof=quorum
hold count $DB/a 200704 8
before=$(dd if=$MIRROR/a bs=512 skip=$((16 + 3)) count=1 status=none | sha256sum)
start_daemon
lose_ars $DB/a $((8192 + 3 * 512)) 512
wait_entry STATE=healed "FILE=$DB/a"
expect_fields WRITER=block PROOF=neighbours+quorum "OFFSET=$(page_at $DB/a 8192)"
sleep 0.2                               # it goes on counting
kill -TERM "$HOLDER"
wait "$HOLDER"
cat /run/lab/hold.*
grep -q '^[1-9][0-9]* stores, 0 lost' /run/lab/hold.* || fail "stores were lost: $(cat /run/lab/hold.*)"
expect "the sector" "$before" "$(dd if=$DB/a bs=512 skip=$((16 + 3)) count=1 status=none | sha256sum)"
expect "the rest of the file" "$(head -c 200704 $MIRROR/a | sha256sum)" "$(head -c 200704 $DB/a | sha256sum)"
expect "badblocks" "" "$(badblocks)"
