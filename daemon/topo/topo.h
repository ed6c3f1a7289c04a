/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/health.h"
#include "core/rangeset.h"
#include "core/topology.h"

/* Reads the running system: regions, namespaces and dimms (libndctl), block devices (libudev), mounts
 * (libmount). A machine without persistent memory gives an empty Topology, not an error. Only disks that
 * stand on persistent memory are listed, and one mount for each. What the kernel does not tell (physical
 * addresses, to others than root) and what a disabled namespace would show is {0,0}. 0 or a negative
 * errno. */
int topo_read(Topology *ret);

/* What the memory modules of the running system say of themselves. One that cannot be asked is in the list,
 * too. Asks the firmware, which may take its time; wants /dev/nmemN to be writable (SMART goes by
 * ND_CMD_CALL, drivers/nvdimm/bus.c __nd_ioctl()). 0 or a negative errno. */
int topo_read_health(DimmHealths *ret);

/* Has the firmware search all memory modules for errors; at the end of that the kernel lists what it has
 * found, and what it had no room for before. Returns at once: on how many buses that was begun, or is going
 * on; 0 where none can; or a negative errno. */
int topo_start_scrub(void);

/* Just that block device and all that it stands on, disks and links, as it is at this moment. 0, -ENODEV, or
 * a negative errno. */
int topo_read_below(uint32_t major_number, uint32_t minor_number, Topology *ret);

/* A saved Topology: the JSON of core/codec. 0, -EBADMSG (*ret_error says what is wrong; may be NULL; the
 * caller frees it) or a negative errno. */
int topo_load(const char *path, Topology *ret, char **ret_error);

/* The kernel's bad-block list of a disk, from its badblocks attribute; or, when `region` is not NULL, what
 * lies in `window` of that region's, counted from the start of the window. *ret_truncated: the text was cut
 * off (block/badblocks.c prints into one page): there are more than it says. 0, -ENOENT when the disk or
 * attribute is not there, or a negative errno. Tests read below another folder than /sys: BEZOAR_SYSFS in
 * the environment names it (util/sysfs.h). *ret is an empty set before. */
int topo_badblocks(const char *disk, const char *region, Range window, RangeSet *ret, bool *ret_truncated);

/* The text of such an attribute: "sector count\n" lines. A last line without its newline is cut off: it is
 * left out, and *ret_truncated set; so it is for a text that fills a page and may have been cut off between
 * two lines. 0, -EBADMSG for anything else, -ENOMEM. */
int topo_badblocks_parse(const char *text, RangeSet *ret, bool *ret_truncated);
