/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Devices that come and go: namespaces, their disks and partitions, device-dax. The kernel filters by
 * subsystem; block devices that are none of ours still wake us, and are told apart by their name.
 *
 * The events are the kernel's own, which reach every network namespace (lib/kobject_uevent.c,
 * uevent_net_broadcast_untagged()); those that udev sends on when it has worked on them reach only its own,
 * and the daemon has one without any network. But a file system's UUID comes from udev, so whatever was
 * read at the event is read again when udev has nothing left to do. */

#include <assert.h>
#include <errno.h>
#include <libudev.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "source/source-backends.h"

/* Events taken in one turn of the loop: the rest waits for the next. */
#define BATCH 64

/* How long after an event an idle udev is news: it may have been idle between two other events first. */
#define SETTLE_USEC (30 * UINT64_C(1000000))

typedef struct UdevSource {
        Source source;
        struct udev *udev;
        struct udev_monitor *monitor;
        struct udev_queue *queue;
        sd_event_source *io, *idle;
        uint64_t settle_until;          /* CLOCK_MONOTONIC, us; 0: no event so far */
} UdevSource;

DEFINE_CLEANUP(struct udev_device *, udev_device_unref);

bool source_udev_matters(const char *subsystem, const char *name) {
        if (!subsystem || !name)
                return false;
        if (strcmp(subsystem, "block") == 0)
                /* nvdimm_namespace_disk_name(); what stands on such a disk; a new table is a change */
                return strncmp(name, "pmem", 4) == 0 || strncmp(name, "dm-", 3) == 0;
        return strcmp(subsystem, "nd") == 0 || strcmp(subsystem, "dax") == 0;
}

static int note_event(UdevSource *u) {
        uint64_t now;
        int r;

        source_hint(&u->source, HINT_TOPOLOGY, NULL);
        r = sd_event_now(u->source.config.event, CLOCK_MONOTONIC, &now);
        if (r < 0)
                return r;
        u->settle_until = now + SETTLE_USEC;
        return 0;
}

static int on_event(sd_event_source *io, int fd, uint32_t revents, void *userdata) {
        UdevSource *u = userdata;
        bool matters = false;

        for (unsigned i = 0; i < BATCH; i++) {
                _cleanup_(udev_device_unrefp) struct udev_device *d = NULL;

                d = udev_monitor_receive_device(u->monitor);
                if (!d) {
                        /* events were lost (ENOBUFS), or one could not be read: it may have been ours */
                        if (errno != EAGAIN && errno != EINTR)
                                matters = true;
                        break;
                }
                if (source_udev_matters(udev_device_get_subsystem(d), udev_device_get_sysname(d)))
                        matters = true;
        }

        if (matters)
                (void) note_event(u);
        return 0;
}

static int on_idle(sd_event_source *io, int fd, uint32_t revents, void *userdata) {
        UdevSource *u = userdata;
        uint64_t now;
        int r;

        (void) udev_queue_flush(u->queue);
        r = sd_event_now(u->source.config.event, CLOCK_MONOTONIC, &now);
        if (r >= 0 && now < u->settle_until)
                source_hint(&u->source, HINT_TOPOLOGY, NULL);
        return 0;
}

static void udev_close(Source *s) {
        UdevSource *u = (UdevSource *) s;

        (void) sd_event_source_disable_unref(u->io);
        (void) sd_event_source_disable_unref(u->idle);
        udev_queue_unref(u->queue);
        udev_monitor_unref(u->monitor);
        udev_unref(u->udev);
        free(u);
}

static int open_monitor(UdevSource *u) {
        static const char *const subsystems[] = { "nd", "block", "dax" };
        int r;

        u->monitor = udev_monitor_new_from_netlink(u->udev, "kernel");
        if (!u->monitor)
                return errno > 0 ? -errno : -EIO;

        for (size_t i = 0; i < sizeof(subsystems) / sizeof(*subsystems); i++) {
                r = udev_monitor_filter_add_match_subsystem_devtype(u->monitor, subsystems[i], NULL);
                if (r < 0)
                        return r;
        }
        return udev_monitor_enable_receiving(u->monitor);
}

/* Where udev does not run, nobody ever knows a UUID, and nothing is to be waited for. */
static int watch_queue(UdevSource *u, sd_event *event) {
        int fd;

        u->queue = udev_queue_new(u->udev);
        if (!u->queue)
                return -ENOMEM;
        fd = udev_queue_get_fd(u->queue);
        if (fd == -ENOENT)
                return 0;
        if (fd < 0)
                return fd;
        return sd_event_add_io(event, &u->idle, fd, EPOLLIN, on_idle, u);
}

static int udev_open(const SourceConfig *config, Source **ret) {
        _cleanup_(source_freep) Source *s = NULL;
        UdevSource *u = malloc(sizeof(*u));
        int r;

        if (!u)
                return -ENOMEM;

        *u = (UdevSource) { .source = { .ops = &source_udev_ops, .config = *config } };
        s = &u->source;

        u->udev = udev_new();
        if (!u->udev)
                return -ENOMEM;
        r = open_monitor(u);
        if (r < 0)
                return r;
        r = watch_queue(u, config->event);
        if (r < 0)
                return r;
        r = sd_event_add_io(config->event, &u->io, udev_monitor_get_fd(u->monitor), EPOLLIN, on_event, u);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(u->io, "uevents");

        *ret = TAKE_PTR(s);
        return 0;
}

const SourceOps source_udev_ops = {
        .name = "udev",
        .description = "Uevents of persistent memory",
        .open = udev_open,
        .close = udev_close,
};
