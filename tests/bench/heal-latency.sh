# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# timeout: 900
#
# How long it takes from the moment when the kernel lists a bad sector until the file is whole again, by the daemon and by
# hand, in one and the same boot, with the same files and the same mirror. By hand, the clock starts with the first command.
. /lab/daemon.sh
ROUNDS=20 BY_HAND=10
file=$DB/ledger.db

# median and extremes of numbers, one a line, given in microseconds
summary() {
    sort -n | awk '{v[NR] = $1 / 1000} END {printf "median %.1f ms (%.1f to %.1f, n = %d)", v[int((NR + 1) / 2)], v[1], v[NR], NR}'
}

median() {
    sort -n "$1" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}

# lose OFFSET: one sector; the time at which the kernel lists it is noted.
lose() {
    $probe watch-list /sys/block/$PMEM/badblocks >/run/lab/list &
    WATCHER=$!
    wait_until 10 test -s /run/lab/list
    lose_ars $file "$1" 512
}

is_listed() {
    grep -q ' listed$' /run/lab/list
}

# listed_at: that time, in microseconds.
listed_at() {
    kill $WATCHER
    sed -n '/ listed$/ {s/ .*//; s/\.//; p; q}' /run/lab/list
}

# The procedure that operators are told: which blocks, whose, which file, copy the page back, read it.
heal_by_hand() {
    local sector map inode path page
    sector=$(ndctl list -M -n namespace0.0 | jq '[.] | flatten[0].badblocks[0].offset')
    map=$(xfs_io -c "fsmap -d $sector $sector" $MNT | grep inode)
    # 0: 259:0 [192..8383]: inode 132 data 0..8191 8192
    [[ $map =~ \[([0-9]+)\..*inode\ ([0-9]+)\ data\ ([0-9]+) ]]
    inode=${BASH_REMATCH[2]} page=$(((sector - BASH_REMATCH[1] + BASH_REMATCH[3]) / 8))
    path=$(find $MNT -xdev -inum "$inode")
    dd if="$MIRROR/${path#"$DB"/}" of="$path" bs=4096 skip=$page seek=$page count=1 conv=notrunc,fsync status=none
    dd if="$path" bs=4096 skip=$page count=1 status=none >/dev/null
    no_badblocks
}

fresh_db ledger.db 4194304 catalog.db 1048576
for i in $(seq 200); do
    echo "$i" >"$DB/note$i"
done
cp -a "$DB"/note* "$MIRROR/"

: >/run/lab/by-hand
for i in $(seq $BY_HAND); do
    lose $((i * 40960))
    wait_until 20 is_listed
    kill $WATCHER
    set +x
    start=${EPOCHREALTIME/./}           # how long it takes until somebody types is not counted
    heal_by_hand
    echo $((${EPOCHREALTIME/./} - start)) >>/run/lab/by-hand
    set -x
    cmp $file "$MIRROR/ledger.db"
done
touch -r "$MIRROR/ledger.db" "$file"    # dd has touched it

start_daemon
: >/run/lab/daemon
for i in $(seq $ROUNDS); do
    offset=$((i * 81920))
    set +x                              # nothing but waiting goes on beside the daemon
    lose $offset
    wait_entry STATE=healed "FILE=$file" "OFFSET=$(page_at $file $offset)"
    set -x
    echo $(($(field _SOURCE_REALTIME_TIMESTAMP) - $(listed_at))) >>/run/lab/daemon
    forget_entries
done
cmp $file "$MIRROR/ledger.db"

say "heal-latency: one sector, from listed to read back and recorded"
say "  bezoard  $(summary </run/lab/daemon)"
say "  by hand  $(summary </run/lab/by-hand)"
say "  by hand / bezoard: $(awk -v a="$(median /run/lab/by-hand)" -v b="$(median /run/lab/daemon)" 'BEGIN {printf "%.1f", a / b}')"
