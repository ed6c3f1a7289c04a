# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that what was begun on one of two disks below one file system is settled there, and is not taken for something that the
# other disk should have: daemon and workers are killed before a write, on either disk, and the poison is gone before they are
# back, with the bytes not written. Nobody knows by whom, so that is in doubt, and the intent is kept. But when the machine stopped, and
# the disks have changed names since, the intent is of the disk that has the namespace, which writes them.
XFS_OPTIONS=(--unsupported -m reflink=0)         # so small
mapper db "0 196608 striped 2 128 /dev/pmem0 2048 /dev/pmem1 4096"
fresh_db a 1048576 b 1048576

# of_before: the intent is one of a boot in which the disk had the name of the other one.
of_before() {
    python3 - "$1" <<'END'
import hashlib, json, pathlib, sys
path, = (p for p in pathlib.Path("/var/lib/bezoar/intent").iterdir() if not p.name.startswith("."))
name, other = sys.argv[1], {"pmem0": "pmem1", "pmem1": "pmem0"}[sys.argv[1]]
text, rest = path.read_bytes()[:-32].split(b"\n", 1)
intent = json.loads(text)
assert intent["device"] == f"/dev/{name}" and len(intent["namespace"]) == 36, intent
intent.update(device=f"/dev/{other}", boot_id="00000000-0000-0000-0000-000000000000")
record = json.dumps(intent).encode() + b"\n" + rest
path.unlink()
path.with_name(path.name.replace(name, other)).write_bytes(record + hashlib.sha256(record).digest())
END
}

disks=()
for file in a b; do
    [ $file = a ] && offset=8192 || offset=$((65536 + 8192))
    read -r disk sector < <(place $DB/$file $offset)
    disks+=("$disk")
    fault before-write:sleep=60
    start_daemon
    lose_ars $DB/$file $offset 512
    wait_until 40 intent_is_logged
    kill_daemon
    systemctl stop bezoard.service      # else it is started again
    fault
    dd if=/dev/zero of="/dev/$disk" bs=512 count=1 seek="$sector" oflag=direct conv=notrunc status=none
    expect "badblocks of $disk" "" "$(PMEM=$disk badblocks)"
    if [ $file = a ]; then
        start_daemon
        wait_entry STATE=in-doubt "FILE=$DB/$file"
        intent_is_logged || fail "the intent should be kept"
    else
        of_before "$disk"
        start_daemon
        wait_entry STATE=healed "FILE=$DB/$file"
        no_intents || fail "the intent should be over"
        same_bytes "$DB/$file" "$MIRROR/$file"
    fi
    systemctl stop bezoard.service
    rm -r /var/lib/bezoar/*
    forget_entries
done
[ "${disks[0]}" != "${disks[1]}" ]
