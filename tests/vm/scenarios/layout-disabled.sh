# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that poison in a region where no disk shows it is reported and waits, and belongs to the disk as soon as its
# namespace is enabled: then the file on it is restored.
fresh_db a 262144
sector=$(phys $DB/a 8192)
page=$(page_at $DB/a 8192)
umount $MNT
in_region=$(($(data_start) - $(sysfs region0/resource) + page))
destroy "$sector"
poison_ars "$sector"
change_media
ndctl disable-namespace namespace0.0
start_daemon
wait_entry STATE=waiting REASON=unknown-owner DEVICE=region0 "OFFSET=$in_region"
expect_match "what the journal says" "*namespace0.0 is disabled*" "$(field MESSAGE)"

ndctl enable-namespace namespace0.0
wait_entry STATE=gone "OFFSET=$in_region"
wait_entry STATE=waiting REASON=unmounted DEVICE=/dev/pmem0 "OFFSET=$page"
mount_dax
expect_healed $DB/a 8192 WRITER=pwrite
