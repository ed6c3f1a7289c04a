# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 240
# disk: volatile
# by name: yes
#
# Proves that at random moments of repairs by each writer, and between clearing and copying, the power can be cut: then the
# poison is still there, or the right data is, or an intent tells of it; all is healed afterwards, nothing newer is
# overwritten, and in doubt is only what is. What was written to the disk with the state folder and not flushed is lost, too.
#
# One cut is one boot: it is judged, and the next one is prepared. How many there are, and from which seed their moments are
# drawn: tests/vm/run --count, --seed.
KINDS=(pwrite revive block pwrite-ext4 punch)
PAGES=6                         # each of another file
KEPT=/srv/cuts                  # survives: what was lost where, and what the files must have
STATE=/var/lib/bezoar

kind_of() {                     # BOOT: of the cut at its end
    echo "${KINDS[$((($1 - 1) % ${#KINDS[@]}))]}"
}

# --- before a cut

make_files() {
    local i
    case $1 in
        *-ext4) fresh_ext4 ;;
        *) fresh_xfs ;;
    esac
    mkdir -p $DB "${MIRROR%/*}"
    for ((i = 0; i < PAGES; i++)); do
        head -c 65536 /dev/urandom >$DB/$i
    done
    case $1 in
        block | clone) cp -a --reflink=always $DB $MNT/snapshot ;;
    esac
    cp -a $DB $MIRROR
    case $1 in
        punch) protect db "Path=$DB" "Replica=mirror:$MIRROR" Writer=punch ;;
        *) protect db "Path=$DB" "Replica=mirror:$MIRROR" ;;
    esac
    rm -rf $KEPT
    mkdir -p $KEPT
    cp -a $MIRROR $KEPT/truth
}

