# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that lost metadata of XFS is rebuilt by the file system while it is mounted where the kernel can do that (7.2): headers in place,
# btrees and a folder in other blocks; that elsewhere it is refused with commands that do mend it; and that no file is the worse for it.
#
# timeout: 180
fresh_db a 262144
mkdir $MNT/{1..8}
for i in {1..8}; do touch $MNT/$i/{1..80}; done
inode=$(stat -c %i $MNT/4)
folder=$(xfs_bmap -v $MNT/4 | sed -n 's/.*\]: *\([0-9]*\)\.\..*/\1/p' | head -n 1)
umount $MNT

# header GROUP NAME, root GROUP HEADER FIELD: the first sector of what is in that group.
header() {
    xfs_db -r -c "$2 $1" -c daddr /dev/pmem0 | sed 's/.* //'
}

root() {
    local block
    block=$(xfs_db -r -c "$2 $1" -c "print $3" /dev/pmem0 | sed 's/.* = //')
    xfs_db -r -c "convert agno $1 agbno $block daddr" /dev/pmem0 | sed 's/.*(\(.*\)).*/\1/'
}

agf=$(header 1 agf) agi=$(header 2 agi) bnobt=$(root 1 agf bnoroot) rmapbt=$(root 2 agf rmaproot) inobt=$(root 3 agi root)
inodes=$(header "$inode" inode)
mount_dax
start_daemon

# lost STATE SECTOR FIELD=VALUE…: its bytes are destroyed, and how that case ends.
lost() {
    destroy "$2"
    poison_ars "$2"
    wait_entry "STATE=$1" OFFSET=$(($2 / 8 * 4096)) "${@:3}"
}

if since 7.2; then
    lost healed "$agf" WRITER=mend
    lost healed "$agi" WRITER=mend
    lost harmless "$bnobt" REASON=free
    lost harmless "$inobt" REASON=free
    lost harmless "$rmapbt" REASON=free
    lost harmless "$folder" REASON=free
    expect "what is in the folder" 80 "$(find $MNT/4 -type f | wc -l)"
    umount $MNT
    heal_medium
    mount_dax                           # the kernel keeps counting anew for the next mount, and leaves the log as it is for that
    umount $MNT
    xfs_repair -n /dev/pmem0
else
    for sector in "$agf" "$agi" "$bnobt" "$inobt" "$rmapbt"; do
        lost refused "$sector" REASON=metadata
        expect_match "the advice" "*xfs_repair /dev/pmem0*" "$(field BEZOAR_ADVICE)"
    done
    umount $MNT
    heal_medium                         # as the advice says, by dd
    xfs_repair /dev/pmem0
fi
mount_dax
expect_as_before $DB/a

# What would be salvaged in part only is never asked for.
poison_ars "$inodes"
wait_entry STATE=refused REASON=metadata OFFSET=$((inodes / 8 * 4096))
expect_no_entry WRITER=mend OFFSET=$((inodes / 8 * 4096))
