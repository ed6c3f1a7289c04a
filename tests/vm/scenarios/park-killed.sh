# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 900
#
# Proves that whoever parks may be killed at any point: after the guard has taken the block and before it has given back the rest;
# daemon and worker at once, before it has anything; and, after a reboot, between cleaning the page and giving it back. What is
# left is put right by itself, and the file system can be filled to the last byte.
guards() {
    find $MNT/.bezoar -name 'park-*' 2>/dev/null | wc -l
}
guards_are() {
    [ "$(guards)" = "$1" ]
}
no_guards() {
    [ ! -e $MNT/.bezoar ]
}
if [ "$BOOT" = 2 ]; then
    follow_journal
    mount_dax
    read -r -a pages </srv/mirror/pages
    for page in "${pages[@]}"; do
        poison_ars "$page" 8
    done
    fault unpark-cleaned:kill
    start_daemon
    wait_until 60 no_badblocks
    wait_until 60 no_guards
    touch $MNT/alive
    exit
fi
fresh_db keep 65536
pages=()
for i in 0 2; do
    mkdir $MNT/d$i
    make_file $MNT/d$i/f 1048576
    pages+=($(($(phys $MNT/d$i/f 8192) / 8 * 8)))
    rm $MNT/d$i/f
done
sync -f $MNT
sync

fault park-taken:kill
start_daemon
take_page "${pages[0]}"
wait_entry STATE=failed REASON=worker-died "OFFSET=$((pages[0] * 512))"
wait_entry STATE=harmless REASON=parked "OFFSET=$((pages[0] * 512))"
expect "guards" 1 "$(guards)"

systemctl stop bezoard.service
fault park-made:sleep=60
start_daemon
take_page "${pages[1]}"
wait_until 40 guards_are 2
fault
kill_daemon
wait_entry STATE=harmless REASON=parked "OFFSET=$((pages[1] * 512))"
expect "guards" 2 "$(guards)"

cat /dev/zero >$MNT/full 2>/dev/null || true
[ "$(df --output=avail -B4096 $MNT | tail -n 1)" -lt 128 ]
sync -f $MNT
rm $MNT/full
expect_as_before $DB/keep

echo "${pages[@]}" >/srv/mirror/pages
sync
power_cut
