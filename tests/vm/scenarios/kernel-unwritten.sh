# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that poison below an unwritten extent has taken no data: it reads as zeroes, and the first write heals it.
fresh_xfs
xfs_io -f -c "falloc 0 65536" $MNT/f
page=$(phys $MNT/f 8192)
destroy "$page" 8
poison_ars "$page" 8
expect "reading" "ok 4096" "$($probe read $MNT/f 8192 4096)"
expect "bytes that are not zero" 0 "$(tr -d '\0' <$MNT/f | wc -c)"
expect "writing a part of the page" "ok 512" "$($probe write $MNT/f 8192 512)"
expect "badblocks at the end" "" "$(badblocks)"
expect "bytes that are not zero now" 512 "$(tr -d '\0' <$MNT/f | wc -c)"
