# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a file without a replica is not written: no protect file covers it, or the one that does names none. And
# that a reload is enough to have it restored when it names one.
fresh_db a 262144 b 262144
mkdir $MNT/other
mv $DB/b $MNT/other/b
protect db "Path=$DB"
start_daemon
lose_ars $DB/a 8192 512 $MNT/other/b 8192 512
expect_refused $DB/a 8192 no-replica
expect_id refused
expect_refused $MNT/other/b 8192 not-protected
expect_id refused

protect db "Path=$DB" "Replica=mirror:$MIRROR"
protect other "Path=$MNT/other" "Replica=mirror:$MIRROR"
reload_daemon
expect_healed $DB/a 8192
expect_healed $MNT/other/b 8192
