# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves, with the real bus, polkit and systemd, what the person on call meets: whoever has stopped the daemon is not overruled
# by a look at it, and a call that wants to starts it; it is ready when it can be asked; a user without rights is refused with a sentence
# and nothing else, the group adm may ask and change nothing, unless polkit is told so; root may; and the journal, the
# exit status and NotifyUnit= say that somebody is wanted.
# timeout: 300

# try COMMAND…: STATUS and OUT are what became of it.
try() {
    STATUS=0
    OUT=$("$@" 2>&1) || STATUS=$?
}

# as USER COMMAND…
as() {
    setpriv --reuid "$1" --regid "$1" --init-groups --inh-caps=-all --reset-env "${@:2}"
}

activity() {
    systemctl is-active bezoard || true
}

manager=(org.bezoar1 /org/bezoar1 org.bezoar1.Manager)
id -u bezoar-guest >/dev/null 2>&1 || useradd -M bezoar-guest
id -u bezoar-adm >/dev/null 2>&1 || useradd -M -G adm bezoar-adm

# --- not running
try bezoarctl status
expect "the exit status without a daemon" 1 $STATUS
expect_match "what it says" "*bezoard is not running*systemctl start bezoard*" "$OUT"
try as bezoar-guest busctl call "${manager[@]}" ListVolumes
expect "a user without rights, asking" 1 $STATUS
expect "looked at, the daemon is" inactive "$(activity)"

# --- started by a call that wants it, and ready when it says so
expect_match "the answer of a daemon that was not there" 's "*"' "$(busctl get-property "${manager[@]}" Version)"
expect "called, the daemon is" active "$(activity)"
systemctl stop bezoard
systemctl start bezoard
busctl --auto-start=no get-property "${manager[@]}" Mode
busctl introspect org.bezoar1 /org/bezoar1 >/run/lab/introspection
for member in .ListCases .Explain .Plan .SetMode .CaseClosed .OpenCases; do
    grep -q "^$member " /run/lab/introspection || fail "introspection has no $member"
done

# --- a case that wants somebody
mkdir -p /run/systemd/system
printf '[Service]\nType=oneshot\nExecStart=touch /run/lab/told.%%i\n' >/run/systemd/system/lab-told@.service
systemctl daemon-reload
rm -f /run/lab/told.*
fresh_db a 262144 b 262144
rm /etc/bezoar/protect.d/db.conf
configure NotifyUnit=lab-told@.service
reload_daemon
wait_until 30 eval 'bezoarctl volumes --json=short | grep -q "$MNT"'
try bezoarctl status
expect "the exit status when all is well" 0 $STATUS
lose_ars $DB/a 8192 512
expect_refused $DB/a 8192 not-protected
case=$(field BEZOAR_CASE)
wait_until 30 test -e "/run/lab/told.$case"
try bezoarctl status
expect "the exit status with an open case" 3 $STATUS
expect_match "status" "*$DB/a*" "$OUT"
expect_match "systemctl status" "*1 case open (1 refused*" "$(systemctl show -P StatusText bezoard)"
journalctl --update-catalog
expect_match "journalctl -x" "*Lost bytes on /dev/pmem0 were not restored: not-protected*What to do*" \
    "$(journalctl -x -b --no-pager -u bezoard "BEZOAR_CASE=$case" "MESSAGE_ID=${ID[refused]}")"
try bezoarctl explain "$case"
expect_match "explain" "*What you can do*" "$OUT"
for wrong in "show 999999" "show abc" "resolve $case dance" "plan /nowhere" "frobnicate"; do
    # shellcheck disable=SC2086
    try bezoarctl $wrong
    expect "the exit status of '$wrong'" 1 $STATUS
    expect_match "what '$wrong' says" "?*" "$OUT"
done

# --- who may what
try as bezoar-guest bezoarctl status
expect "the exit status for a user without rights" 1 $STATUS
expect_match "what he is told" "*only root and the group adm*" "$OUT"
try as bezoar-guest busctl introspect --xml-interface org.bezoar1 /org/bezoar1
expect "introspection for everybody" 0 $STATUS

try as bezoar-adm bezoarctl status
expect "the exit status for the group adm" 3 $STATUS
try as bezoar-adm bezoarctl show "$case"
expect "show for the group adm" 0 $STATUS
for change in rescan "resolve $case ignore" "mode observe"; do
    # shellcheck disable=SC2086
    try as bezoar-adm bezoarctl $change
    expect "the exit status of '$change' for the group adm" 1 $STATUS
    expect_match "what it says" "?*" "$OUT"
done
expect "the mode" 's "repair"' "$(busctl get-property "${manager[@]}" Mode)"
expect "ignored cases" "u 0" "$(busctl get-property "${manager[@]}" IgnoredCases)"

mkdir -p /etc/polkit-1/rules.d
cat >/etc/polkit-1/rules.d/10-lab.rules <<'END'
polkit.addRule(function(action, subject) {
    if (action.id == "org.bezoar1.rescan" && subject.user == "bezoar-adm")
        return polkit.Result.YES;
});
END
may_rescan() {
    as bezoar-adm bezoarctl rescan 2>/dev/null
}
wait_until 30 may_rescan
try as bezoar-adm bezoarctl mode observe
expect "what the rule does not name" 1 $STATUS
rm /etc/polkit-1/rules.d/10-lab.rules

# --- root may, also without polkit
systemctl stop polkit
systemctl mask --runtime polkit
try as bezoar-adm bezoarctl rescan
expect "without polkit, the group adm" 1 $STATUS
bezoarctl mode observe
expect "the mode" 's "observe"' "$(busctl get-property "${manager[@]}" Mode)"
bezoarctl mode repair
protect db "Path=$DB" "Replica=mirror:$MIRROR"
reload_daemon
expect_healed $DB/a 8192
systemctl unmask --runtime polkit
try bezoarctl status
expect "the exit status when all is healed" 0 $STATUS
