# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 600
# by name: yes
#
# Proves that random poison in two ways on two devices, with replicas of several kinds that are now and then away, wrong or mute, and with
# applications that write and check their own data all the time, costs no byte, leaves no case open and nothing behind in the daemon.
minutes=${MINUTES:-1}
for PMEM in pmem0 pmem1; do
    MNT=/srv/$PMEM
    if [ $PMEM = pmem0 ]; then
        MNT=/srv/pmem
        fresh_xfs
    else
        MNT=/srv/pmem1
        fresh_ext4
    fi
    : >/run/lab/poisoned.$PMEM
    : >/run/lab/taken.$PMEM
done
PMEM=pmem0 MNT=/srv/pmem
rm -rf /srv/mirror /srv/reference
mkdir -p /srv/mirror /srv/reference
for group in mirror two exec http block fickle live live2 other live-other; do
    root=/srv/pmem
    [[ $group != *other ]] || root=/srv/pmem1
    mkdir -p $root/$group /srv/mirror/$group
    case $group in
        live*) continue ;;
    esac
    /lab/many.py make $root/$group 4 262144
    cp -a $root/$group /srv/reference/
    rmdir /srv/mirror/$group
    cp -a $root/$group /srv/mirror/
done
cp -a /srv/mirror/two /srv/mirror/two-b

cat >/srv/mirror/program <<'END'
#!/bin/sh
case $1 in
    stat) stat -c '%s %.9Y' "/srv/mirror/exec/$2" ;;
    read) tail -c +$(($3 + 1)) "/srv/mirror/exec/$2" | head -c "$4" ;;
esac
END
chmod 755 /srv/mirror/program
busybox httpd -f -p 127.0.0.1:8080 -h /srv/mirror &
httpd=$!
truncate -s "$(blockdev --getsize64 /dev/pmem0)" /srv/mirror/image
for file in $MNT/block/*; do
    at=$(($(phys "$file" 0) / 2048))
    dd if=/dev/pmem0 of=/srv/mirror/image bs=1M skip=$at seek=$at count=2 conv=notrunc iflag=direct status=none
done

for group in mirror fickle; do
    protect $group Path=$MNT/$group Replica=mirror:/srv/mirror/$group
done
protect two Path=$MNT/two Replica=mirror:/srv/mirror/two-b Replica=mirror:/srv/mirror/two
protect exec Path=$MNT/exec "Replica=exec:/srv/mirror/program"
protect http Path=$MNT/http Replica=http://127.0.0.1:8080/http Proof=neighbours
protect block Path=$MNT/block Replica=block:/srv/mirror/image Proof=neighbours
protect live Path=$MNT/live Replica=mirror:/srv/mirror/live Proof=neighbours
protect live2 Path=$MNT/live2 Replica=mirror:/srv/mirror/live2 Proof=neighbours
protect other Path=/srv/pmem1/other Replica=mirror:/srv/mirror/other
protect live-other Path=/srv/pmem1/live-other Replica=mirror:/srv/mirror/live-other Proof=neighbours
configure RepairBudget=1000000/1h PageBudget=1000/1h RescanIntervalSec=20s WorkerTimeoutSec=$((60 * ${PATIENCE:-1}))s
start_daemon
wait_until 30 eval 'bezoarctl volumes --json=short | grep -q "/srv/pmem1"'
/lab/soak.py "$minutes" $httpd
