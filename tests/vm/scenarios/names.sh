# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a file is healed, and called by its name, that has a newline in it, bytes which are no text, and what would clear a screen: in
# the journal, on the bus, in JSON and on a terminal, each of which gives every byte of the name back; and that it can be asked for by that
# name.
name=$'-\n9 healed\e[2J\xff\\x41 \xc3\xbc\xe2\x80\xae' folder=$'a\x80\n'
text='a\x80\x0a/-\x0a9 healed\x1b[2J\xff\x5cx41 '$'\xc3\xbc\xe2\x80\xae'
expect "the name that this text stands for" "$folder/$name" "$(printf '%b' "$text")"
fresh_db
mkdir "$DB/$folder"
file=$DB/$folder/$name
make_file "$file" 262144
ln "$file" "$DB/$folder/~"              # a second name, after the first in order
remember "$file"
cp -a "$DB/$folder" "$MIRROR/"
page=$(page_at "$file" 8192)
start_daemon
lose_ars "$file" 8192 512
wait_entry STATE=healed "OFFSET=$page"
expect_as_before "$file"

# The journal has it as text, so that nobody is shown a "blob", and its sentence is one line.
expect "in the journal" "$DB/$text" "$(field BEZOAR_FILE)"
expect "lines of the sentence" 1 "$(field MESSAGE | wc -l)"
case=$(field BEZOAR_CASE)

# JSON, of the client and as the ledger has it; and D-Bus.
expect "in JSON" "$DB/$text" "$(bezoarctl show "$case" --json=short | jq -r '.owners[0].path')"
expect "in the ledger" "$DB/$text" "$(jq -r '.owners[0].path' "/var/lib/bezoar/cases/$case.json")"
object=(org.bezoar1 "/org/bezoar1/case/$case" org.bezoar1.Case)
expect "on the bus" "$DB/$text" "$(busctl --json=short get-property "${object[@]}" Path | jq -r .data)"
expect "its names there" "$DB/$text $DB/a\\x80\\x0a/~" "$(busctl --json=short get-property "${object[@]}" Names | jq -r '.data | join(" ")')"

# A terminal gets no byte that moves it; what turns the writing around is no control character, and is shown like one.
shown=${text//$'\xe2\x80\xae'/\\xe2\\x80\\xae}
for verb in show explain; do
    COLUMNS=300 LC_ALL=C.UTF-8 script -qec "stty cols 300; bezoarctl --no-pager $verb $case" /dev/null >/run/lab/shown </dev/null
    # what is too long for a line goes on in the next one
    [[ $(tr -s '\r\n ' ' ' </run/lab/shown) == *"$shown"* ]] || fail "$verb shows another name: $(cat -v /run/lab/shown)"
    if sed 's/\x1b\[[0-9;]*m//g' /run/lab/shown | tr -d '\r\n\t' | LC_ALL=C grep -q '[[:cntrl:]]'; then
        fail "$verb moves the terminal: $(cat -v /run/lab/shown)"
    fi
done

# By its bytes.
expect "what is asked about" "$DB/$text" "$(bezoarctl plan "$file" 8192 4096 --json=short | jq -r .target)"
