# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that a page that a machine check took away stays away when the namespace is disabled and enabled, so that writing to the
# device there would crash the kernel still; and that a reboot brings it back.
#
# The kernel's page table has the page as not present, yet not as none: taking the direct map down skips such an entry
# (remove_pte_table), and building it up again keeps it (phys_pte_init).
mapped() {
    $probe read /dev/pmem0 $((page * 512)) 4096 direct
}

if [ "$BOOT" = 1 ]; then
    fresh_xfs
    make_file $MNT/f 65536
    page=$(phys $MNT/f 8192)
    poison_mce "$page"
    expect "writing the whole page" EFAULT "$($probe write $MNT/f 8192 4096)"
    umount $MNT
    expect "badblocks" "" "$(badblocks)"
    expect "reading the page from the device" EIO "$(mapped)"
    ndctl disable-namespace namespace0.0
    ndctl enable-namespace namespace0.0
    wait_until 10 test -b /dev/pmem0
    expect "the same, with the namespace bound anew" EIO "$(mapped)"
    ndctl disable-region region0
    ndctl enable-region region0
    wait_until 10 test -b /dev/pmem0
    expect "the same, with the region bound anew" EIO "$(mapped)"
    echo "$page" >/root/page
    sync
    power_cut
else
    page=$(cat /root/page)
    expect "the same, after a reboot" "ok 4096" "$(mapped)"
fi
