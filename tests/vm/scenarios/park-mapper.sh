# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
# kernels: 7.2
# timeout: 180
#
# Proves that free space is parked on a device-mapper device too that has two pieces of one disk, in each of them, the later one first; that
# the file system can then be filled to the last byte, and the kernel lives; and that where a file system is on several disks it is
# not parked on, and the alert says so. On device mapper the kernel takes no page that nobody has mapped; one that was mapped with 2 MiB,
# and whose file was deleted afterwards, is a trap as any other (seen on 7.2).
XFS_OPTIONS=(--unsupported -m reflink=0 -d "su=2m,sw=1,agcount=2")         # so small; a group on each piece
align=$(((2097152 - $(data_start) % 2097152) % 2097152 / 512))
mapper two "0 131072 linear /dev/pmem1 0" "131072 65536 linear /dev/pmem0 $((800000 + align))"
mkdir -p /srv/two
mkfs.xfs -q -f --unsupported -m rmapbt=1,reflink=0 $FS_DEVICE
mount $FS_DEVICE /srv/two
mapper db "0 262144 linear /dev/pmem0 $((524288 + align))" "262144 262144 linear /dev/pmem0 $((4096 + align))"
fresh_db keep 65536
pages=()
for i in 0 1; do
    mkdir $MNT/$i
    xfs_io -f -c "extsize 2m" $MNT/$i/f
    make_file $MNT/$i/f 4194304
    read -r _ sector < <(place $MNT/$i/f 8192)
    expect "alignment of the extent" 8192 $((($(data_start) + sector * 512) % 2097152))
    hold_pmd $MNT/$i/f 0
    poison_mce "$sector"
    kill "$HOLDER"
    wait "$HOLDER" || true
    rm $MNT/$i/f
    pages+=("$sector")
done
sync -f $MNT
[ $((pages[0] / 400000)) != $((pages[1] / 400000)) ] || fail "both are in one piece: ${pages[*]}"
start_daemon
for page in "${pages[@]}"; do
    wait_entry STATE=harmless REASON=parked "OFFSET=$((page * 512))"
done
expect "guards" 2 "$(find $MNT/.bezoar -name 'park-*' | wc -l)"
cat /dev/zero >$MNT/full 2>/dev/null || true
sync -f $MNT
[ "$(df --output=avail -B4096 $MNT | tail -n 1)" -lt 128 ]
rm $MNT/full
expect_as_before $DB/keep

FS_DEVICE=/dev/mapper/two
make_file /srv/two/f 65536
read -r PMEM sector < <(place /srv/two/f 8192)
rm /srv/two/f
sync -f /srv/two
poison_mce "$sector"
wait_entry STATE=waiting REASON=free-page-may-be-absent "DEVICE=/dev/$PMEM" "OFFSET=$((sector * 512))"
expect_match "what it says" "*on several disks*" "$(field MESSAGE)"
