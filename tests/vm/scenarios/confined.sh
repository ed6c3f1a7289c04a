# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that the daemon, locked up as its unit says, still reaches what comes after it, and is in nobody's way: a file
# system made and mounted later is healed, and known by its UUID; one that was there before and one that came later can
# be unmounted while it runs, and made anew at once; a namespace that goes and comes back is seen.

# of DISK: what bezoarctl says of it.
of() {
    bezoarctl volumes --json=short | jq -r --arg disk "/dev/$1" '.. | objects | select(.Device? == $disk)'
}

uuid_is() {
    [ "$(of "$1" | jq -r .Uuid)" = "$2" ]
}

is_known() {
    [ -n "$(of "$1")" ]
}

is_unknown() {
    [ -z "$(of "$1")" ]
}

fresh_db a 262144
start_daemon
if type -P systemd-analyze >/dev/null; then
    systemd-analyze security --no-pager --threshold=25 bezoard.service >/run/lab/security ||
        fail "exposure: $(tail -n 1 /run/lab/security)"
fi
expect "in the mount namespace of the host" no "$(
    [ "$(readlink "/proc/$(systemctl show -P MainPID bezoard)/ns/mnt")" = "$(readlink /proc/1/ns/mnt)" ] && echo yes || echo no)"

# The worker has less than the daemon: nothing in force after it has asked the modules how they are, no way to more, no
# programs and no network.
worker_has() {
    awk -v name="$1:" '$1 == name {print $2}' "/proc/$(pgrep -P "$(systemctl show -P MainPID bezoard)" | head -n 1)/status"
}
daemon_has() {
    awk -v name="$1:" '$1 == name {print $2}' "/proc/$(systemctl show -P MainPID bezoard)/status"
}
wait_until 20 eval '[ "$(worker_has CapEff)" = 0000000000000000 ]'
expect "capabilities that the daemon has in force" 000000001028001e "$(daemon_has CapEff)"
expect "capabilities that a worker can put in force" 000000001028001e "$(worker_has CapPrm)"
expect "new privileges" 1 "$(worker_has NoNewPrivs)"
[ "$(worker_has Seccomp_filters)" -gt "$(daemon_has Seccomp_filters)" ] || fail "the worker may call whatever the daemon may"

# What was mounted before: healed, unmounted, and the device is free: mkfs opens it exclusively.
lose_ars $DB/a 65536 512
expect_healed $DB/a 65536 WRITER=pwrite
umount $MNT
fresh_xfs
wait_until 20 uuid_is pmem0 "$(blkid -o value -s UUID /dev/pmem0)"

# What was mounted later.
cp -a $MIRROR $DB
sync -f $DB/a
remember $DB/a
forget_entries
lose_ars $DB/a 65536 512
expect_healed $DB/a 65536 WRITER=pwrite
umount $MNT

# Hot-plug, as far as a guest can.
wait_until 20 is_known pmem1
ndctl disable-namespace namespace1.0
wait_until 20 is_unknown pmem1
ndctl enable-namespace namespace1.0
wait_until 20 is_known pmem1
