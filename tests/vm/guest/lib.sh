# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What scenarios are written with. Runs in the guest, under bash -euE -o pipefail, each command traced.
# A SECTOR is a 512-byte sector of /dev/pmem0 (or of /dev/$PMEM).

MNT=/srv/pmem
PMEM=pmem0
PS4='+${EPOCHREALTIME:6:8} '
probe=/lab/tools/lab-probe
# shellcheck source=tests/vm/guest/layout.sh
. "${BASH_SOURCE[0]%/*}/layout.sh"
# shellcheck source=tests/vm/guest/daemon.sh
. "${BASH_SOURCE[0]%/*}/daemon.sh"

# --- the ends of a scenario

begin() {
    trap 'failed_command "$BASH_COMMAND" "$LINENO"' ERR
    set -x
    [ "$BOOT" != 1 ] || clean_up
}

# Called where a command fails that nobody asked about.
failed_command() {
    [ -e /run/lab/why ] || echo "line $2: $1" | head -n 1 >/run/lab/why
}

# fail WHAT: ends the scenario as failed.
fail() {
    { set +x; } 2>/dev/null
    echo "FAIL: $*"
    [ -e /run/lab/why ] || echo "$*" | tr '\n' ' ' >/run/lab/why
    exit 1
}

# skip WHY: ends the scenario as skipped.
skip() {
    echo "$*" >/run/lab/why
    exit 77
}

# expect WHAT EXPECTED GOT: the two must be equal.
expect() {
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}

# expect_bytes WHAT EXPECTED GOT: the same where it is data, about which there is no second try.
expect_bytes() {
    [ "$2" = "$3" ] || fail "wrong bytes: $1: expected '$2', got '$3'"
}

# same_bytes FILE FILE
same_bytes() {
    cmp "$1" "$2" || fail "wrong bytes: $1 and $2 differ"
}

# expect_match WHAT PATTERN GOT: GOT must match the shell pattern.
expect_match() {
    # shellcheck disable=SC2053
    [[ $3 == $2 ]] || fail "$1: expected '$2', got '$3'"
}

# wait_until SECONDS COMMAND…: runs COMMAND until it succeeds. Its tries are not traced. SECONDS are those of a machine that does
# nothing else.
wait_until() {
    local seconds=$(($1 * ${PATIENCE:-1})) traced=$-
    local end=$((${EPOCHREALTIME/./} + seconds * 1000000))
    shift
    { set +x; } 2>/dev/null
    until "$@"; do
        [ "${EPOCHREALTIME/./}" -lt "$end" ] || fail "not within $seconds seconds: $*"
        sleep 0.05
    done
    [[ $traced != *x* ]] || set -x
}

# since VERSION: whether the kernel is that one or a later one.
since() {
    [ "$(printf '%s\n' "$1" "$(uname -r)" | sort -V | head -n 1)" = "$1" ]
}

# --- the host

# request WORD…: asks the host, which answers "ok …" or "error …".
request() {
    local answer
    echo "$*" >&3
    read -r answer <&3
    [[ $answer == ok* ]] || fail "host, asked for '$*': $answer"
}

# power_cut: the machine is gone at once. The scenario is run again from its start, with BOOT one higher.
power_cut() {
    request power-cut
}

# say TEXT…: a line for the person in front of the host (contrib/demo).
say() {
    request say "$*"
}

# --- the medium

sysfs() {
    cat "/sys/bus/nd/devices/$1"
}

# namespace: of /dev/$PMEM. region: its number. medium: that of the NVDIMM, as the host counts; regions may come in another order.
namespace() {
    case $PMEM in
        *.*) echo "namespace${PMEM#pmem}" ;;
        *) echo "namespace${PMEM#pmem}.0" ;;
    esac
}

