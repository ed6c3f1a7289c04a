# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that the package needs nothing but a protect file: installed, it neither runs nor is enabled; enabled, it heals;
# upgraded, it runs on; removed, it stops and leaves the configuration; purged, it leaves nothing.
state() {
    echo "$(systemctl is-enabled bezoard.service 2>&1 | tail -n 1) $(systemctl is-active bezoard.service)"
}

deb=/lab/tools/bezoar.deb
dpkg -i $deb
expect "installed" "disabled inactive" "$(state)"
bezoard --check-config

fresh_db a 262144
systemctl enable --now bezoard
expect "enabled" "enabled active" "$(state)"
lose_ars $DB/a 65536 512
expect_healed $DB/a 65536 WRITER=pwrite
expect_match "what journalctl -x says" "*Lost bytes*" "$(journalctl -x -b --no-pager -u bezoard MESSAGE_ID=${ID[healed]})"
bezoarctl status

was=$(systemctl show -P MainPID bezoard)
dpkg -i $deb
expect "upgraded" "enabled active" "$(state)"
[ "$(systemctl show -P MainPID bezoard)" != "$was" ] || fail "the upgrade did not restart it"

dpkg -r bezoar
expect "removed" inactive "$(systemctl is-active bezoard.service)"
[ -e /etc/bezoar/bezoar.conf ] || fail "removing it took the configuration"
rm -r /etc/bezoar/protect.d
dpkg --purge bezoar
for left in /etc/bezoar /var/lib/bezoar /usr/lib/bezoar /etc/systemd/system/multi-user.target.wants/bezoard.service; do
    [ ! -e $left ] && [ ! -L $left ] || fail "purging it left $left"
done
