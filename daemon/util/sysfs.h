/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where the attributes of devices are: "/sys", or the folder that BEZOAR_SYSFS in the environment names, in
 * tests. */
const char *sysfs_root(void);

/* The path of an attribute of a device: "block", "pmem0", "badblocks" for /sys/block/pmem0/badblocks. 0,
 * -EINVAL when `device` cannot be the name of one (it may come from a saved file, and must not lead
 * elsewhere), -ENOMEM. The caller frees *ret. */
int sysfs_attribute(const char *folder, const char *device, const char *attribute, char **ret);
