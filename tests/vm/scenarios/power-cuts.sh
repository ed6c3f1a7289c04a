# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 300
# disk: volatile
# modules: 3
#
# Proves that at random moments of repairs by each writer, and between clearing and copying, the power can be cut: then the
# poison is still there, or the right data is, or an intent tells of it; all is healed afterwards, nothing newer is
# overwritten, and in doubt is only what is. What was written to the disk with the state folder and not flushed is lost, too.
#
# Three of seven files, each for another way of healing, lose a page at once; then the power is cut. What comes up is judged, and is where the
# next ones are lost (guest/cuts.py). How many cuts there are, and from which seed their moments are drawn: tests/vm/run --count, --seed.

# region_of MEDIUM: the number of the region that an NVDIMM is.
region_of() {
    local region nmem
    for region in /sys/bus/nd/devices/region*; do
        nmem=$(cat "$region/mapping0")
        [ $(($(cat "/sys/bus/nd/devices/${nmem%%,*}/nfit/handle"))) != $(($1 + 1)) ] || echo "${region##*/region}"
    done
}

xfs=/dev/pmem$(region_of 0) ext4=/dev/pmem$(region_of 1)
# What the kernel knows of a page (struct page) is in the memory of the machine that is saved, and as old as that. By default it would be on the
# medium: what comes up after a cut would find there what it has never written, where a machine that boots makes all of it anew.
if [ "$BOOT" = 1 ]; then
    for disk in "$xfs" "$ext4"; do
        ndctl create-namespace -f -e "namespace${disk#/dev/pmem}.0" -m fsdax -M mem >/dev/null
    done
fi
# Its labels are gone after a boot; what is made anew is as it was.
ndctl create-namespace -r "region$(region_of 2)" -m devdax -M mem -a 4096 >/dev/null
udevadm settle
if [ "$BOOT" = 1 ]; then
    mkfs.xfs -q -f -m rmapbt=1 "$xfs"
    mkfs.ext4 -q -F -b 4096 "$ext4"
    udevadm settle
fi
mirror=/srv/kept/mirror/srv
protect db Path=/srv/pmem/db Replica=mirror:$mirror/pmem/db
protect punch Path=/srv/pmem/punch Replica=mirror:$mirror/pmem/punch Writer=punch
protect ext4 Path=/srv/pmem.ext4/db Replica=mirror:$mirror/pmem.ext4/db
protect dax "Device=$(echo "/dev/dax$(region_of 2)".*)" Replica=block:/srv/kept/image Proof=neighbours
# What comes back from before a cut has another boot's id. The unit has a /proc of its own.
mkdir -p /run/systemd/system/bezoard.service.d
printf '%s\n' '[Service]' 'BindReadOnlyPaths=-/run/lab/boot_id:/proc/sys/kernel/random/boot_id' >/run/systemd/system/bezoard.service.d/boot-id.conf
systemctl daemon-reload
/lab/cuts.py "$xfs" "$ext4"
