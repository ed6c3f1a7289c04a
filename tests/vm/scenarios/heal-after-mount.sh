# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that poison on a device whose file system is not mounted waits, and is restored without being asked as soon as
# it is.
fresh_db a 262144
sector=$(phys $DB/a 65536)
page=$(page_at $DB/a 65536)
umount $MNT
start_daemon
destroy "$sector"
poison_ars "$sector"
wait_entry STATE=waiting REASON=unmounted "OFFSET=$page"
expect_id waiting
expect_fields DEVICE=/dev/pmem0 LENGTH=4096
is_bad "$sector"

mount_dax
expect_healed $DB/a 65536 WRITER=pwrite
