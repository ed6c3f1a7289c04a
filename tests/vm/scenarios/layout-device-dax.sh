# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that poison in a device-dax, which has no list of its own, is found in its region's, and is known to be the
# device's.
fresh_namespace 1 -m devdax -a 4096
follow_journal
dax=$(basename /dev/dax1.*)
PMEM=pmem1
start_daemon
take_page 4096
wait_entry STATE=refused "DEVICE=/dev/$dax" OFFSET=$((4096 * 512)) LENGTH=4096
expect_fields "PHYSICAL=$(printf '%#x' $(($(data_start) + 4096 * 512)))" REASON=not-protected
case=$(field BEZOAR_CASE)
expect "the owner" device-dax "$(bezoarctl show "$case" --json=short | jq -r '.owners[0].type')"
bezoarctl volumes
