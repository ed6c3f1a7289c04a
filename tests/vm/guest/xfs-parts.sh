# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# An XFS that has one of each kind of metadata, and where on its disk they are.

# fresh_parts: a file system for fresh_db with files, unmounted. PARTS: of each structure the first sector, what becomes of the place when
# the file system has rebuilt it ("healed": in place; "harmless": elsewhere), and its name in a case. FORKS: the same of what only an
# inode has, which xfs_repair of old would not bring back. INODES: the first sector of some inodes.
fresh_parts() {
    local inode folder pieces attributes
    fresh_db a 262144
    mkdir $MNT/{1..8}
    python3 - $MNT <<'END'
import os, sys
top = sys.argv[1]
for i in range(1, 9):
    for k in range(1, 81):
        os.close(os.open(f"{top}/{i}/{k}", os.O_CREAT | os.O_WRONLY))
fd = os.open(f"{top}/db/pieces", os.O_CREAT | os.O_WRONLY)
for i in range(64):
    os.pwrite(fd, b"%4096d" % i, i * 8192)
for i in range(60):                 # a block each, by turns, so that none is beside another of its file
    for k in (1, 2):
        os.setxattr(f"{top}/1/{k}", f"user.{i}", b"%3500d" % i)
END
    cp --reflink=always "$DB/a" "$DB/same"
    sync -f $MNT
    remember "$DB/pieces"
    remember "$DB/same"
    inode=$(stat -c %i $MNT/4) pieces=$(stat -c %i "$DB/pieces") attributes=$(stat -c %i $MNT/1/1)
    folder=$(xfs_bmap -v $MNT/4 | sed -n 's/.*\]: *\([0-9]*\)\.\..*/\1/p' | head -n 1)
    ATTRIBUTES=$(attributes)
    umount $MNT
    PARTS=(
        "$(header 3 sb) healed superblock copy and headers of allocation group 3"
        "$(header 1 agf) healed superblock copy and headers of allocation group 1"
        "$(header 1 agfl) healed superblock copy and headers of allocation group 1"
        "$(header 2 agi) healed superblock copy and headers of allocation group 2"
        "$(root 1 agf bnoroot) harmless free space btrees or free list of allocation group 1"
        "$(root 3 agf cntroot) harmless free space btrees or free list of allocation group 3"
        "$(root 2 agf rmaproot) harmless free space btrees or free list of allocation group 2"
        "$(root 0 agf refcntroot) harmless reference count btree of allocation group 0"
        "$(root 3 agi root) harmless inode btree of allocation group 3"
        "$(root 2 agi free_root) harmless inode btree of allocation group 2"
    )
    FORKS=(
        "$(map "$pieces" u3) harmless extent map of inode $pieces"
        "$(map "$attributes" a) harmless extent map of inode $attributes"
        "$folder harmless directory of inode $inode"
    )
    # shellcheck disable=SC2034
    INODES=$(header "$inode" inode)
}

# attributes: a hash of those of the file that has many.
attributes() {
    getfattr --absolute-names -d $MNT/1/1 | sha256sum
}

# expect_parts_as_before: no file is the worse for what was lost.
expect_parts_as_before() {
    expect_as_before "$DB/a"
    expect_as_before "$DB/same"
    expect_as_before "$DB/pieces"
    expect_bytes "extended attributes" "$ATTRIBUTES" "$(attributes)"
    expect "files in the folder" 80 "$(find $MNT/4 -type f | wc -l)"
}

db() {
    xfs_db -r "${@/#/-c}" "/dev/$PMEM"
}

# header GROUP NAME, root GROUP HEADER FIELD, map INODE FORK: the first sector of what is in that group, or of the root's only child of an
# extent map.
header() {
    db "$2 $1" daddr | sed 's/.* //'
}

root() {
    db "convert agno $1 agbno $(db "$2 $1" "print $3" | sed 's/.* = //') daddr" | sed 's/.*(\(.*\)).*/\1/'
}

map() {
    db "convert fsblock $(db "inode $1" "print $2.bmbt.ptrs[1]" | sed 's/.* = //') daddr" | sed 's/.*(\(.*\)).*/\1/'
}
