# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a daemon that only observes tells what it would do and writes nothing, neither to the file nor to the
# device; and that it repairs as soon as it may.
fresh_db a 262144 b 262144
configure Mode=observe
start_daemon
lose_ars $DB/a 8192 512
lose_mce $DB/b 8192
for file in a b; do
    wait_entry STATE=waiting "FILE=$DB/$file" REASON=observe
    expect_match "what the journal says" "*would be restored from mirror:$MIRROR*" "$(field MESSAGE)"
    expect_untouched $DB/$file 8192
done
sleep 2
expect_untouched $DB/a 8192
expect_untouched $DB/b 8192
no_intents

configure Mode=repair
reload_daemon
expect_healed $DB/a 8192
expect_healed $DB/b 8192
