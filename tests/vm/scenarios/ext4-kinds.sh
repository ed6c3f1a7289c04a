# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that on an ext4 with quota, fs-verity and encryption, files are healed as ever; that a file which fs-verity has
# closed is told apart from its tree, and waits with the reason before anything is written; and that an encrypted file is
# not touched, and the case says why.
MOUNT_OPTIONS=dax=never
FS=ext4
EXT4_OPTIONS=(-O quota,verity,encrypt)
fresh_db a 262144 closed 65536
python3 - "$DB" <<'END'
import fcntl, os, struct, sys
top = sys.argv[1]
fd = os.open(f"{top}/closed", os.O_RDONLY)
fcntl.ioctl(fd, 0x40806685, struct.pack("=IIIIQIIQ11Q", 1, 1, 4096, 0, 0, 0, 0, 0, *[0] * 11))
mount = os.open(top, os.O_RDONLY)
key = bytearray(struct.pack("=II32sII32s", 2, 0, bytes(32), 64, 0, bytes(32)) + b"k" * 64)
fcntl.ioctl(mount, 0xC0506617, key)
os.mkdir(f"{top}/secret")
folder = os.open(f"{top}/secret", os.O_RDONLY)
fcntl.ioctl(folder, 0x800C6613, struct.pack("=BBBBB3s16s", 2, 1, 4, 3, 0, bytes(3), bytes(key[8:24])))
with open(f"{top}/secret/file", "wb") as f:
    f.write(b"s" * 65536)
END
cp -p $DB/closed $MIRROR/closed             # being closed has moved its times
sync -f $MNT
tree=$(filefrag -e $DB/closed | awk '/^ +[0-9]+:/ { sub(/\.\./, "", $5); end = $5 } END { print end + 0 }')
start_daemon

lose_ars $DB/a $((8192 + 3 * 512)) 512
echo 3 >/proc/sys/vm/drop_caches
expect_healed $DB/a 8192 WRITER=pwrite PROOF=identity+neighbours

lose_ars $DB/closed $((16384 + 512)) 512
wait_entry STATE=waiting REASON=file-busy "FILE=$DB/closed"
expect_match "what the journal says" "*closed by fs-verity*" "$(field MESSAGE)"
expect_untouched $DB/closed $((16384 + 512))

poison_ars $((tree * 8 + 1)) 1
wait_entry STATE=refused REASON=metadata OFFSET=$((tree * 4096))
expect_match "what the journal says" "*fs-verity tree*" "$(field MESSAGE)"

secret=$(($(phys $DB/secret/file 8192) / 8))
poison_ars $((secret * 8 + 1)) 1
wait_entry STATE=waiting OFFSET=$((secret * 4096))
expect_match "what the journal says" "*an encrypted file*" "$(field MESSAGE)"
