# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 240
#
# Proves that poison that the kernel could not list, its list being full, is found and healed when there is room again: a scrub is asked
# for. And that a page that is healed and lost again and again is left alone, with the module named, while others are healed.
fresh_xfs
follow_journal
mkdir -p $DB $MNT/filler /run/lab/was "${MIRROR%/*}"
/lab/many.py make $MNT/filler 1 $((520 * 4096))
/lab/many.py make $DB 8 16384
cp -a $DB $MIRROR
/lab/many.py print $DB >/run/lab/before
protect db Path=$DB Replica=mirror:$MIRROR
configure PageBudget=2/1h
start_daemon
wait_until 30 eval 'bezoarctl volumes --json=short | grep -q "$MNT"'

# The kernel's list, without the firmware's knowing: as many as it has room for.
first=$(phys $MNT/filler/0000 0)
: >>/run/lab/poisoned.$PMEM
expect "how many entries a list has room for" 512 "$(/lab/many.py list /sys/block/$PMEM/badblocks "$first" 8 600)"
destroy_many $DB 8192
inject_many
listed_by_region() {
    [ "$(wc -l <"/sys/bus/nd/devices/region$(region)/badblocks")" -ge 8 ]
}
wait_until 40 listed_by_region
wait_until 40 find_entry STATE=refused "FILE=$MNT/filler/0000"
wait_until 40 eval 'journalctl -b -u bezoard --no-pager -o cat | grep -q "list of /dev/$PMEM is cut off"'
while read -r sector _; do
    ! is_bad "$sector" || fail "sector $sector is listed, though there is no room"
done </run/lab/places

dd if=/dev/zero of=$MNT/filler/0000 bs=2M count=1 conv=notrunc status=none
wait_until 100 has_entries 8 STATE=healed
/lab/many.py print $DB | diff /run/lab/before - >&2 || fail "files are not as they were"
expect "badblocks" "" "$(badblocks)"

# The first file's page is healed for the second time, and then no more.
for file in 0000 0001; do
    remember $DB/$file
done
forget_entries
lose_ars $DB/0000 8192 512
expect_healed $DB/0000 8192
forget_entries
lose_ars $DB/0000 8192 512 $DB/0001 4096 512
expect_healed $DB/0001 4096
wait_entry STATE=waiting "FILE=$DB/0000" REASON=page-budget
expect "the priority" 2 "$(field PRIORITY)"
expect_match "the module" "nmem*" "$(field BEZOAR_DIMM)"
expect_match "what is said" "*memory module $(field BEZOAR_DIMM)*" "$(field MESSAGE)"
expect_untouched $DB/0000 8192
