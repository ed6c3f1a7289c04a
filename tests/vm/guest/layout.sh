# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Partitions, device mapper and namespaces, for scenarios. The way down to the disks is computed here from the kernel's
# own tables, in another way than the daemon does.

# below DEVICE SECTOR: the disk that this sector is on, and where, "pmem0 4711".
below() {
    local name sector=$2
    name=$(basename "$(readlink -f "$1")")
    case $name in
        pmem*p[0-9]*) below "/dev/${name%p*}" $((sector + $(cat "/sys/class/block/$name/start"))) ;;
        pmem*) echo "$name $sector" ;;
        dm-*) below_mapper "$1" "$sector" ;;
        *) fail "what stands on $name?" ;;
    esac
}

below_mapper() {
    local start length target rest sector=$2
    while read -r start length target rest; do
        if [ $((start <= sector && sector < start + length)) = 1 ]; then
            # shellcheck disable=SC2086
            "below_$target" $((sector - start)) $rest
            return
        fi
    done < <(dmsetup table "$1")
    fail "$1 has no sector $sector"
}

node() {
    echo "/dev/$(basename "$(readlink -f "/sys/dev/block/$1")")"
}

below_linear() {        # SECTOR DEVICE START
    below "$(node "$2")" $(($1 + $3))
}

below_striped() {       # SECTOR COUNT CHUNK [DEVICE START]…
    local number=$(($1 / $3))
    local stripe=$((number % $2)) row=$((number / $2)) device start
    device=$((4 + 2 * stripe)) start=$((5 + 2 * stripe))
    below "$(node "${!device}")" $((${!start} + row * $3 + $1 % $3))
}

# partition_gpt LINE…: partitions of /dev/$PMEM, a line of sfdisk each.
partition_gpt() {
    printf '%s\n' 'label: gpt' "$@" | sfdisk -q "/dev/$PMEM"
    udevadm settle
}

# mapper NAME LINE…: a device of device mapper, a line of its table each; it becomes the file system's device.
mapper() {
    printf '%s\n' "${@:2}" | dmsetup create "$1"
    udevadm settle
    FS_DEVICE=/dev/mapper/$1
}

# change_media: namespaces will be made anew. The next scenario gets another machine.
change_media() {
    mkdir -p /run/lab
    : >/run/lab/media-changed
}

# fresh_namespace REGION OPTION…: instead of all that the region has, one namespace, made with these options of ndctl.
fresh_namespace() {
    change_media
    ndctl destroy-namespace -f -r "region$1" all >/dev/null
    ndctl create-namespace -r "region$1" "${@:2}" >/dev/null
    udevadm settle
}

clean_up_layout() {
    local i
    dmsetup remove_all -f
    for i in 0 1; do
        if compgen -G "/dev/pmem${i}p*" >/dev/null; then
            wipefs -q -a "/dev/pmem$i"
            blockdev --rereadpt "/dev/pmem$i"
        fi
    done
}
