# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What scenarios of the daemon are written with, on top of lib.sh. Most of them go: fresh_db, start_daemon, lose_ars or
# lose_mce, expect_healed or expect_refused.

DB=$MNT/db                      # the protected folder
MIRROR=/srv/mirror/db           # its copy, on the root file system

# MESSAGE_IDs of daemon/util/log-ids.h. An alert keeps its id for ever, so they are written down a second time here.
declare -A ID=(
    [accepted]=9b93bb5c4138ffb079706f77a3efb39d
    [healed-unproved]=517e497af5104132eefebdde3270c934
    [config-bad]=74d8363dba6055244ec7111f75f9f381
    [free-page-absent]=1f5b7b47ebe7942f3e0bf7227b14b0e4
    [parked]=c7e1b0f24d8a4a3b9f5d6e21a0b94c58
    [found]=cf1555b0b639b87ae89f60f7f6d7aae1
    [dimm-health]=7816281c7c559ac54cbfaa6efa54d009
    [healed]=5de66c27994b7a8bea4396f3b379c827
    [refused]=a63e129e2772e31969e3e178d0904a6c
    [stale]=a3d6552801a888f4e06abc19ddcc482e
    [waiting]=534b2d5038a7d74bcf30ff9c7d435683
)

FS=xfs                          # or ext4, for fresh_db
XFS_OPTIONS=()                  # of mkfs.xfs, for fresh_db
EXT4_OPTIONS=()                 # of mkfs.ext4

# --- files, and what they were

# fresh_db NAME BYTES…: a new file system with these files in $DB, a copy of them in $MIRROR, and a protect file.
fresh_db() {
    follow_journal
    case $FS in
        xfs) fresh_xfs "${XFS_OPTIONS[@]}" ;;
        ext4) fresh_ext4 "${EXT4_OPTIONS[@]}" ;;
    esac
    mkdir -p "$DB" /run/lab/was
    while [ $# -gt 0 ]; do
        make_file "$DB/$1" "$2"
        remember "$DB/$1"
        shift 2
    done
    mkdir -p "${MIRROR%/*}"
    cp -a "$DB" "$MIRROR"
    protect db "Path=$DB" "Replica=mirror:$MIRROR"
}

# fate FILE: all that must be the same after a repair.
fate() {
    echo "$(hash_of "$1") in $(extents "$1") extents, $(stat -c '%s bytes, inode %i, %y' "$1")"
}

# remember FILE: this is what expect_as_before FILE compares with.
remember() {
    fate "$1" >"/run/lab/was/${1##*/}"
}

