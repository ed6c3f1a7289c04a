# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# A device-dax in the second region, for scenarios that say `. /lab/device-dax.sh`. A SECTOR is one of the device.

PMEM=pmem1
IMAGE=/srv/mirror/image         # a copy of it, on the root file system

# fresh_device ALIGN: 4 MiB of random bytes at its start, and a copy of it.
fresh_device() {
    fresh_namespace 1 -m devdax -a "$1"
    DAX=$(echo /dev/dax1.*)
    mkdir -p /srv/mirror /run/lab/was
    head -c 4M /dev/urandom >$IMAGE
    $probe dax-store "$DAX" 0 4194304 <$IMAGE
    truncate -s "$(cat "/sys/bus/dax/devices/${DAX#/dev/}/size")" $IMAGE
}

listed() {
    cat "/sys/bus/nd/devices/region1/badblocks"
}

nothing_listed() {
    [ -z "$(listed)" ]
}

is_listed() {
    ! nothing_listed
}

# lose SECTOR COUNT [--no-notify]: these sectors of the device are destroyed, and the firmware finds them, or is to find
# them with the next.
lose() {
    destroy "$1" "$2"
    echo "$1 $2" >>/run/lab/poisoned.pmem1
    if [ $# -gt 2 ]; then
        inject "$@"
    else
        inject "$@" &
    fi
}

# lose_page SECTOR: the page with it is, and the CPU finds it.
lose_page() {
    destroy "$1" 8
    take_page "$1"
}

expect_as_image() {
    expect "what the device holds" "$(head -c 4M $IMAGE | sha256sum)" "$($probe dax-load "$DAX" 0 4194304 | sha256sum)"
}

# expect_case OFFSET: the page there was healed, and all the device is as the image.
expect_case() {
    wait_entry STATE=healed "DEVICE=$DAX" "OFFSET=$1" LENGTH=4096 "REPLICA=block:$IMAGE"
    expect_fields WRITER=clear PROOF=neighbours
    wait_until 10 nothing_listed
    expect_as_image
    no_intents || fail "an intent was left"
}
