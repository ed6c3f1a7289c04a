# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that lost bytes of a device-dax come back from an image of it, by the sector and under a program that has it
# mapped, in pieces of 4 KiB and of 2 MiB, after ARS and after a machine check; and never from an image whose neighbours
# differ, nor with less proof than it takes.
# everywhere: yes
# timeout: 180
. /lab/device-dax.sh

follow_journal
fresh_device 2M
start_daemon
hold_pmd "$DAX" $((300 * 4096))

# one sector, beside seven good ones; known to be the device's before anybody says that it is protected
lose $((100 * 8 + 3)) 1
wait_entry STATE=refused "DEVICE=$DAX" OFFSET=$((100 * 4096)) LENGTH=4096 REASON=not-protected
expect_fields "PHYSICAL=$(printf '%#x' $(($(data_start) + 100 * 4096)))"
expect "the owner" device-dax "$(bezoarctl show "$(field BEZOAR_CASE)" --json=short | jq -r '.owners[0].type')"
protect dax "Device=$DAX" "Replica=block:$IMAGE" Proof=neighbours
reload_daemon
expect_case $((100 * 4096))

# a whole page, taken away by a machine check
lose_page $((300 * 8))
expect_case $((300 * 4096))
kill "$HOLDER"
systemctl stop bezoard.service
forget_entries

fresh_device 4096
protect dax "Device=$DAX" "Replica=block:$IMAGE" Proof=neighbours
start_daemon
lose $((200 * 8 + 7)) 2         # in two pages
wait_entry STATE=healed "DEVICE=$DAX" OFFSET=$((200 * 4096)) LENGTH=8192
wait_until 10 nothing_listed
expect_as_image
lose_page $((350 * 8))
expect_case $((350 * 4096))

# what differs in a neighbour is not used, nor what the policy does not take for enough
printf 'other' | dd of=$IMAGE bs=1 seek=$((400 * 4096 + 9000)) conv=notrunc status=none
lose $((400 * 8)) 1
wait_entry STATE=refused "DEVICE=$DAX" OFFSET=$((400 * 4096)) REASON=replica-stale
$probe dax-load "$DAX" $((400 * 4096 + 8192)) 4096 | dd of=$IMAGE bs=4096 seek=402 conv=notrunc status=none
protect dax "Device=$DAX" "Replica=block:$IMAGE"
reload_daemon
wait_entry STATE=refused "DEVICE=$DAX" OFFSET=$((400 * 4096)) REASON=proof-missing
protect dax "Device=$DAX" "Replica=block:$IMAGE" Proof=neighbours Exclusion=lease,freeze
reload_daemon
wait_entry STATE=refused "DEVICE=$DAX" OFFSET=$((400 * 4096)) REASON=writer-not-allowed
is_listed || fail "it was cleared"
protect dax "Device=$DAX" "Replica=block:$IMAGE" Proof=neighbours
reload_daemon
expect_case $((400 * 4096))
