# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that files on a device-mapper device are restored that is made of two disjoint pieces of one disk, the later one
# first; and that a table that is exchanged under the mounted file system is followed.
XFS_OPTIONS=(--unsupported -m reflink=0)         # so small
mapper db "0 262144 linear /dev/pmem0 524288" "262144 262144 linear /dev/pmem0 131072"
fresh_db first 262144 second 4194304
# one file in either piece
until [ $(($(phys $DB/first 0) < 262144 && $(phys $DB/second 0) >= 262144)) = 1 ]; do
    fallocate -l 33554432 "$DB/filler$((filler = ${filler:-0} + 1))"
    rm $DB/second
    make_file $DB/second 4194304
    [ "$filler" -lt 6 ] || fail "no file gets into the second piece"
done
remember $DB/second
cp -a $DB/second $MIRROR/
start_daemon
lose_ars $DB/first 8192 512
expect_healed $DB/first 8192 WRITER=pwrite PROOF=identity+neighbours
lose_ars $DB/second $((65536 + 512)) 1024
expect_healed $DB/second 65536 WRITER=pwrite PROOF=identity+neighbours
lose_mce $DB/second 131072
expect_healed $DB/second 131072 PROOF=identity+neighbours
expect "badblocks" "" "$(badblocks)"

# 64 MiB behind both pieces nothing has
poison_ars 800008
wait_entry STATE=waiting REASON=unknown-owner OFFSET=$((800008 * 512))
