# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Proves that a mirror whose copy is too short, missing, a folder, a link that leads out, or unreadable is refused, each
# by its name, and that a mirror that is not there at all is waited for. The unreadable one lies on a second NVDIMM
# that has lost the same bytes.
fresh_db short 262144 missing 262144 folder 262144 link 262144 unreadable 262144
mkdir -p /srv/pmem1
mkfs.ext4 -q -F -b 4096 /dev/pmem1
mount -o dax=always /dev/pmem1 /srv/pmem1
cp -a $MIRROR/unreadable /srv/pmem1/
sync -f /srv/pmem1
mount --bind /srv/pmem1/unreadable $MIRROR/unreadable
PMEM=pmem1 lose_ars /srv/pmem1/unreadable 8192 512
PMEM=pmem1 wait_until 20 is_bad "$(phys /srv/pmem1/unreadable 8192)"

truncate -s 8192 $MIRROR/short
rm $MIRROR/missing
rm $MIRROR/folder && mkdir $MIRROR/folder
mv $MIRROR/link /srv/mirror/elsewhere && ln -s ../elsewhere $MIRROR/link

start_daemon
lose_ars $DB/short 8192 512 $DB/missing 8192 512 $DB/folder 8192 512 $DB/link 8192 512 $DB/unreadable 8192 512
expect_refused $DB/short 8192 replica-short
expect_refused $DB/missing 8192 replica-missing
expect_refused $DB/folder 8192 replica-not-regular
expect_refused $DB/link 8192 replica-escapes
expect_refused $DB/unreadable 8192 replica-unreadable
for file in short missing folder link unreadable; do
    find_entry "FILE=$DB/$file" STATE=refused
    expect_match "what the journal says of $file" "*mirror:$MIRROR*" "$(field MESSAGE)"
done

umount $MIRROR/unreadable
mv $MIRROR $MIRROR.away
forget_entries
reload_daemon
wait_entry "FILE=$DB/missing" STATE=waiting REASON=replica-unreachable
expect_untouched $DB/missing 8192
mv $MIRROR.away $MIRROR
reload_daemon
expect_healed $DB/unreadable 8192
expect_untouched $DB/missing 8192
