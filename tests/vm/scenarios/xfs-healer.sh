# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that bezoar and xfs_healer look after the same file system and are not in each other's way: bezoar never takes the health
# monitor, of which a file system has only one, so xfs_healer gets it though bezoar was there first; bezoar heals what xfs_healer
# is told of; and neither keeps the file system from being unmounted.
#
# kernels: 7.2
healer=/usr/libexec/xfsprogs/xfs_healer
[ -x $healer ] || skip "this guest has no xfs_healer"

healer_says() {
    grep -qi "$1" /run/lab/healer
}

healer_is_gone() {
    ! kill -0 "$HEALER"
}

fresh_db a 262144
start_daemon
lose_ars $DB/a 8192 512
expect_healed $DB/a 8192 WRITER=pwrite

stdbuf -oL -eL $healer --debug $MNT >/run/lab/healer 2>&1 &
HEALER=$!
wait_until 20 healer_says "monitoring started"
expect_match "a second monitor" "*File exists*" "$(xfs_io -c 'healthmon -p' $MNT 2>&1)"

hold_map $DB/a 65536
lose_mce $DB/a 65536
expect_healed $DB/a 65536 WRITER=pwrite
wait_until 20 healer_says media
kill "$HOLDER"
wait "$HOLDER" || true

umount $MNT
wait_until 20 healer_is_gone
