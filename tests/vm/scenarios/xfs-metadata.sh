# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that lost metadata of XFS, of each kind, is an alert that names the structure and has commands that do mend it, on a kernel that
# cannot rebuild it while it is mounted; that nothing of the kind is tried there; and that no file is the worse for it.
#
# kernels: 6.1 6.12
# timeout: 240
. /lab/xfs-parts.sh
fresh_parts
mount_dax
start_daemon

# lost SECTOR NAME
lost() {
    poison_ars "$1"
    wait_entry STATE=refused REASON=metadata OFFSET=$(($1 / 8 * 4096))
    expect PRIORITY 2 "$(field PRIORITY)"
    expect_match "the structure" "*$2*" "$(field MESSAGE)"
    expect_match "the advice" "*umount $MNT*dd if=/dev/zero of=/dev/pmem0 bs=512 seek=$1 *xfs_repair /dev/pmem0*" "$(field BEZOAR_ADVICE)"
}

for line in "${PARTS[@]}"; do
    read -r sector _ name <<<"$line"
    destroy "$sector"
    lost "$sector" "$name"
done
mkdir /run/lab/pages
for line in "${FORKS[@]}"; do
    read -r sector _ name <<<"$line"
    dd if=/dev/pmem0 of="/run/lab/pages/$sector" bs=4096 skip=$((sector / 8)) count=1 iflag=direct status=none
    lost "$sector" "$name"
done
expect_no_entry STATE=repairing

# As the advice says, by dd. What an inode alone has, an xfs_repair of old does not bring back.
systemctl stop bezoard.service
umount $MNT
heal_medium
for page in /run/lab/pages/*; do
    dd if="$page" of=/dev/pmem0 bs=4096 seek=$((${page##*/} / 8)) oflag=direct conv=notrunc status=none
done
xfs_repair /dev/pmem0
mount_dax
expect_parts_as_before

start_daemon
lost "$INODES" inodes
expect_no_entry STATE=repairing
