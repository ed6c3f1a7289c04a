# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
# timeout: 900
#
# Proves that free space whose page a machine check took is parked: in the first group of the file system and in another one, in
# a gap of one block; that what must stay free stayed free; that the file system can then be filled to the last byte, and the
# kernel lives (kernel-free-mce.sh is the counterpart). And after the machine was started again, that the pages are cleaned and
# given back, and nothing is left of the guards.
free_bytes() {
    stat -f -c '%a' $MNT
}
parked() {
    wait_entry STATE=harmless REASON=parked "OFFSET=$(($1 * 512))"
}
guards() {
    [ ! -e $MNT/.bezoar ] || find $MNT/.bezoar -name 'park-*'
}
count_guards() {
    guards | wc -l
}
# page_of FILE OFFSET
page_of() {
    echo $(($(phys "$1" "$2") / 8 * 8))
}

if [ "$BOOT" = 2 ]; then
    follow_journal
    mount_dax
    read -r -a pages </srv/mirror/pages
    for page in "${pages[@]}"; do
        poison_ars "$page" 8
    done
    start_daemon
    for page in "${pages[@]}"; do
        wait_entry STATE=healed "OFFSET=$((page * 512))" WRITER=park
        expect "reading the page" "ok 4096" "$($probe read /dev/pmem0 $((page * 512)) 4096 direct)"
    done
    expect "badblocks" "" "$(badblocks)"
    [ ! -e $MNT/.bezoar ]
    cat /dev/zero >$MNT/full 2>/dev/null || true
    sync -f $MNT
    exit
fi

fresh_db keep 65536
for i in 0 1 2 3; do
    mkdir $MNT/d$i
    make_file $MNT/d$i/f 1048576
done
pages=("$(page_of $MNT/d0/f 8192)" "$(page_of $MNT/d3/f 8192)")
rm $MNT/d0/f $MNT/d3/f
# One block between others.
pages+=("$(page_of $MNT/d1/f 40960)")
xfs_io -c "fpunch 40960 4096" $MNT/d1/f
sync -f $MNT
sync
before=$(free_bytes)

# What is wanted to stay free is all there is: nothing may be taken.
configure ParkReserve=100%
start_daemon
for page in "${pages[@]}"; do
    destroy "$page" 8
    take_page "$page"
    wait_entry STATE=waiting REASON=free-page-may-be-absent "OFFSET=$((page * 512))"
    expect_id free-page-absent
done
expect "guards" 0 "$(count_guards)"
expect "free blocks" "$before" "$(free_bytes)"

# How much is free while it is done is looked at all the time.
(while :; do free_bytes; done >/run/lab/free) &
watcher=$!
configure ParkReserve=50%
reload_daemon
for page in "${pages[@]}"; do
    parked "$page"
    expect_id parked
    is_bad "$page" 8
done
kill $watcher
least=$(sort -n /run/lab/free | head -n 1)
[ "$least" -ge $(($(stat -f -c '%b' $MNT) / 2)) ] || fail "only $least blocks were free"
expect "guards" 3 "$(count_guards)"
expect "the folder" "700 root" "$(stat -c '%a %U' $MNT/.bezoar)"
[ "$(free_bytes)" -ge $((before - 64)) ] || fail "parking costs $((before - $(free_bytes))) blocks"

cat /dev/zero >$MNT/full 2>/dev/null || true
sync -f $MNT
[ "$(df --output=avail -B4096 $MNT | tail -n 1)" -lt 128 ]
rm $MNT/full
expect_as_before $DB/keep
systemctl is-active bezoard.service

# Asked again, it stays as it is; and again after a restart.
forget_entries
systemctl restart bezoard.service
bezoarctl rescan
sleep 3
expect_no_entry STATE=repairing
expect "guards" 3 "$(count_guards)"

echo "${pages[@]}" >/srv/mirror/pages
sync
power_cut
