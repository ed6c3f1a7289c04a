# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# timeout: 1200
#
# How long it takes from the moment when the kernel lists a bad sector until the file is whole again, by the daemon and by
# hand, in one and the same boot, with the same files and the same mirror. By hand, the clock starts with the first command.
# And the same for each way of writing, with the time for which the file system was frozen where it was.
. /lab/daemon.sh
ROUNDS=20 BY_HAND=10 BY_WRITER=10
file=$DB/ledger.db

# median and extremes of numbers, one a line, given in microseconds
summary() {
    sort -n | awk '{v[NR] = $1 / 1000} END {printf "median %.1f ms (%.1f to %.1f, n = %d)", v[int((NR + 1) / 2)], v[1], v[NR], NR}'
}

median() {
    sort -n "$1" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}

# watch_list COMMAND…: it makes the kernel list something; the time at which it does is noted.
watch_list() {
    $probe watch-list /sys/block/$PMEM/badblocks >/run/lab/list &
    WATCHER=$!
    wait_until 10 test -s /run/lab/list
    "$@"
}

# lose OFFSET: one sector of the file.
lose() {
    watch_list lose_ars $file "$1" 512
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

# measure_writer WRITER FILE STEP COMMAND…: COMMAND, with the file and an offset, loses a sector or a page of it.
measure_writer() {
    local writer=$1 target=$2 step=$3 i offset
    shift 3
    : >"/run/lab/$writer" >"/run/lab/$writer.frozen"
    for i in $(seq $BY_WRITER); do
        offset=$((i * step))
        page=$(page_at "$target" $offset)
        set +x
        watch_list "$@" "$target" $offset 512
        wait_entry STATE=healed "FILE=$target" "OFFSET=$page"
        set -x
        expect_fields "WRITER=$writer"
        echo $(($(field _SOURCE_REALTIME_TIMESTAMP) - $(listed_at))) >>"/run/lab/$writer"
        [ -z "$(field BEZOAR_FROZEN_USEC)" ] || field BEZOAR_FROZEN_USEC >>"/run/lab/$writer.frozen"
        forget_entries
    done
    cmp "$target" "$MIRROR/${target##*/}"
}

for name in open.db away.db shared.db; do
    make_file "$DB/$name" 2097152
    cp -a "$DB/$name" "$MIRROR/"
done
exec 9<>"$DB/open.db"                   # so that there is no lease
measure_writer block "$DB/open.db" 81920 lose_ars
exec 9>&-
measure_writer revive "$DB/away.db" 81920 lose_mce
xfs_io -f -c "reflink $DB/shared.db 0 0 2097152" $MNT/snapshot >/dev/null
sync -f $MNT
measure_writer clone "$DB/shared.db" 81920 lose_mce

say "heal-latency: one sector, from listed to read back and recorded"
say "  bezoard  $(summary </run/lab/daemon)"
say "  by hand  $(summary </run/lab/by-hand)"
say "  by hand / bezoard: $(awk -v a="$(median /run/lab/by-hand)" -v b="$(median /run/lab/daemon)" 'BEGIN {printf "%.1f", a / b}')"
for writer in block revive clone; do
    say "  $writer  $(summary <"/run/lab/$writer")"
    [ ! -s "/run/lab/$writer.frozen" ] || say "    of that frozen  $(summary <"/run/lab/$writer.frozen")"
done
