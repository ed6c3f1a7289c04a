# SPDX-License-Identifier: LGPL-2.1-or-later
# everywhere: yes
#
# Proves that after a machine check in a page that is mapped by a 2 MiB entry, writing the page fails as if nobody had
# mapped it, and that the bytes can still be stored through a mapping.
fresh_xfs -d su=2m,sw=1,agcount=2 -l size=64m
xfs_io -f -c "extsize 2m" $MNT/f
make_file $MNT/f 4194304
expect "alignment of the extent" 0 $((($(data_start) + $(phys $MNT/f 0) * 512) % 2097152))
hold_pmd $MNT/f 0
page=$(phys $MNT/f 8192)
destroy "$page" 8
poison_mce "$page"
expect "writing the whole page" EFAULT "$($probe write $MNT/f 8192 4096)"
expect "badblocks after that" "" "$(badblocks)"
expect "reading the page" EFAULT "$($probe read $MNT/f 8192 4096)"
expect "storing through a mapping" "ok 0" "$($probe store $MNT/f 8192)"
