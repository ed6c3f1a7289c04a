# SPDX-License-Identifier: LGPL-2.1-or-later
# append: memmap=128M!800M
#
# Proves that a file on persistent memory that only the kernel's command line knows (memmap=), and of which no
# notification tells, is restored when the lists are read again.
modprobe nd_e820
udevadm settle
provider=$(grep -lx e820 /sys/bus/nd/devices/ndbus*/provider)
region=$(basename "${provider%/*}"/region*)
PMEM=pmem${region#region}
wait_until 20 test -b "/dev/$PMEM"
XFS_OPTIONS=(--unsupported)     # so small
fresh_db a 262144
configure RescanIntervalSec=10s
start_daemon
sector=$(phys $DB/a $((8192 + 512)))
dd if=/dev/zero of="/dev/$PMEM" bs=512 seek="$sector" count=1 oflag=direct conv=notrunc status=none
echo "$sector 1" >"/sys/block/$PMEM/badblocks"
expect_healed $DB/a 8192 WRITER=pwrite PROOF=identity+neighbours
expect "badblocks" "" "$(badblocks)"
