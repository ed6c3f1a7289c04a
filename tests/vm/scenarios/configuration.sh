# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that an error in the configuration is told with file and line, by the checker and in the journal after a
# reload; that it stops nothing else; and that correcting it is enough.
fresh_db a 262144 b 262144
mkdir $MNT/other
mv $DB/b $MNT/other/b
protect other "Path=$MNT/other" "Replica=mirror:$MIRROR"
expect_match "the checker" "*fine*" "$(bezoard --check-config)"
start_daemon

file=/etc/bezoar/protect.d/other.conf
protect other "Path=$MNT/other" Replica=tape:/dev/st0
bezoard --check-config >/run/lab/check && fail "the checker finds nothing wrong"
expect_match "the checker" "*$file:3: error:*mirror:*" "$(cat /run/lab/check)"
reload_daemon
wait_until 20 grep -q CONFIG_FILE /run/lab/entries
ENTRY=$(grep "\"CONFIG_FILE\":\"$file\"" /run/lab/entries | grep '"CONFIG_LINE":"3"')
expect_id config-bad

lose_ars $DB/a 8192 512 $MNT/other/b 8192 512
expect_healed $DB/a 8192
expect_refused $MNT/other/b 8192 not-protected

protect other "Path=$MNT/other" "Replica=mirror:$MIRROR"
reload_daemon
expect_healed $MNT/other/b 8192
