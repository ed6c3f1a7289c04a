# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that files on a device-mapper device are restored that is made of two disjoint pieces of one disk, the later one
# first.
XFS_OPTIONS=(--unsupported -m reflink=0)         # so small
mapper db "0 262144 linear /dev/pmem0 524288" "262144 262144 linear /dev/pmem0 131072"
fresh_db
# XFS puts folders into different groups, and files into those of their folders
for i in 1 2 3 4 5 6 7 8; do
    mkdir $DB/$i
    make_file $DB/$i/f$i 262144
    remember $DB/$i/f$i
    [ "$(phys $DB/$i/f$i 0)" -ge 262144 ] && second=$DB/$i/f$i || first=$DB/$i/f$i
done
cp -a $DB/. $MIRROR/
start_daemon
lose_ars "$first" 8192 512
expect_healed "$first" 8192 WRITER=pwrite PROOF=identity+neighbours
lose_ars "$second" $((65536 + 512)) 1024
expect_healed "$second" 65536 WRITER=pwrite PROOF=identity+neighbours
lose_mce "$second" 131072
expect_healed "$second" 131072 PROOF=identity+neighbours
expect "badblocks" "" "$(badblocks)"

# behind both pieces
poison_ars 800008
wait_entry STATE=waiting REASON=unknown-owner OFFSET=$((800008 * 512))
