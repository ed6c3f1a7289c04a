/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Waiting for a sysfs attribute. A descriptor on it has seen the state that it last read; while the
 * attribute is newer, poll says EPOLLPRI | EPOLLERR, without end (fs/kernfs/file.c kernfs_generic_poll()).
 * So it is read once before waiting, for otherwise the first wait ends at once, and after each wake-up:
 * first read, then tell, so that a change in between is told again. One byte will do: the state is noted
 * when the attribute is printed, however much of it is fetched. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "source/attribute-watch.h"
#include "util/time-util.h"

/* A change that comes more often is told late, not left out: a descriptor that is off for a while still has
 * it. */
#define RATE_INTERVAL USEC_PER_SEC
#define RATE_BURST 50

struct AttributeWatch {
        int fd;
        sd_event_source *io;    /* NULL: gone */
        Rearm rearm;
        AttributeWatchFn fn;
        void *userdata;
};

static inline void watch_event_source_unrefp(sd_event_source **s) {
        (void) sd_event_source_disable_unref(*s);
}

/* 0, or a negative errno when it cannot be read: -ENODEV for an attribute that was removed, -ENXIO for one
 * without a driver. */
static int see(int fd, Rearm rearm) {
        ssize_t n;
        char c;

        if (rearm == REARM_POLL)
                return 0;

        do {
                n = pread(fd, &c, 1, 0);
                if (n < 0 && errno == ESPIPE)
                        n = read(fd, &c, 1);    /* what stands for an attribute in a test */
        } while (n < 0 && errno == EINTR);

        return n < 0 && errno != EAGAIN ? -errno : 0;
}

static void forget(AttributeWatch *w) {
        w->io = sd_event_source_disable_unref(w->io);
        closep(&w->fd);
        w->fd = -1;
}

static int on_change(sd_event_source *io, int fd, uint32_t revents, void *userdata) {
        AttributeWatch *w = userdata;
        bool gone = (revents & EPOLLHUP) || see(fd, w->rearm) < 0;

        if (gone)
                forget(w);
        w->fn(gone, w->userdata);
        return 0;
}

int attribute_watch_new(sd_event *event, int fd, const char *description, Rearm rearm, AttributeWatchFn fn,
                        void *userdata, AttributeWatch **ret) {
        _cleanup_(attribute_watch_freep) AttributeWatch *w = NULL;
        _cleanup_(watch_event_source_unrefp) sd_event_source *io = NULL;
        int r;

        assert(event);
        assert(fd >= 0);
        assert(description);
        assert(fn);
        assert(ret);

        w = malloc(sizeof(*w));
        if (!w)
                return -ENOMEM;
        *w = (AttributeWatch) { .fd = -1, .rearm = rearm, .fn = fn, .userdata = userdata };

        r = see(fd, rearm);
        if (r < 0)
                return r == -ENODEV || r == -ENXIO ? WATCH_E_IMPOSSIBLE : r;
        r = sd_event_add_io(event, &io, fd, EPOLLPRI, on_change, w);
        if (r == -EPERM)
                return WATCH_E_IMPOSSIBLE;      /* a plain file: epoll_ctl(2) */
        if (r < 0)
                return r;
        r = sd_event_source_set_description(io, description);
        if (r < 0)
                return r;
        r = sd_event_source_set_ratelimit(io, RATE_INTERVAL, RATE_BURST);
        if (r < 0)
                return r;

        w->fd = fd;
        w->io = TAKE_PTR(io);
        *ret = TAKE_PTR(w);
        return 0;
}

int attribute_watch_open(sd_event *event, const char *path, Rearm rearm, AttributeWatchFn fn, void *userdata,
                         AttributeWatch **ret) {
        _cleanup_close_ int fd = -1;
        int r;

        assert(path);

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return errno == ENOENT || errno == ENODEV || errno == ENXIO ? WATCH_E_IMPOSSIBLE : -errno;

        r = attribute_watch_new(event, fd, path, rearm, fn, userdata, ret);
        if (r == 0)
                (void) TAKE_FD(fd);
        return r;
}

bool attribute_watch_is_alive(AttributeWatch *w) {
        struct pollfd p;

        assert(w);

        if (!w->io)
                return false;

        p = (struct pollfd) { .fd = w->fd, .events = POLLPRI };
        if (poll(&p, 1, 0) == 0)
                return true;
        return !(p.revents & (POLLHUP | POLLNVAL)) && see(w->fd, w->rearm) == 0;
}

AttributeWatch *attribute_watch_free(AttributeWatch *w) {
        if (!w)
                return NULL;

        forget(w);
        free(w);
        return NULL;
}
