# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 300
#
# Proves that lost bytes are restored from each kind of replica that is not a folder, by the daemon as its unit has it: a
# program and a web server, asked by bezoar-fetch, which has no rights; an image of the device, and the same behind an
# NBD server. And that a program that has it wrong is refused.
fresh_db mirror 262144
for kind in exec http block nbd wrong; do
    mkdir $MNT/$kind
    make_file $MNT/$kind/file 262144
    remember $MNT/$kind/file
    cp /run/lab/was/file /run/lab/was/$kind
    mkdir -p /srv/mirror/$kind
    cp -a $MNT/$kind/file /srv/mirror/$kind/
done
sync -f $MNT/exec/file

cat >/srv/mirror/program <<'END'
#!/bin/sh
[ "$(id -u)" != 0 ] && [ "$(sed -n 's/^CapEff:\t//p' /proc/self/status)" = 0000000000000000 ] || exit 1
case $2 in
    stat) stat -c '%s %.9Y' "/srv/mirror/$1/$3" ;;
    read) tail -c +$(($4 + 1)) "/srv/mirror/$1/$3" | head -c "$5" | case $1 in wrong) tr '\000-\377' '\001-\377\000' ;; *) cat ;; esac ;;
esac
END
chmod 755 /srv/mirror/program
busybox httpd -p 127.0.0.1:8080 -h /srv/mirror
# An image of the device, for want of room with nothing in it but these two files and what is around them.
truncate -s "$(blockdev --getsize64 /dev/$PMEM)" /srv/mirror/image
for kind in block nbd; do
    at=$(($(phys $MNT/$kind/file 0) / 2048))
    dd if=/dev/$PMEM of=/srv/mirror/image bs=1M skip=$at seek=$at count=2 conv=notrunc iflag=direct status=none
done
nbdkit -r -U /run/nbd.socket file /srv/mirror/image
chmod 777 /run/nbd.socket

protect exec Path=$MNT/exec "Replica=exec:/srv/mirror/program exec"
protect wrong Path=$MNT/wrong "Replica=exec:/srv/mirror/program wrong"
protect http Path=$MNT/http Replica=http://127.0.0.1:8080/http Proof=neighbours
protect block Path=$MNT/block Replica=block:/srv/mirror/image Proof=neighbours
protect nbd Path=$MNT/nbd "Replica=nbd+unix:///?socket=/run/nbd.socket" Proof=neighbours
start_daemon

for kind in exec http block nbd; do
    cp /run/lab/was/$kind /run/lab/was/file
    lose_ars $MNT/$kind/file 65536 512
    expect_healed $MNT/$kind/file 65536 WRITER=pwrite
    expect_match "the replica" "*$kind*" "$(field BEZOAR_REPLICA)"
done
lose_ars $MNT/wrong/file 65536 512
expect_refused $MNT/wrong/file 65536 replica-stale