expect_as_before() {
    expect_bytes "$1" "$(cat "/run/lab/was/${1##*/}")" "$(fate "$1")"
}

# page_at FILE OFFSET: where on its disk the page with that byte of the file is, in bytes.
page_at() {
    local at
    at=$(place "$1" "$2")
    echo $((${at#* } / 8 * 4096))
}

# Where each lost page was: asking again would open its file while it is being repaired, and cost the daemon its lease.
declare -A LOST=()

# lose_ars FILE OFFSET BYTES…: these bytes are destroyed on the medium, and the firmware finds all of them at once.
# Does not wait for badblocks: the daemon may be quicker than a look at it.
lose_ars() {
    local sector PMEM=$PMEM
    while [ $# -gt 0 ]; do
        read -r PMEM sector < <(place "$1" "$2")
        LOST["$1 $(($2 / 4096))"]="$PMEM $sector"
        destroy "$sector" $(($3 / 512))
        echo "$sector $(($3 / 512))" >>"/run/lab/poisoned.$PMEM"
        if [ $# -gt 3 ]; then
            inject "$sector" $(($3 / 512)) --no-notify
        else
            inject "$sector" $(($3 / 512)) &
        fi
        shift 3
    done
}

# lose_mce FILE OFFSET: the page is destroyed on the medium, and the CPU finds it.
lose_mce() {
    local sector page PMEM=$PMEM
    read -r PMEM sector < <(place "$1" "$2")
    LOST["$1 $(($2 / 4096))"]="$PMEM $sector"
    page=$((sector / 8 * 8))
    destroy $page 8
    take_page $page
}

# destroy_many FOLDER OFFSET: the sector with that byte of each file in a folder is destroyed on the medium; inject_many: the
# firmware finds all of these at once.
destroy_many() {
    local base medium start sector
    base=$(($(data_start))) medium=$(medium) start=$(($(sysfs "region$(region)/resource")))
    /lab/many.py places "$1" "$2" >/run/lab/places
    while read -r sector _; do
        request destroy "$medium" $((base - start + sector * 512)) 512
        echo "$((base + sector * 512)) 512" >&5
        echo "$sector 1" >>"/run/lab/poisoned.$PMEM"
    done </run/lab/places 5>>/run/lab/errors
}

inject_many() {
    /lab/many.py inject </run/lab/errors
    rm /run/lab/errors
}

# --- configuration and life of the daemon

# protect NAME SETTING=VALUE…: the protect file of that name.
protect() {
    local name=$1
    shift
    mkdir -p /etc/bezoar/protect.d
    printf '%s\n' '[Protect]' "$@" >"/etc/bezoar/protect.d/$name.conf"
}

# configure SETTING=VALUE…: settings of the daemon.
configure() {
    mkdir -p /etc/bezoar/bezoar.conf.d
    printf '%s\n' '[Bezoar]' "$@" >/etc/bezoar/bezoar.conf.d/lab.conf
}

start_daemon() {
    systemctl start bezoard.service
}

reload_daemon() {
    systemctl reload bezoard.service
}

# kill_daemon: the daemon and its workers end at once; systemd starts it again a second later.
kill_daemon() {
    systemctl kill -s KILL bezoard.service
}

# fault POINT:ACTION[=VALUE]: what a worker of a daemon that is started from now on does at that point; nothing: no more
# of it. See daemon/write/writer-filters.c.
fault() {
    if [ $# -gt 0 ]; then
        systemctl set-environment "BEZOAR_FAULT=$1"
    else
        systemctl unset-environment BEZOAR_FAULT
    fi
}

# An intent is logged, so a worker is about to write; all intents are settled.
intent_is_logged() {
    compgen -G "/var/lib/bezoar/intent/*" >/dev/null
}

no_intents() {
    ! intent_is_logged
}

clean_up_daemon() {
    fault
    systemctl unset-environment BEZOAR_FREEZE_SEC
    kill_daemon 2>/dev/null || true
    systemctl stop bezoard.service 2>/dev/null || true
    systemctl reset-failed bezoard.service 2>/dev/null || true
    rm -rf /etc/bezoar/protect.d/* /etc/bezoar/bezoar.conf.d /var/lib/bezoar/* /run/lab/was
}

# --- the story in the journal

# follow_journal: what the daemon says from now on can be asked for.
follow_journal() {
    local cursor
    cursor=$(journalctl -n 0 --show-cursor | sed -n 's/^-- cursor: //p')
    : >/run/lab/entries
    journalctl -f --no-tail -o json --after-cursor="$cursor" _SYSTEMD_UNIT=bezoard.service >/run/lab/entries 2>&1 &
    exec 7</run/lab/entries
    ENTRIES=() SEEN=0 PARTIAL=
}

collect_entries() {
    local line
    while IFS= read -r line <&7; do
        ENTRIES+=("$PARTIAL$line")
        PARTIAL=
    done
    PARTIAL+=$line
}

# has_fields JSON FIELD=VALUE…: BEZOAR_ is put in front of the names.
has_fields() {
    local pair
    for pair in "${@:2}"; do
        [[ $1 == *"\"BEZOAR_${pair%%=*}\":\"${pair#*=}\""* ]] || return 1
    done
}

# find_entry FIELD=VALUE…: makes ENTRY the newest one that has all these.
find_entry() {
    local i
    collect_entries
    for ((i = ${#ENTRIES[@]} - 1; i >= SEEN; i--)); do
        ENTRY=${ENTRIES[i]}
        ! has_fields "$ENTRY" "$@" || return 0
    done
    return 1
}

# wait_entry FIELD=VALUE…
wait_entry() {
    local tries=0
    wait_until 40 find_or_stir "$@"
}

# journalctl was seen not to be woken for the last entry, on a busy machine; any other entry wakes it.
find_or_stir() {
    ! find_entry "$@" || return 0
    tries=$((tries + 1))
    [ $((tries % 200)) != 0 ] || logger -t lab "an entry is waited for: $*"
    return 1
}

# expect_no_entry FIELD=VALUE…
expect_no_entry() {
    ! find_entry "$@" || fail "the journal should have no such entry: $ENTRY"
}

# has_entries COUNT FIELD=VALUE…: whether that many have them.
has_entries() {
    local entry n=0
    collect_entries
    for entry in "${ENTRIES[@]:SEEN}"; do
        ! has_fields "$entry" "${@:2}" || n=$((n + 1))
    done
    [ $n = "$1" ]
}

# forget_entries: what was said until now is not found any more.
forget_entries() {
    collect_entries
    SEEN=${#ENTRIES[@]}
}

# field NAME: of ENTRY.
field() {
    jq -r --arg name "$1" '.[$name] // ""' <<<"$ENTRY"
}

# expect_fields FIELD=VALUE…: ENTRY has them.
expect_fields() {
    local pair
    for pair; do
        expect "BEZOAR_${pair%%=*}" "${pair#*=}" "$(field "BEZOAR_${pair%%=*}")"
    done
}

# expect_id NAME: ENTRY is that alert.
expect_id() {
    expect MESSAGE_ID "${ID[$1]}" "$(field MESSAGE_ID)"
}

# --- how a case ends

# expect_healed FILE OFFSET [FIELD=VALUE…]: the page with that byte was healed, the file is as it was, and the journal
# has the particulars.
expect_healed() {
    local file=$1 page sector PMEM=$PMEM
    read -r PMEM sector <<<"${LOST["$1 $(($2 / 4096))"]:-$(place "$1" "$2")}"
    page=$((sector / 8 * 4096))
    wait_entry STATE=healed "FILE=$file" "OFFSET=$page"
    expect_id healed
    expect_fields "DEVICE=/dev/$PMEM" LENGTH=4096 "INODE=$(stat -c %i "$file")" "${@:3}"
    ! is_bad $((page / 512)) || fail "badblocks has the page still: $(badblocks)"
    expect_as_before "$file"
}

# expect_untouched FILE OFFSET: the sector with that byte is poisoned as before, and cannot be read.
expect_untouched() {
    local sector PMEM=$PMEM
    read -r PMEM sector < <(place "$1" "$2")
    is_bad "$sector" || fail "badblocks has it no more: $(badblocks)"
    expect "reading byte $2 of $1" EIO "$($probe read "$1" "$2" 1)"
}

# expect_refused FILE OFFSET REASON: that page was not written, and the journal says why and what to do.
expect_refused() {
    wait_entry STATE=refused "FILE=$1" "OFFSET=$(page_at "$1" "$2")" "REASON=$3"
    expect_match "the advice" "?*" "$(field BEZOAR_ADVICE)"
    expect_untouched "$1" "$2"
}
