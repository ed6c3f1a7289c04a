/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

/* Do two block devices have bytes on one and the same disk: a partition and its disk, a device-mapper or md
 * device and what it stands on, a loop device and the file system that its file is in? Devices are named by
 * their numbers; a file is represented by the st_dev of its file system. 1 yes, 0 no; a negative errno when
 * it cannot be told, which is no "no". Read from sysfs. */
int same_device(dev_t a, dev_t b);
