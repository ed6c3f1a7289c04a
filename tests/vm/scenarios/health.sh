# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that an alarm of a memory module, notified by ACPI, is told at once and no case opened; that it is told when it is over;
# that one which is there before the daemon is found at its start; and that a module without SMART, as nmem1, is silent.
# timeout: 240

# inject OPTION…: the first module changes its mind.
inject_smart() {
    ndctl inject-smart nmem0 "$@" >/dev/null
}

follow_journal
fresh_xfs
expect "the family of nmem0, Intel's" 0 "$(sysfs nmem0/nfit/family)"
start_daemon
wait_until 20 eval 'bezoarctl volumes --json=short | grep -q pmem0'
/usr/lib/bezoar/bezoar-worker health >/run/lab/health
expect "a module that is well, and one that cannot be asked" '[["nmem0",true,0],["nmem1",null,0]]' \
    "$(jq -c '.dimms | sort_by(.dimm) | map([.dimm, .known, (.alarms | length)])' /run/lab/health)"
expect_no_entry DIMM=nmem0
expect_no_entry DIMM=nmem1

inject_smart --fatal
wait_entry DIMM=nmem0 ALARM=fatal
expect MESSAGE_ID "${ID[dimm-health]}" "$(field MESSAGE_ID)"
expect PRIORITY 2 "$(field PRIORITY)"
expect BEZOAR_DEVICE /dev/pmem0 "$(field BEZOAR_DEVICE)"
expect "cases" "[]" "$(bezoarctl list --json=short)"

inject_smart --fatal-uninject
wait_until 40 grep -q "no longer has the alarm: fatal" /run/lab/entries

systemctl stop bezoard.service
inject_smart --spares=5
forget_entries
start_daemon
wait_entry DIMM=nmem0 ALARM=spares
expect PRIORITY 4 "$(field PRIORITY)"
inject_smart --spares-uninject
wait_until 40 grep -q "no longer has the alarm: spares" /run/lab/entries
expect_no_entry DIMM=nmem1
