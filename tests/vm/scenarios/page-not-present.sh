# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves what happens where a page cannot be brought back: a machine check in a file that is mapped by a 2 MiB entry.
# The bytes become right through a mapping, but read(2) fails, so the case waits, is never called healed, and the journal
# says what not to do. After the machine was started again, the case ends by itself.
if [ "$BOOT" = 2 ]; then
    follow_journal
    mount_dax
    start_daemon
    wait_entry STATE=healed "FILE=$DB/a"
    expect_bytes "the file" "$(hash_of $MIRROR/a)" "$(hash_of $DB/a)"
    expect "badblocks" "" "$(badblocks)"
    exit
fi
XFS_OPTIONS=(-d su=2m,sw=1,agcount=2 -l size=64m)
fresh_db
xfs_io -f -c "extsize 2m" $DB/a
make_file $DB/a 4194304
remember $DB/a
cp -a $DB/a $MIRROR/
expect "alignment of the extent" 0 $((($(data_start) + $(phys $DB/a 0) * 512) % 2097152))
start_daemon
hold_pmd $DB/a 0
lose_mce $DB/a 8192

wait_entry STATE=waiting "FILE=$DB/a" REASON=page-not-present
expect_id waiting
expect_match "the advice" "Do NOT delete*reboot*" "$(field BEZOAR_ADVICE)"
expect "reading the page" EFAULT "$($probe read $DB/a 8192 4096)"
expect "through a mapping" "ok $(od -An -tu1 -j 8192 -N 1 $MIRROR/a | tr -d ' ')" "$($probe load $DB/a 8192)"

kill $HOLDER
sleep 12                # the daemon tries again
expect "reading the page" EFAULT "$($probe read $DB/a 8192 4096)"
expect_no_entry STATE=healed
expect_no_entry STATE=gone

sync -f $MIRROR
power_cut
