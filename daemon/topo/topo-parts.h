/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libudev.h>
#include <ndctl/libndctl.h>

#include "core/topology.h"
#include "util/cleanup.h"

/* The parts that topo_read() puts together, in this order. Each adds to `t` what it finds; on failure `t` is
 * only good for topology_done(). A device that goes away in the meantime is left out. 0 or a negative
 * errno. */
int topo_read_ndctl(Topology *t);                               /* regions, namespaces */
int topo_read_block(struct udev *udev, Topology *t);            /* disks, links */
int topo_read_dax(struct udev *udev, Topology *t);              /* disks of the device-dax namespaces in t */
int topo_read_mounts(const char *mountinfo, struct udev *udev, Topology *t);    /* of the disks in t */

/* A context of libndctl that says nothing and does not wait long. 0 or a negative errno. */
int topo_open_ndctl(struct ndctl_ctx **ret);

DEFINE_CLEANUP(struct ndctl_ctx *, ndctl_unref);

/* The links of one device-mapper device. 0, -ENODEV (it is gone), -EBADMSG (the kernel's answer makes no
 * sense), or another negative errno. */
int topo_read_dm(struct udev *udev, const char *name, dev_t number, Topology *t);

DEFINE_CLEANUP(struct udev *, udev_unref);
DEFINE_CLEANUP(struct udev_device *, udev_device_unref);
DEFINE_CLEANUP(struct udev_enumerate *, udev_enumerate_unref);
