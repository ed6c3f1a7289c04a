# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that writing through a handle of XFS_IOC_OPEN_BY_HANDLE leaves the times of the file alone, and that an ordinary
# write does not.
fresh_xfs
make_file $MNT/f 65536
touch -d '2020-01-02 03:04:05.678' $MNT/f
times() { stat -c '%x %y %z' $MNT/f; }
before=$(times)
page=$(phys $MNT/f 8192)
poison_ars "$page" 8
expect "writing through the handle" "ok 4096" "$($probe handle-write $MNT/f 8192 4096)"
expect "badblocks" "" "$(badblocks)"
expect "times" "$before" "$(times)"
sync -f $MNT
umount $MNT
mount_dax
expect "times after mounting again" "$before" "$(times)"
expect "the bytes" ZZZZ "$(dd if=$MNT/f bs=1 skip=8192 count=4 status=none)"
touch -d '2020-01-02 03:04:05.678' $MNT/f
before=$(stat -c %y $MNT/f)
expect "an ordinary write" "ok 4096" "$($probe write $MNT/f 8192 4096)"
[ "$(stat -c %y $MNT/f)" != "$before" ] || fail "an ordinary write left the mtime alone"
