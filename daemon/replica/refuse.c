/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "replica/refuse.h"
#include "replica/same-device.h"

bool is_our_lack(int error) {
        return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -ENOSYS;
}

bool is_away(int error) {
        switch (-error) {
        case ESTALE:
        case ETIMEDOUT:
        case ENOTCONN:
        case ECONNREFUSED:
        case ECONNRESET:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENETDOWN:
        case ENETUNREACH:
        case ENODEV:
        case ENXIO:
                return true;
        default:
                return false;
        }
}

int refuse_same_device(const Subject *subject, dev_t dev, Offer *offer) {
        int r;

        r = same_device(dev, makedev(subject->device_major, subject->device_minor));
        if (r == 0 && makedev(subject->fs_major, subject->fs_minor) != 0)
                r = same_device(dev, makedev(subject->fs_major, subject->fs_minor));
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return none(offer, OFFER_UNREADABLE,
                            "whether it lies on the device that lost the bytes cannot be told: %s",
                            strerror(-r));
        return r == 0 ? 0 : none(offer, OFFER_SAME_DEVICE, "it lies on the very device that lost the bytes");
}
