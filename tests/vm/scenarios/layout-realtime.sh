# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 240
#
# Proves that files on the realtime device of an XFS are restored like all others, found by ARS or by a machine check, mapped or not, also
# while somebody has them open; that blocks of the same number on its two devices are not taken for each other; and that free space there
# is not taken for anything else, and not parked.
fresh_xfs() {
    mkfs.xfs -q -f -m rmapbt=0,reflink=0 -r rtdev=/dev/pmem1 "/dev/$PMEM"
    mount -t xfs -o dax=always,rtdev=/dev/pmem1 "/dev/$PMEM" $MNT
}

# make_realtime NAME BYTES
make_realtime() {
    xfs_io -R -f -c "stat" "$DB/$1" >/dev/null
    head -c "$2" /dev/urandom >>"$DB/$1"
    sync -f "$DB/$1"
    remember "$DB/$1"
    cp -a "$DB/$1" "$MIRROR/$1"
}

fresh_db a 262144 b 262144
make_realtime r 67108864
make_realtime s 262144
make_file $DB/plain 262144
remember $DB/plain
cp -a $DB/plain $MIRROR/plain
[ "$(phys $DB/plain 8192)" -lt $((64 * 2048)) ] || fail "no realtime block has the number of this one"
start_daemon

bezoarctl volumes
expect "what is drawn" "/dev/pmem0 xfs /dev/pmem1 xfs realtime" \
    "$(bezoarctl volumes --json=short | jq -r '.[] | .Device, .FileSystem // empty, .Part // empty' | xargs)"
# planned FILE: on which device it is, the first byte there, and what would be done.
planned() {
    bezoarctl plan "$1" 8192 --json=short | jq -r '[.device, .parts[0].found.range.start, .parts[0].plan.verdict] | join(" ")'
}
expect "a plan for a file of each" \
    "/dev/pmem0 $(page_at $DB/plain 8192) repair, /dev/pmem1 $(FS_DEVICE=/dev/pmem1 page_at $DB/r 8192) repair" \
    "$(planned $DB/plain), $(planned $DB/r)"

lose_ars $DB/plain 8192 512
expect_healed $DB/plain 8192 WRITER=pwrite
lose_mce $DB/a 16384
expect_healed $DB/a 16384

FS_DEVICE=/dev/pmem1
lose_ars $DB/r $((8 << 20)) 512 $DB/r $((9 << 20)) 8192
expect_healed $DB/r $((8 << 20)) WRITER=pwrite PROOF=identity+neighbours
wait_entry STATE=healed FILE=$DB/r "OFFSET=$(page_at $DB/r $((9 << 20)))" LENGTH=8192
expect_as_before $DB/r

hold_map $DB/s 12288
lose_mce $DB/s 12288
expect_healed $DB/s 12288 PROOF=identity+neighbours
kill -0 $HOLDER
lose_mce $DB/r $((20 << 20))
expect_healed $DB/r $((20 << 20)) PROOF=identity+neighbours
expect "writing it" "ok 4096" "$($probe write $DB/s 12288 4096)"

exec 9<>$DB/r
lose_ars $DB/r $((30 << 20)) 1024
expect_healed $DB/r $((30 << 20)) WRITER=block PROOF=identity+neighbours
exec 9>&-

forget_entries
PMEM=pmem1
poison_ars $((100 * 2048)) 1
wait_entry STATE=harmless DEVICE=/dev/pmem1 REASON=free
poison_mce $((110 * 2048))
wait_entry DEVICE=/dev/pmem1 REASON=free-page-may-be-absent
expect_match "what the journal says" "*on a realtime device it cannot be parked*" "$(field MESSAGE)"
expect "guard files" "" "$(find $MNT/.bezoar -type f 2>/dev/null)"

# That is caution: this kernel, asked to take away a page that nobody has mapped, does not (kernel-free-mce is another matter). Whoever is
# given the block has it cleaned, and lives.
xfs_io -R -f -c stat $MNT/fill >/dev/null
dd if=/dev/zero of=$MNT/fill bs=1M oflag=append conv=notrunc status=none || true
sync -f $MNT/fill
expect "badblocks" "" "$(badblocks)"
