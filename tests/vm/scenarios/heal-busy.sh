# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a file that a program stores to through a mapping all the time is healed without one of its stores being
# lost: only the bad sector is written, while the file system is frozen. As long as the program counts in the lost page
# itself nothing is written, since the lost sector may have been counting too and two old copies agree about it; when it
# has stopped and the copies have followed, that page is healed as well.
#
# everywhere: yes
fresh_db a 262144
second=/srv/mirror/second
mkdir $second
cp -a $DB/a $second
protect db "Path=$DB" "Replica=mirror:$MIRROR" "Replica=mirror:$second" Proof=quorum
right() { dd if=$MIRROR/a bs=512 skip=$1 count=1 status=none | sha256sum; }
restored() { dd if=$DB/a bs=512 skip=$1 count=1 status=none | sha256sum; }
no_store_lost() {
    kill -TERM "$HOLDER"
    wait "$HOLDER"
    cat /run/lab/hold.*
    grep -q '^[1-9][0-9]* stores, 0 lost' /run/lab/hold.* || fail "stores were lost: $(cat /run/lab/hold.*)"
    rm -f /run/lab/hold.*
}

hold count $DB/a 8192 3                 # in the lost page
page=$(page_at $DB/a 8192)
start_daemon
lose_ars $DB/a $((8192 + 3 * 512)) 512
wait_entry STATE=refused "FILE=$DB/a"
expect_fields REASON=neighbours-busy "OFFSET=$page"
expect_match "what the journal says" "*somebody stores to the neighbour at file offset 8192*" "$(field MESSAGE)"
no_store_lost
expect "badblocks" "$((page / 512 + 3)) 1" "$(badblocks)"

for s in 0 1 2 4 5 6 7; do              # both copies follow
    for copy in $MIRROR/a $second/a; do
        dd if=/dev/pmem0 of=$copy iflag=direct conv=notrunc bs=512 count=1 skip=$((page / 512 + s)) seek=$((16 + s)) status=none
    done
done
reload_daemon
wait_entry STATE=healed "FILE=$DB/a"
expect_fields PROOF=neighbours+quorum "OFFSET=$page"
expect "the sector" "$(right 19)" "$(restored 19)"

hold count $DB/a 200704 8               # out of sight of the lost sector
lose_ars $DB/a $((16384 + 3 * 512)) 512
wait_entry STATE=healed "FILE=$DB/a" "OFFSET=$(page_at $DB/a 16384)"
expect_fields WRITER=block PROOF=neighbours+quorum
sleep 0.2                               # it goes on counting
no_store_lost
expect "the sector" "$(right 35)" "$(restored 35)"
expect "the rest of the file" "$(head -c 200704 $MIRROR/a | sha256sum)" "$(head -c 200704 $DB/a | sha256sum)"
expect "badblocks" "" "$(badblocks)"
