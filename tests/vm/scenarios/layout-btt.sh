# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that poison below a disk in sector mode, where bytes move about, is reported, and never translated to a file.
fresh_namespace 1 -m sector
follow_journal
mkfs.ext4 -q -F /dev/pmem1s
mkdir -p $MNT
mount /dev/pmem1s $MNT
PMEM=pmem1
start_daemon
take_page 65536
wait_entry STATE=waiting REASON=unknown-owner DEVICE=/dev/pmem1s
expect_match "what the journal says" "*btt*" "$(field MESSAGE)"
