# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 300
#
# Proves that nothing is lost when daemon, worker and guardian are killed together right after a system call by which a repair goes on, for each
# way of healing, with what the kernel really does: each byte is right or cannot be read, and the next daemon brings the repair to
# its end, with nothing left behind, and nothing frozen. It goes through each third of these calls, with --count N through each Nth (guest/kills.py);
# tests/kill, where the medium is played, has all calls there are.
change_media                    # pages of guard files stay away
rm -rf /srv/kept
PMEM=pmem0 MNT=/srv/pmem fresh_xfs
PMEM=pmem1 MNT=/srv/pmem.ext4 fresh_ext4
mirror=/srv/kept/mirror/srv
protect db Path=/srv/pmem/db Replica=mirror:$mirror/pmem/db
protect punch Path=/srv/pmem/punch Replica=mirror:$mirror/pmem/punch Writer=punch
protect ext4 Path=/srv/pmem.ext4/db Replica=mirror:$mirror/pmem.ext4/db
configure RepairBudget=100000/1h PageBudget=1000/1h
media=("$(PMEM=pmem0 medium)" "$(PMEM=pmem1 medium)")
/lab/kills.py "${media[@]}" pwrite block punch pwrite-ext4 revive clone

umount /srv/pmem.ext4
fresh_namespace 1 -m devdax -a 4096
protect dax "Device=$(echo /dev/dax1.*)" Replica=block:/srv/kept/image Proof=neighbours
/lab/kills.py "${media[@]}" clear
