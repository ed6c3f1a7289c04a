# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 400
#
# Proves that what never answers holds up nobody else: a mirror on a device that is suspended, a web server that accepts and says nothing,
# a program that sleeps, and a file system that is frozen, in which a worker hangs that not even SIGKILL ends. Their cases wait
# and say for what, others are healed meanwhile, D-Bus answers, one worker hangs and not one for each try, and when there is an answer again
# all are healed.
echo 0 >/proc/sys/kernel/hung_task_timeout_secs    # it is meant

modprobe brd rd_nr=1 rd_size=65536
dmsetup create lab-hung --table "0 $(blockdev --getsz /dev/ram0) linear /dev/ram0 0"
udevadm settle
mkfs.ext4 -q -F /dev/mapper/lab-hung
mkdir -p /srv/mirror/hung
mount /dev/mapper/lab-hung /srv/mirror/hung

kinds=(hung both http exec good)
fresh_db unused 4096
for kind in "${kinds[@]}"; do
    mkdir -p $MNT/$kind /srv/mirror/$kind
    for i in 1 2; do
        make_file $MNT/$kind/$kind$i 65536
        remember $MNT/$kind/$kind$i
    done
    cp -a $MNT/$kind /srv/mirror/
done
mkdir /srv/mirror/hung/{hung,both}
cp -a $MNT/hung/* /srv/mirror/hung/hung/
cp -a $MNT/both/* /srv/mirror/hung/both/

cat >/srv/mirror/program <<'END_OF_PROGRAM'
#!/bin/sh
[ -e /run/lab-answers ] || exec sleep 10000
case $1 in
    stat) stat -c '%s %.9Y' "/srv/mirror/exec/$2" ;;
    read) tail -c +$(($3 + 1)) "/srv/mirror/exec/$2" | head -c "$4" ;;
esac
END_OF_PROGRAM
chmod 755 /srv/mirror/program
rm -f /run/lab-answers
busybox httpd -f -p 127.0.0.1:8081 -h /srv/mirror &
httpd=$!
protect hung Path=$MNT/hung Replica=mirror:/srv/mirror/hung/hung
protect both Path=$MNT/both Replica=mirror:/srv/mirror/hung/both Replica=mirror:/srv/mirror/both
protect http Path=$MNT/http Replica=http://127.0.0.1:8081/http Proof=neighbours
protect exec Path=$MNT/exec Replica=exec:/srv/mirror/program
protect good Path=$MNT/good Replica=mirror:/srv/mirror/good
configure WorkerTimeoutSec=40s
start_daemon
wait_until 30 eval 'bezoarctl volumes --json=short | grep -q "$MNT"'
$probe ask >/run/lab/asked &
asker=$!

echo "--- replicas that do not answer"
kill -STOP $httpd
dmsetup suspend --noflush --nolockfs lab-hung
echo 3 >/proc/sys/vm/drop_caches
lost=()
for i in 1 2; do
    for kind in "${kinds[@]}"; do
        lost+=("$MNT/$kind/$kind$i" 16384 512)
    done
done
lose_ars "${lost[@]}"
for i in 1 2; do
    for kind in good both; do
        wait_until 100 find_entry STATE=healed "FILE=$MNT/$kind/$kind$i"
        expect_as_before $MNT/$kind/$kind$i
    done
    for kind in hung http exec; do
        wait_until 100 find_entry STATE=waiting "FILE=$MNT/$kind/$kind$i" REASON=replica-unreachable
    done
done
bezoarctl list
find_entry STATE=waiting "FILE=$MNT/http/http1"
expect_match "the detail" "*no answer in time*" "$(bezoarctl show "$(field BEZOAR_CASE)")"

echo "--- they answer again"
: >/run/lab-answers
kill -CONT $httpd
dmsetup resume lab-hung
bezoarctl rescan
for kind in hung http exec; do
    for i in 1 2; do
        wait_until 100 find_entry STATE=healed "FILE=$MNT/$kind/$kind$i"
        expect_as_before $MNT/$kind/$kind$i
    done
done

echo "--- a file system that is frozen"
workers() {
    pgrep -c bezoar-worker || true
}
hanging() {
    ps -C bezoar-worker -o stat= | grep -c '^D' || true
}
one_hangs() {
    journalctl -b -u bezoard --no-pager -o cat | grep -q 'hangs in the kernel'
}
mkfs.ext4 -q -F -b 4096 /dev/pmem1
mkdir -p /srv/pmem1
mount -o dax=always /dev/pmem1 /srv/pmem1
mkdir -p /srv/pmem1/other
make_file /srv/pmem1/other/other 65536
remember /srv/pmem1/other/other
cp -a /srv/pmem1/other /srv/mirror/
protect other Path=/srv/pmem1/other Replica=mirror:/srv/mirror/other
configure WorkerTimeoutSec=15s
reload_daemon
wait_until 30 eval 'bezoarctl volumes --json=short | grep -q "/srv/pmem1"'
forget_entries

: >/run/lab/frozen
lost1=$(place $MNT/good/good1 32768)
xfs_freeze -f $MNT
LOST["$MNT/good/good1 8"]=$lost1
destroy "${lost1#* }" 1
poison_ars "${lost1#* }" 1 &
wait_until 100 one_hangs
wait_until 100 find_entry REASON=worker-timeout "FILE=$MNT/good/good1"
for i in 1 2 3 4 5; do
    bezoarctl rescan
    sleep 1
done
expect "workers that hang" 1 "$(hanging)"
PMEM=pmem1 lose_ars /srv/pmem1/other/other 8192 512
wait_until 100 find_entry STATE=healed FILE=/srv/pmem1/other/other
expect_as_before /srv/pmem1/other/other
expect "workers that hang" 1 "$(hanging)"
[ "$(workers)" -le 3 ] || fail "too many workers: $(ps -C bezoar-worker -o pid,stat,wchan:20)"

xfs_freeze -u $MNT
rm /run/lab/frozen
wait_until 100 find_entry STATE=healed "FILE=$MNT/good/good1"
expect_as_before $MNT/good/good1
expect "workers that hang" 0 "$(hanging)"
expect "badblocks" "" "$(badblocks)"
kill $asker
wait $asker || fail "D-Bus: $(cat /run/lab/asked)"
say "# D-Bus: $(cat /run/lab/asked)"
umount /srv/mirror/hung
