# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a mirror that holds another version of the file is not used, and that nothing is written: a neighbouring
# sector differs though size and time are the same; a neighbouring page differs; the time differs. And that the case
# goes on when the mirror is put right.
fresh_db sector 262144 page 262144 time 262144
alter() {       # FILE OFFSET: 16 bytes of the mirror, each of them another, and its time stays
    touch -r $MIRROR/$1 /run/lab/time
    dd if=$MIRROR/$1 bs=1 skip=$2 count=16 status=none | LC_ALL=C tr '\000-\377' '\001-\377\000' >/run/lab/other
    dd if=/run/lab/other of=$MIRROR/$1 bs=1 seek=$2 conv=notrunc status=none
    touch -r /run/lab/time $MIRROR/$1
}
cp -a $MIRROR/sector $MIRROR/right
alter sector $((8192 + 1024))
alter page $((8192 + 40960))
touch -d '2001-01-01 UTC' $MIRROR/time
start_daemon
lose_ars $DB/sector 8192 512 $DB/page 8192 512 $DB/time 8192 512

expect_refused $DB/sector 8192 replica-stale
expect_id stale
expect_match "what the journal says" "*neighbour differs at file offset 9216*" "$(field MESSAGE)"
expect_refused $DB/page 8192 replica-stale
expect_match "what the journal says" "*neighbour differs at file offset 49152*" "$(field MESSAGE)"
expect_refused $DB/time 8192 replica-stale
expect_match "what the journal says" "*modified at 2001-01-01*" "$(field MESSAGE)"

mv $MIRROR/right $MIRROR/sector
reload_daemon
expect_healed $DB/sector 8192
expect_untouched $DB/page 8192
