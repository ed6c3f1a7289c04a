# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves who stands in the way of a write lease: a process that has the file open or mapped does, one that only keeps it by an
# O_PATH descriptor does not. And that such a descriptor keeps the blocks of a deleted file from becoming free.
fresh_xfs
make_file $MNT/f 65536
page=$(phys $MNT/f 0)
owner() { xfs_io -c "fsmap -d $page $page" $MNT | grep -o 'inode [0-9]*\|free space' || true; }

expect "lease, nobody else" "ok 0" "$($probe lease $MNT/f)"
hold map $MNT/f 0
expect "lease, mapped by another" EAGAIN "$($probe lease $MNT/f)"
kill "$HOLDER"
wait "$HOLDER" || true

hold opath $MNT/f
expect "lease, kept by O_PATH" "ok 0" "$($probe lease $MNT/f)"
inode=$(stat -c %i $MNT/f)
expect "owner of the block" "inode $inode" "$(owner)"
rm $MNT/f
sync -f $MNT
expect "owner of the block, file deleted but kept" "inode $inode" "$(owner)"
kill "$HOLDER"
released() { sync -f $MNT && [ "$(owner)" != "inode $inode" ]; }
wait_until 10 released
