/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Machine checks and failed pages, from an instance of the kernel's trace buffer that is ours alone, so that
 * nobody else's tracing is disturbed. Sometimes they show earlier than the bad-block list, and where the
 * driver does not list them (drivers/acpi/nfit/mce.c asks for a bus that knows the address) only here. With
 * buffer_percent=0 a reader is woken by an event and by nothing else. A new instance begins with the default
 * size (1.4 MiB a processor), which is given back at once. */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "source/source-backends.h"
#include "source/trace-decode.h"
#include "util/file.h"
#include "util/sysfs.h"
#include "util/time-util.h"
#include "util/vec.h"

#define INSTANCE "instances/bezoar"
#define BUFFER_KB "64"          /* a processor: some hundred events */
#define FORMAT_MAX ((size_t) 256 * 1024)

/* What comes more often is told late, not left out. */
#define RATE_INTERVAL USEC_PER_SEC
#define RATE_BURST 50

/* The second folder of an event is for kernels that will have moved it. */
static const struct { TraceEvent event; const char *folder; } places[] = {
        { TRACE_MCE_RECORD, "events/mce/mce_record" },
        { TRACE_MEMORY_FAILURE, "events/ras/memory_failure_event" },
        { TRACE_MEMORY_FAILURE, "events/memory_failure/memory_failure_event" },
};
#define N_PLACES (sizeof(places) / sizeof(places[0]))

typedef struct TraceSource {
        Source source;
        TraceDecoder *decoder;
        int tracing;            /* the folder */
        size_t page_size;
        char *page;
        struct { sd_event_source **items; size_t n, allocated; } cpus;
} TraceSource;

static int open_tracing(void) {
        _cleanup_free_ char *path = NULL;
        int fd;

        if (asprintf(&path, "%s/kernel/tracing", sysfs_root()) < 0)
                return -ENOMEM;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int trace_probe(void) {
        _cleanup_close_ int fd = open_tracing();

        if (fd < 0 || faccessat(fd, "instances", W_OK, 0) < 0)
                return 0;
        for (size_t i = 0; i < N_PLACES; i++)
                if (faccessat(fd, places[i].folder, F_OK, 0) == 0)
                        return 1;
        return 0;
}

static int write_setting(int tracing, const char *folder, const char *name, const char *value) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;

        if (asprintf(&path, "%s/%s/%s", INSTANCE, folder, name) < 0)
                return -ENOMEM;
        fd = openat(tracing, path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return write_full(fd, value, strlen(value));
}

/* 0, also when there is no such event. */
static int add_event(TraceSource *t, TraceEvent event, const char *folder) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        size_t n;
        int r;

        if (asprintf(&path, "%s/%s/format", INSTANCE, folder) < 0)
                return -ENOMEM;
        r = file_read(t->tracing, path, FORMAT_MAX, &text, &n);
        if (r == -ENOENT)
                return 0;
        if (r == 0)
                r = trace_decoder_add(t->decoder, event, text, n);
        if (r == 0)
                r = write_setting(t->tracing, folder, "enable", "1");
        return r < 0 ? r : 1;
}

static int add_events(TraceSource *t) {
        bool have[_TRACE_EVENT_MAX] = {};

        for (size_t i = 0; i < N_PLACES; i++) {
                int r = have[places[i].event] ? 0 : add_event(t, places[i].event, places[i].folder);

                if (r < 0)
                        return r;
                have[places[i].event] = have[places[i].event] || r > 0;
        }
        return 0;
}

static void on_lost(Range physical, void *userdata) {
        source_hint_physical(userdata, physical);
}

static int on_data(sd_event_source *io, int fd, uint32_t revents, void *userdata) {
        TraceSource *t = userdata;
        ssize_t n;

        while ((n = read(fd, t->page, t->page_size)) == (ssize_t) t->page_size)
                (void) trace_decode(t->decoder, t->page, on_lost, &t->source);

        /* what is not a page will not become one: no more of this processor */
        if (n >= 0 || (errno != EAGAIN && errno != EINTR))
                (void) sd_event_source_set_enabled(io, SD_EVENT_OFF);
        return 0;
}

static int add_cpu(TraceSource *t, const char *name) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        sd_event_source *io;
        int r;

        if (asprintf(&path, "%s/per_cpu/%s/trace_pipe_raw", INSTANCE, name) < 0)
                return -ENOMEM;
        fd = openat(t->tracing, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = sd_event_add_io(t->source.config.event, &io, fd, EPOLLIN, on_data, t);
        if (r < 0)
                return r;
        (void) sd_event_source_set_io_fd_own(io, true);
        (void) TAKE_FD(fd);
        (void) sd_event_source_set_description(io, "trace");
        (void) sd_event_source_set_ratelimit(io, RATE_INTERVAL, RATE_BURST);

        r = vec_push(&t->cpus, io);
        if (r < 0)
                (void) sd_event_source_disable_unref(io);
        return r;
}

static inline void closedir_ptr(DIR **d) {
        if (*d)
                closedir(*d);
}

static int add_cpus(TraceSource *t) {
        int fd = openat(t->tracing, INSTANCE "/per_cpu", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_(closedir_ptr) DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d)
                return -errno;
        for (struct dirent *e; (e = readdir(d));) {
                int r = strncmp(e->d_name, "cpu", 3) == 0 ? add_cpu(t, e->d_name) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

static void trace_close(Source *s) {
        TraceSource *t = (TraceSource *) s;

        for (size_t i = 0; i < t->cpus.n; i++)
                (void) sd_event_source_disable_unref(t->cpus.items[i]);
        vec_done(&t->cpus);
        if (t->tracing >= 0)
                (void) unlinkat(t->tracing, INSTANCE, AT_REMOVEDIR);
        closep(&t->tracing);
        trace_decoder_free(t->decoder);
        free(t->page);
        free(t);
}

static int trace_set_up(TraceSource *t) {
        int r;

        t->tracing = open_tracing();
        if (t->tracing < 0)
                return t->tracing;
        t->page = malloc(t->page_size);
        if (!t->page)
                return -ENOMEM;
        /* one that a killed daemon left behind will do */
        if (mkdirat(t->tracing, INSTANCE, 0700) < 0 && errno != EEXIST)
                return -errno;

        r = write_setting(t->tracing, ".", "buffer_size_kb", BUFFER_KB);
        if (r >= 0)
                r = write_setting(t->tracing, ".", "buffer_percent", "0");
        if (r >= 0)
                r = trace_decoder_new(t->page_size, &t->decoder);
        if (r >= 0)
                r = add_events(t);
        if (r >= 0)
                r = add_cpus(t);
        return r;
}

static int trace_open(const SourceConfig *config, Source **ret) {
        TraceSource *t = malloc(sizeof(*t));
        int r;

        if (!t)
                return -ENOMEM;
        *t = (TraceSource) { .source = { .ops = &source_trace_ops, .config = *config }, .tracing = -1,
                             .page_size = (size_t) sysconf(_SC_PAGESIZE) };

        r = trace_set_up(t);
        if (r < 0) {
                trace_close(&t->source);
                return r;
        }
        *ret = &t->source;
        return 0;
}

const SourceOps source_trace_ops = {
        .name = "trace",
        .description = "Machine checks in the kernel's trace buffer",
        .probe = trace_probe,
        .open = trace_open,
        .close = trace_close,
};
