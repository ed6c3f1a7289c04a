# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 600
#
# Proves that a file whose page is not present, and that is not restored, is held across the end of the daemon: it is restarted,
# the file is deleted, the daemon dies, and looks again; its block does not become free, and the file system can be filled to the
# last byte (kernel-deleted-mce.sh is the counterpart). When the case is over, nothing is held any more.
stored() {
    systemctl show -P NFileDescriptorStore bezoard.service
}
stores() {
    [ "$(stored)" = "$1" ]
}
answers() {
    bezoarctl status >/dev/null 2>&1 || [ $? = 3 ]
}
fresh_db refused 262144 healed 262144
touch $MIRROR/refused
start_daemon

lose_mce $DB/refused 8192
expect_refused $DB/refused 8192 replica-stale
wait_until 10 stores 1
lose_mce $DB/healed 8192
wait_entry STATE=healed "FILE=$DB/healed"
wait_until 10 stores 1

systemctl restart bezoard.service
wait_until 20 answers
expect "held after a restart" 1 "$(stored)"
rm $DB/refused
bezoarctl rescan
sleep 3
expect "held after the file was deleted" 1 "$(stored)"

main=$(systemctl show -P MainPID bezoard.service)
kill_daemon
wait_until 20 answers
[ "$(systemctl show -P MainPID bezoard.service)" != "$main" ]
bezoarctl rescan
sleep 3
expect "held after the daemon died" 1 "$(stored)"
bezoarctl list --no-pager

cat /dev/zero >$DB/full 2>/dev/null || true
[ "$(df --output=avail -B4096 $MNT | tail -n 1)" -lt 64 ]
sync -f $MNT
rm $DB/full
touch $DB/alive
systemctl is-active bezoard.service