region() {
    local number=${PMEM#pmem}
    echo "${number%%.*}"
}

medium() {
    local nmem
    nmem=$(sysfs "region$(region)/mapping0")
    echo $(($(sysfs "${nmem%%,*}/nfit/handle") - 1))
}

# data_start: physical address of the first sector of /dev/$PMEM. Which pfn (or dax) device it is depends on the boot; a
# raw namespace has none.
data_start() {
    local claim
    for claim in /sys/bus/nd/devices/{pfn,dax}"$(region)".*; do
        if [ "$(cat "$claim/namespace" 2>/dev/null)" = "$(namespace)" ]; then
            cat "$claim/resource"
            return
        fi
    done
    sysfs "$(namespace)/resource"
}

# prepare_media: makes every NVDIMM an fsdax namespace, but one with labels, which is empty. Done once a boot; what survived a
# power cut is left alone.
prepare_media() {
    local region i
    modprobe -a nfit nd_pmem
    udevadm settle
    for region in /sys/bus/nd/devices/region*; do
        i=${region##*/region}
        [ "$(sysfs "namespace$i.0/size")" != 0 ] || continue
        [ "$(sysfs "namespace$i.0/mode")" = memory ] || ndctl create-namespace -f -e "namespace$i.0" -m fsdax >/dev/null
        wait_until 20 test -b "/dev/pmem$i"
    done
}

# clean_up: whatever the last scenario left. Nothing of it may be seen by the next.
clean_up() {
    local i
    [ ! -e /run/lab/media-changed ] || request renew
    let_go
    clean_up_daemon
    awk '$1 ~ /^\/dev\/(pmem|mapper)/ {print $2}' /proc/mounts | tac | xargs -r umount
    rm -rf /srv/mirror /run/lab/hold.* /run/lab/errors
    for i in 0 1; do
        [ ! -e /run/lab/poisoned.pmem$i ] || PMEM=pmem$i heal_medium
    done
    clean_up_layout
}

# let_go: what a scenario has made hang, so that it can be taken down.
let_go() {
    [ ! -e /run/lab/frozen ] || xfs_freeze -u $MNT 2>/dev/null || true
    [ ! -e /dev/mapper/lab-hung ] || dmsetup resume lab-hung
    rm -f /run/lab/frozen
    echo 120 >/proc/sys/kernel/hung_task_timeout_secs
}

# heal_medium: takes all poison from the unmounted /dev/$PMEM. A page that a machine check took away, and that nobody
# brought back, stays away as long as this kernel runs, and crashes it when it is written to: then another machine is needed.
heal_medium() {
    local n=${PMEM#pmem} sector count
    : >>"/run/lab/taken.$PMEM"
    while read -r sector; do
        [ "$($probe read "/dev/$PMEM" $((sector * 512)) 4096 direct)" = "ok 4096" ] || request renew
    done <"/run/lab/taken.$PMEM"
    while read -r sector count; do      # the firmware's list
        ndctl inject-error -d -B ACPI.NFIT --block="$sector" --count="$count" "namespace$n.0" >/dev/null
    done <"/run/lab/poisoned.$PMEM"
    while read -r sector count; do      # the kernel's
        dd if=/dev/zero of="/dev/$PMEM" bs=4096 seek=$((sector / 8)) count=$(((sector + count + 7) / 8 - sector / 8)) \
            oflag=direct conv=notrunc status=none
    done < <(badblocks)                # in one piece, as every write changes it
    expect "badblocks of $PMEM after cleaning up" "" "$(badblocks)"
    rm -f "/run/lab/poisoned.$PMEM" "/run/lab/taken.$PMEM"
}

# badblocks: what the kernel knows of, "SECTOR COUNT" a line.
badblocks() {
    cat "/sys/block/$PMEM/badblocks"
}

# is_bad SECTOR [COUNT]: whether all of that is in badblocks.
is_bad() {
    local start count
    while read -r start count; do
        [ $((start <= $1 && $1 + ${2:-1} <= start + count)) = 0 ] || return 0
    done <"/sys/block/$PMEM/badblocks"
    return 1
}

no_badblocks() {
    [ -z "$(badblocks)" ]
}

# destroy SECTOR [COUNT]: overwrites the bytes on the medium, below the kernel. Poison alone loses none in this lab, so
# without this a repair that writes nothing would look right.
destroy() {
    local base
    base=$(sysfs "region$(region)/resource")
    request destroy "$(medium)" $(($(data_start) - base + $1 * 512)) $((${2:-1} * 512))
}

# poison_ars SECTOR [COUNT [SECTOR COUNT]…]: the firmware finds errors and tells the kernel, once for all of them.
poison_ars() {
    local sector=$1 count=${2:-1}
    echo "$sector $count" >>"/run/lab/poisoned.$PMEM"
    if [ $# -gt 2 ]; then
        inject "$sector" "$count" --no-notify
        shift 2
        poison_ars "$@"
    else
        inject "$sector" "$count" &         # it would wait for seconds after the scrub
    fi
    wait_until 20 is_bad "$sector" "$count"
}

inject() {
    ndctl inject-error -B ACPI.NFIT --block="$1" --count="$2" ${3:+"$3"} "$(namespace)" >/dev/null
}

# poison_mce SECTOR: the CPU finds an error; the kernel takes the whole page away.
poison_mce() {
    local page=$(($1 / 8 * 8))
    take_page $page
    wait_until 20 is_bad $page 8
}

# take_page SECTOR: the same, without waiting for badblocks.
take_page() {
    : >>"/run/lab/poisoned.$PMEM"
    echo "$1" >>"/run/lab/taken.$PMEM"
    request mce $(($(data_start) + $1 * 512))
}

# --- file systems and files

FS_DEVICE=                      # what the file system is made on; empty: /dev/$PMEM
MOUNT_OPTIONS=dax=always

# fresh_xfs [OPTION…]: a new XFS with rmapbt, mounted for DAX at $MNT. OPTIONs are those of mkfs.xfs.
fresh_xfs() {
    mkfs.xfs -q -f -m rmapbt=1 "$@" "${FS_DEVICE:-/dev/$PMEM}"
    mount_dax
}

# fresh_ext4 [OPTION…]: the same with ext4. OPTIONs are those of mkfs.ext4.
fresh_ext4() {
    mkfs.ext4 -q -F -b 4096 "$@" "${FS_DEVICE:-/dev/$PMEM}"
    mount_dax
}

mount_dax() {
    mkdir -p $MNT
    mount -o $MOUNT_OPTIONS "${FS_DEVICE:-/dev/$PMEM}" $MNT
}

# make_file PATH BYTES: random contents, in as few extents as possible.
make_file() {
    head -c "$2" /dev/urandom >"$1"
    sync -f "$1"
}

# phys FILE OFFSET: the sector of the file system's device that holds that byte of the file. place: of which disk it is
# which sector, "pmem0 4711".
phys() {
    $probe phys "$1" "$2"
}

place() {
    below "${FS_DEVICE:-/dev/$PMEM}" "$(phys "$1" "$2")"
}

# extents FILE: how many pieces it is in.
extents() {
    $probe extents "$1"
}

hash_of() {
    sha256sum <"$1" | cut -d ' ' -f 1
}

# has_dax FILE: "yes" or "no". Opens it.
has_dax() {
    local attributes
    attributes=$(xfs_io -r -c "statx -r" "$1" | sed -n 's/^stat.attributes = //p')
    if [ $((attributes & 0x200000)) != 0 ]; then echo yes; else echo no; fi
}

# hold_map FILE OFFSET: a process that keeps the page mapped, and stores to nothing. hold_pmd: with a 2 MiB entry.
hold_map() {
    hold map "$1" "$2"
}

hold_pmd() {
    hold pmd "$1" "$2"
}

# The process says on its standard output that it has the page; HOLDER is its number.
hold() {
    local out=/run/lab/hold.$RANDOM
    $probe "hold-$1" "${@:2}" >$out &
    HOLDER=$!
    wait_until 10 test -s $out
    expect_match "what the holder of $2 says" "holding*" "$(cat $out)"
}

# --- the journal

# journal FIELD=VALUE…: entries of this boot that have them, newest last, one JSON object a line.
journal() {
    journalctl -b --no-pager -o json "$@"
}

# journal_case: the newest entry of the daemon that belongs to a case, with the given MESSAGE_ID if there is one.
journal_case() {
    journalctl -b --no-pager -o json "$@" _COMM=bezoard | jq -c 'select(.BEZOAR_CASE)' | tail -n 1
}
