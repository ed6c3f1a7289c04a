# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that an operator's word restores what no proof would, and nothing else: he sees the very bytes that differ; what is
# lost comes from the stale mirror, or is zero, and what survives stays; also of a page that a machine check took away, and
# when the worker is killed right after the write. Not when the mirror has changed since he looked; and nobody sees or
# decides anything whom polkit does not let.
# timeout: 240

# as USER COMMAND…
as() {
    setpriv --reuid "$1" --regid "$1" --init-groups --inh-caps=-all --reset-env "${@:2}"
}

# fails WORDS COMMAND…: it does, and says so.
fails() {
    local out status=0
    out=$("${@:2}" 2>&1) || status=$?
    expect "the exit status of ${*:2}" 1 $status
    expect_match "what ${*:2} says" "$1" "$out"
}

# alter FILE OFFSET: one byte of the mirror is another one, and its time stays.
alter() {
    touch -r "$MIRROR/$1" /run/lab/time
    dd if="$MIRROR/$1" bs=1 skip="$2" count=1 status=none | LC_ALL=C tr '\000-\377' '\001-\377\000' |
        dd of="$MIRROR/$1" bs=1 seek="$2" conv=notrunc status=none
    touch -r /run/lab/time "$MIRROR/$1"
}

# restore FILE OFFSET: and is what it was before.
restore() {
    touch -r "$MIRROR/$1" /run/lab/time
    dd if="/run/lab/original/$1" of="$MIRROR/$1" bs=1 skip="$2" seek="$2" count=1 conv=notrunc status=none
    touch -r /run/lab/time "$MIRROR/$1"
}

# refused FILE: its case, which was refused.
refused() {
    expect_refused "$DB/$1" 8192 replica-stale
    case=$(field BEZOAR_CASE)
    forget_entries
}

# expect_accepted FILE REPLICA: healed by the word of root; the file is as remembered.
expect_accepted() {
    wait_entry "CASE=$case" STATE=healed
    expect_id healed-unproved
    expect_fields "FILE=$DB/$1" "REPLICA=$2" PROOF=none
    expect_match "whose word it was" "root (uid 0*" "$(field BEZOAR_OPERATOR)"
    expect_as_before "$DB/$1"
    find_entry "CASE=$case" UID=0 || fail "the journal does not say who gave his word"
    expect_id accepted
    expect_fields "FILE=$DB/$1" "REPLICA=$2"
    expect_match "explain" "*accepted by root (uid 0*" "$(bezoarctl explain "$case")"
}

# byte FILE OFFSET: in hexadecimal digits.
byte() {
    od -An -tx1 -j "$2" -N 1 "$1" | tr -d ' \n'
}

id -u bezoar-adm >/dev/null 2>&1 || useradd -M -G adm bezoar-adm
fresh_db accept 262144 zero 262144 ignore 262144 page 262144 moved 262144 killed 262144
rm -rf /run/lab/original
cp -a $MIRROR /run/lab/original
for file in accept zero ignore moved killed; do
    alter $file 9221
done
alter page 49152
mirror=mirror:$MIRROR
start_daemon

# --- what survives and differs is shown, and what is lost comes from the mirror
lose_ars $DB/accept 8192 512
refused accept
shown=$(bezoarctl resolve "$case" --accept="$mirror" --preview --no-legend)
expect_match "what is shown" "*512 bytes are lost*, 1 are not what*" "$shown"
expect_match "the lost bytes" \
    "*00002000 - [?][?] [?][?] [?][?]*00002000 + $(byte /run/lab/original/accept 8192) $(byte /run/lab/original/accept 8193) *" "$shown"
expect_match "what survives" "*00002400 - * $(byte /run/lab/original/accept 9221) *" "$shown"
expect_match "what the mirror has" "*00002400 + * $(byte $MIRROR/accept 9221) *" "$shown"
fails "*no terminal*--yes*" bezoarctl resolve "$case" --accept="$mirror" </dev/null
fails "*does not name mirror:/srv*" bezoarctl resolve "$case" --accept=mirror:/srv --yes
fails "*polkit*" as bezoar-adm bezoarctl resolve "$case" --accept="$mirror" --preview
fails "*polkit*" as bezoar-adm bezoarctl resolve "$case" --zero --yes
expect_untouched $DB/accept 8192
bezoarctl resolve "$case" --accept="$mirror" --yes
expect_accepted accept "$mirror"

# --- zeroes, and the rest as it was
lose_ars $DB/zero 8192 512
refused zero
dd if=/dev/zero of=/run/lab/original/zero bs=512 seek=16 count=1 conv=notrunc status=none
touch -r $MIRROR/zero /run/lab/original/zero
bezoarctl resolve "$case" --zero --yes
cmp /run/lab/original/zero $DB/zero
expect "its time" "$(stat -c %y /run/lab/original/zero)" "$(stat -c %y $DB/zero)"
remember $DB/zero
expect_accepted zero zero:

# --- left alone
lose_ars $DB/ignore 8192 512
refused ignore
expect_match "what is said" "*$DB/ignore*stays lost*" "$(bezoarctl resolve "$case" --ignore)"
expect_match "whose decision it was" "*leave it alone: root (uid 0*" "$(bezoarctl explain "$case")"
expect_untouched $DB/ignore 8192

# --- the mirror has changed since it was looked at
lose_ars $DB/moved 8192 512
refused moved
action=$(bezoarctl resolve "$case" --accept="$mirror" --preview --json=short | jq -r .action)
alter moved 8200
busctl call org.bezoar1 /org/bezoar1 org.bezoar1.Manager Resolve ss "$case" "$action"
expect_refused $DB/moved 8192 not-as-shown
restore moved 8200
busctl call org.bezoar1 /org/bezoar1 org.bezoar1.Manager Resolve ss "$case" "$action"
expect_accepted moved "$mirror"

# --- a whole page, which is not present
lose_mce $DB/page 8192
wait_entry STATE=refused "FILE=$DB/page" REASON=replica-stale
case=$(field BEZOAR_CASE)
forget_entries
bezoarctl resolve "$case" --accept="$mirror" --yes
expect_accepted page "$mirror"

# --- the worker is killed when it has written
systemctl stop bezoard.service
fault after-write:kill
start_daemon
lose_ars $DB/killed 8192 512
refused killed
bezoarctl resolve "$case" --accept="$mirror" --yes || true
expect_accepted killed "$mirror"
no_intents
