# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that a page that the kernel gave up, and that no list of bad blocks has, is noticed by what the kernel's trace buffer
# says, is not written as long as it is not listed, and is healed once it is.
fresh_db a 262144
start_daemon
hold_map $DB/a 65536
page=$(phys $DB/a 65536)
destroy "$page" 8
printf '%#x' $(($(data_start) + page * 512)) >/sys/devices/system/memory/hard_offline_page
wait_entry STATE=waiting "DEVICE=/dev/$PMEM" "OFFSET=$((page * 512))" REASON=unlisted
expect_id waiting
expect "badblocks" "" "$(badblocks)"
[ "$(hash_of $DB/a)" != "$(hash_of $MIRROR/a)" ] || fail "the file was written"

echo "$page 8" >/sys/block/$PMEM/badblocks        # of which the kernel tells nobody
bezoarctl rescan
expect_healed $DB/a 65536
