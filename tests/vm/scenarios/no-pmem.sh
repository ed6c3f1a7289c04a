# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that the service is skipped, and not failed, on a machine without persistent memory, and that it starts when
# such memory appears.
follow_journal
bus=$(cd -P /sys/bus/nd/devices/ndbus0/.. && pwd)      # of the firmware's driver: acpi, on later kernels platform
driver=$(readlink -f "$bus/driver") device=${bus##*/}
echo "$device" >$driver/unbind
trap '[ -e $driver/$device ] || echo "$device" >$driver/bind' EXIT
expect "members of the bus" "" "$(ls /sys/bus/nd/devices 2>/dev/null)"
systemctl start bezoard.service
expect "the service" inactive "$(systemctl show -P ActiveState bezoard.service)"
expect "its condition" no "$(systemctl show -P ConditionResult bezoard.service)"
expect "its result" success "$(systemctl show -P Result bezoard.service)"

systemctl enable -q bezoard.service
echo "$device" >$driver/bind
wait_until 30 systemctl -q is-active bezoard.service
systemctl disable -q bezoard.service
prepare_media
