# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that a file on the second of two partitions is restored, after a scrub as after a machine check, and that poison
# before the first partition and in one that is not mounted is not taken for free space.
XFS_OPTIONS=(--unsupported -m reflink=0)         # so small
partition_gpt "start=2MiB, size=64MiB" "size=256MiB"
FS_DEVICE=/dev/pmem0p2
fresh_db a 262144 b 262144
start_daemon
lose_ars $DB/a $((8192 + 3 * 512)) 512
expect_healed $DB/a 8192 WRITER=pwrite "REPLICA=mirror:$MIRROR" PROOF=identity+neighbours
lose_mce $DB/b 12288
expect_healed $DB/b 12288 PROOF=identity+neighbours
expect "badblocks" "" "$(badblocks)"

poison_ars 80
wait_entry STATE=waiting REASON=unknown-owner OFFSET=40960
expect_match "what the journal says" "*before, between or behind*" "$(field MESSAGE)"
poison_ars 8192
wait_entry STATE=waiting REASON=unmounted OFFSET=4194304
bezoarctl volumes
