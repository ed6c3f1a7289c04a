# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a file on a raw namespace, which knows no DAX, is restored through the page cache.
fresh_namespace 0 -m raw
MOUNT_OPTIONS=noatime
fresh_db a 262144
echo 3 >/proc/sys/vm/drop_caches
start_daemon
lose_ars $DB/a $((8192 + 512)) 512
expect_healed $DB/a 8192 WRITER=pwrite PROOF=identity+neighbours
echo 3 >/proc/sys/vm/drop_caches
expect_as_before $DB/a
expect "badblocks" "" "$(badblocks)"