# One page of each file: a sector or two of it by ARS, all of it by machine check.
lose_pages() {
    local i page sector offset base n
    base=$(($(data_start) - $(sysfs "region$(region)/resource")))
    local -a lost=()
    RANDOM=$(draw 0 32767)
    for ((i = 0; i < PAGES; i++)); do
        offset=$((RANDOM % 16 * 4096))
        page=$(phys $DB/$i $offset)
        echo "$i $offset $((page * 512))" >>$KEPT/lost
        case $1 in
            revive | clone)
                request destroy 0 $((base + page * 512)) 4096
                poison_mce "$page"
                ;;
            *)
                n=$((1 + RANDOM % 2))
                sector=$((page + RANDOM % 7))
                request destroy 0 $((base + sector * 512)) $((n * 512))
                lost+=("$sector" "$n")
                ;;
        esac
    done
    [ ${#lost[@]} = 0 ] || poison_ars "${lost[@]}"
}

cut_between() {
    local nth
    nth=$(draw 1 $PAGES)
    echo "$1 between clearing and copying, the time $nth" >$KEPT/cut
    sync
    cut_at_clearing "$nth"
    systemctl start --no-block bezoard.service
    wait_until 60 false
}

# In or soon after the repair of a page that is drawn, or before the first.
cut_in_time() {
    local nth span=3000000 said
    nth=$(draw 0 $PAGES)
    echo "$1 in the time of page $nth" >$KEPT/cut
    mkdir -p -m 700 $STATE/intent
    sync
    if [ "$nth" != 0 ]; then
        exec {said}< <(exec $probe await-names $STATE/intent "$nth")
        read -r <&"$said"
    fi
    systemctl start --no-block bezoard.service
    if [ "$nth" != 0 ]; then
        read -r span <&"$said"
        span=$((span ? span + span / 4 : 250000))
    fi
    cut_within $span
}

prepare() {
    make_files "$1"
    lose_pages "$1"
    case $1:$(((BOOT + (BOOT - 1) / ${#KINDS[@]}) % 2)) in
        clone:* | punch:* | *:0) cut_in_time "$1" ;;    # the former two clear nothing
        *) cut_between "$1" ;;
    esac
}

# --- after a cut

look() {
    /lab/look "$1" $KEPT/truth <$KEPT/lost
}

# outcomes: "STATE START LENGTH" of each case in the ledger.
outcomes() {
    find $STATE/cases -name '[0-9]*.json' -exec jq -r '"\(.state) \(.range.start) \(.range.length)"' {} +
}

# outcome_of PAGE: the states of the cases that it belongs to, or nothing.
outcome_of() {
    local state start length
    while read -r state start length; do
        [ $((start <= $1 && $1 < start + length)) = 0 ] || echo "$state"
    done <<<"$OUTCOMES"
}

intent_of() {
    printf '%s/intent/pmem0-%016x' $STATE "$1"
}

# As the cut has left it: poison, or right data, or an intent; and the ledger claims nothing that is not so.
judge_cut() {
    local file offset page state
    OUTCOMES=$(outcomes)
    while read -r file offset page state; do
        N[$state]=$((${N[$state]:-0} + 1))
        if [ "$state" = wrong ] && { [ "$page" = - ] || [ ! -e "$(intent_of "$page")" ]; }; then
            fail "wrong bytes: file $file, offset $offset: neither poison nor right data nor an intent"
        fi
        [ "$state" = right ] || [[ $(outcome_of "$page") != *healed* ]] ||
            fail "wrong bytes: file $file, offset $offset: $state, and the ledger says healed"
        [ "$page" = - ] || [ ! -e "$(intent_of "$page")" ] || N[intents]=$((${N[intents]:-0} + 1))
    done < <(look $DB)
    [ "$(find $STATE/intent -name 'pmem0-*' | wc -l)" = "${N[intents]:-0}" ] || fail "wrong bytes: an intent of another page"
}

# Somebody writes newer data before the daemon looks, to pages with an intent, and to one page that the cut has not touched.
write_newer() {
    local file offset page state
    RANDOM=$(draw 0 32767)
    while read -r file offset page state; do
        { [ -e "$(intent_of "$page")" ] && [ $((RANDOM % 2)) = 1 ]; } || [ "$file" = 0 ] || continue
        head -c 4096 /dev/urandom >$KEPT/newer
        # who shares lost bytes with others cannot write them
        dd if=$KEPT/newer of="$DB/$file" bs=4096 seek=$((offset / 4096)) conv=notrunc,fsync status=none 2>/dev/null || continue
        dd if=$KEPT/newer of="$KEPT/truth/$file" bs=4096 seek=$((offset / 4096)) conv=notrunc status=none
        echo "$page" >>$KEPT/written
    done < <(look $DB)
}

is_newer() {
    grep -qsx "$1" $KEPT/written
}

# Nothing is listed (but for punch, which leaves it in free space), all cases have their outcome, and all intents theirs.
is_settled() {
    local name
    [ -z "$(<"/sys/block/$PMEM/badblocks")" ] || grep -q ^punch $KEPT/cut || return 1
    ! compgen -G "$STATE/intent/.ended-*" >/dev/null || return 1
    OUTCOMES=$(outcomes)
    ! grep -qvE '^(healed|gone|harmless|in-doubt) ' <<<"$OUTCOMES" || return 1
    for name in $(cd $STATE/intent && { compgen -G 'pmem0-*' || true; }); do
        [[ $(outcome_of $((0x${name#pmem0-}))) == *in-doubt* ]] || return 1
    done
}

# Everything was healed, newer data is there, and every page has its case.
judge_healing() {
    local file offset page state said
    wait_until 90 is_settled
    while read -r file offset page state; do
        [ "$state" = right ] || fail "wrong bytes: file $file, offset $offset: $state"
        said=$(outcome_of "$page")
        [ -n "$said" ] || is_newer "$page" || fail "file $file, offset $offset: no case in the ledger"
        case $said in
            *in-doubt*)
                is_newer "$page" || fail "file $file, offset $offset is in doubt, and nobody has written to it"
                N[in-doubt]=$((${N[in-doubt]:-0} + 1))
                ;;
            *) [ ! -e "$(intent_of "$page")" ] || fail "file $file, offset $offset: its intent is left" ;;
        esac
    done < <(look $DB)
    timeout 60 touch $MNT/thawed || fail "the file system is frozen"
    for file in $MNT/snapshot/*; do
        # Where somebody wrote newer data to the other file, only this one has the block that was cleared, and that is in doubt.
        [ ! -e "$file" ] || cmp "$file" "$MIRROR/${file##*/}" || grep -q "^in-doubt " <<<"$OUTCOMES" || fail "wrong bytes: $file"
    done
}

judge() {
    local -A N=()
    poison_again
    mount_dax
    judge_cut
    write_newer
    start_daemon
    judge_healing
    say "cut $((BOOT - 1)): $PAGES pages, $(cat $KEPT/cut):" \
        "${N[lost]:-0} lost, ${N[right]:-0} right, ${N[wrong]:-0} cleared only, ${N[intents]:-0} with an intent;" \
        "then $(grep -cs . $KEPT/written || true) written by others, ${N[in-doubt]:-0} in doubt"
}

# What clean_up does, as far as there is anything to do here: each boot costs enough.
start_over() {
    systemctl stop bezoard.service
    umount $MNT
    rm -rf ${STATE:?}/* /srv/mirror /run/lab/poisoned.*
}

if [ "$BOOT" != 1 ]; then
    judge
    start_over
fi
[ "$BOOT" -gt $((COUNT ? COUNT : 4)) ] || prepare "$(kind_of "$BOOT")"
