/* SPDX-License-Identifier: LGPL-2.1-or-later */

#undef NDEBUG
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "build-config.h"
#include "source/attribute-watch.h"
#include "source/source-backends.h"
#include "source/source.h"
#include "util/strv.h"
#include "util/time-util.h"
#include "util/vec.h"

#define SECOND USEC_PER_SEC

/* A folder that stands for /sys; it is the current folder. */
static const char *const folders[] = {
        "block", "block/pmem0", "block/pmem1", "bus", "bus/nd", "bus/nd/devices", "bus/nd/devices/region0",
        "bus/nd/devices/ndbus0", "bus/nd/devices/ndbus0/nfit", "bus/nd/devices/nmem0",
        "bus/nd/devices/nmem0/nfit", "mnt",
};
#define N_FOLDERS (sizeof(folders) / sizeof(*folders))

#define DISK0 "block/pmem0/badblocks"
#define DISK1 "block/pmem1/badblocks"
#define REGION "bus/nd/devices/region0/badblocks"
#define SCRUB "bus/nd/devices/ndbus0/nfit/scrub"
#define FLAGS "bus/nd/devices/nmem0/nfit/flags"

static int enter_sysfs(void **state) {
        char *folder = strdup("/tmp/bezoar-test-sources-XXXXXX");

        assert(folder && mkdtemp(folder));
        assert(chdir(folder) == 0);
        assert(setenv("BEZOAR_SYSFS", folder, 1) == 0);
        for (size_t i = 0; i < N_FOLDERS; i++)
                assert(mkdir(folders[i], 0700) == 0);
        *state = folder;
        return 0;
}

static int leave_sysfs(void **state) {
        _cleanup_free_ char *folder = *state;
        static const char *const files[] = { DISK0, DISK1, REGION, SCRUB, FLAGS };

        for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
                (void) unlink(files[i]);
        for (size_t i = N_FOLDERS; i > 0; i--)
                assert(rmdir(folders[i - 1]) == 0);
        assert(chdir("/") == 0);
        return rmdir(folder);
}

/* What came out of a source. */
typedef struct Heard {
        unsigned topology, all, other;
        unsigned pmem0, pmem1;
        unsigned nmem0;
        const SourceOps *from;
} Heard;

static void hear(const SourceOps *from, const Hint *hint, void *userdata) {
        Heard *h = userdata;

        h->from = from;
        if (hint->kind == HINT_TOPOLOGY)
                h->topology++;
        else if (hint->kind == HINT_DIMM && strcmp(hint->device, "nmem0") == 0)
                h->nmem0++;
        else if (!hint->device)
                h->all++;
        else if (strcmp(hint->device, "pmem0") == 0)
                h->pmem0++;
        else if (strcmp(hint->device, "pmem1") == 0)
                h->pmem1++;
        else
                h->other++;
}

static inline void event_unrefp(sd_event **e) {
        sd_event_unref(*e);
}

static sd_event *new_loop(void) {
        sd_event *e;

        assert(sd_event_new(&e) == 0);
        return e;
}

/* Runs until nothing is left to do. */
static unsigned settle(sd_event *e) {
        unsigned n = 0;

        while (sd_event_run(e, 0) > 0)
                assert(++n < 20);       /* an attribute that is not read again would go on for ever */
        return n;
}

static Source *open_source(const SourceOps *ops, sd_event *e, Heard *h) {
        SourceConfig c = { .event = e, .fn = hear, .userdata = h };
        Source *s;

        assert(source_open(ops, &c, &s) == 0 && s);
        return s;
}

/* One bus, one region, two disks on it. */
static void make_machine(Topology *t, bool second_disk) {
        TopoRegion region = { .name = strdup("region0"), .bus = strdup("ndbus0") };
        TopoRegion other = { .name = strdup("region1"), .bus = strdup("ndbus0") };

        assert(strv_extend(&region.dimms, "nmem0") == 0 && strv_extend(&region.dimms, "nmem1") == 0);
        assert(strv_extend(&other.dimms, "nmem0") == 0);
        assert(vec_push(&t->regions, region) == 0 && vec_push(&t->regions, other) == 0);
        for (int i = 0; i < (second_disk ? 2 : 1); i++) {
                const char *name = i == 0 ? "pmem0" : "pmem1";
                TopoNamespace n = {
                        .name = strdup(name), .region = strdup("region0"), .disk = strdup(name),
                };
                TopoDisk d = { .name = strdup(name), .node = strdup(name), .size = 4096, .badblocks = true };

                assert(vec_push(&t->namespaces, n) == 0 && vec_push(&t->disks, d) == 0);
        }
}

static void make_fifos(void) {
        assert(mkfifo(DISK0, 0600) == 0 && mkfifo(DISK1, 0600) == 0);
        assert(mkfifo(REGION, 0600) == 0 && mkfifo(SCRUB, 0600) == 0);
}

/* A FIFO can be opened for writing, without waiting, only while somebody has it open for reading. */
static bool is_watched(const char *path) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

        assert(fd >= 0 || errno == ENXIO);
        return fd >= 0;
}

static size_t count_fds(void) {
        DIR *d = opendir("/proc/self/fd");
        size_t n = 0;

        assert(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

/* Runs `fn` in a child that has namespaces of its own, as root or in a user namespace; skips where neither
 * is allowed. */
static void run_in_namespace(int flags, void (*fn)(void)) {
        int status;
        pid_t pid = fork();

        assert(pid >= 0);
        if (pid == 0) {
                if (unshare(flags) < 0 && unshare(flags | CLONE_NEWUSER) < 0)
                        _exit(77);
                fn();
                _exit(0);
        }

        assert(waitpid(pid, &status, 0) == pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                skip();
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The table is complete: names are unique, everything that the front needs is there. */
static void test_table(void **state) {
        size_t n = 0;

        for (const SourceOps *const *a = source_table; *a; a++, n++) {
                assert_true((*a)->name && (*a)->description && (*a)->open && (*a)->close);
                for (const SourceOps *const *b = a + 1; *b; b++)
                        assert_string_not_equal((*a)->name, (*b)->name);
        }
        assert_int_equal(n, BEZOAR_TRACE ? 7 : 6);
}

/* A source that does what it is told: for the front. */
static int fake_probe_result, fake_open_result, fake_update_result;
static unsigned fake_opened, fake_closed;
static const SourceOps fake_ops, fake_still_ops;

static int fake_probe(void) {
        return fake_probe_result;
}

static int fake_open(const SourceConfig *config, Source **ret) {
        fake_opened++;
        if (fake_open_result < 0)
                return fake_open_result;
        *ret = calloc(1, sizeof(**ret));
        assert(*ret);
        **ret = (Source) { .ops = &fake_ops, .config = *config };
        return 0;
}

static int fake_still_open(const SourceConfig *config, Source **ret) {
        int r = fake_open(config, ret);

        if (r == 0)
                (*ret)->ops = &fake_still_ops;
        return r;
}

static void fake_close(Source *s) {
        fake_closed++;
        free(s);
}

static int fake_update(Source *s, const Topology *t) {
        return fake_update_result;
}

static const SourceOps fake_ops = {
        .name = "fake", .description = "Fake",
        .probe = fake_probe, .open = fake_open, .close = fake_close, .update = fake_update,
};
static const SourceOps fake_still_ops = {
        .name = "still", .description = "Still",
        .open = fake_still_open, .close = fake_close,
};

/* The front: what is not usable here is not opened, and no error; errors come through and leave *ret alone;
 * update is optional; hints arrive with their source; closing is closing. */
static void test_front(void **state) {
        _cleanup_(event_unrefp) sd_event *e = new_loop();
        _cleanup_topology_ Topology t = {};
        Heard h = {};
        SourceConfig c = { .event = e, .fn = hear, .userdata = &h };
        Source *const untouched = (Source *) &h;
        Source *s = untouched;

        fake_probe_result = -EIO;
        assert_int_equal(source_open(&fake_ops, &c, &s), -EIO);
        assert_ptr_equal(s, untouched);

        fake_probe_result = 0;
        assert_int_equal(source_open(&fake_ops, &c, &s), 0);
        assert_null(s);
        assert_int_equal(fake_opened, 0);

        fake_probe_result = 1;
        fake_open_result = -ENOMEM;
        s = untouched;
        assert_int_equal(source_open(&fake_ops, &c, &s), -ENOMEM);
        assert_ptr_equal(s, untouched);

        fake_open_result = 0;
        assert_int_equal(source_open(&fake_ops, &c, &s), 0);
        fake_update_result = -EMFILE;
        assert_int_equal(source_update(s, &t), -EMFILE);
        source_hint(s, HINT_DEVICE, "pmem0");
        source_hint(s, HINT_DEVICE, NULL);
        source_hint(s, HINT_TOPOLOGY, NULL);
        assert_true(h.from == &fake_ops && h.pmem0 == 1 && h.all == 1 && h.topology == 1);
        assert_null(source_free(s));
        assert_int_equal(fake_closed, 1);

        assert_int_equal(source_open(&fake_still_ops, &c, &s), 0);
        assert_int_equal(source_update(s, &t), 0);
        source_free(s);
        assert_null(source_free(NULL));
}

static void count_change(bool gone, void *userdata) {
        unsigned *n = userdata;

        n[gone]++;
}

/* A sysfs attribute goes on saying that it is new until it is read. So does a socket with urgent data in
 * line: a change is told once, what was pending before is not told, and the end is told once, after which
 * nothing follows. */
static void test_attribute_watch(void **state) {
        _cleanup_(event_unrefp) sd_event *e = new_loop();
        _cleanup_(attribute_watch_freep) AttributeWatch *w = NULL;
        unsigned n[2] = {};
        int pair[2], one = 1;

        assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
        assert(setsockopt(pair[0], SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)) == 0);
        if (send(pair[1], "!", 1, MSG_OOB) < 0) {
                (void) close(pair[0]);
                (void) close(pair[1]);
                skip();         /* Linux before 5.15 */
        }

        assert_int_equal(attribute_watch_new(e, pair[0], "pair", REARM_READ, count_change, n, &w), 0);
        assert_int_equal(settle(e), 0);

        for (unsigned i = 1; i <= 3; i++) {
                assert(send(pair[1], "!", 1, MSG_OOB) == 1);
                assert_true(settle(e) > 0);
                assert_int_equal(n[false], i);
                assert_true(attribute_watch_is_alive(w));
        }

        assert(close(pair[1]) == 0);
        assert_true(settle(e) > 0);
        assert_int_equal(n[true], 1);
        assert_int_equal(n[false], 3);
        assert_false(attribute_watch_is_alive(w));
        assert_int_equal(settle(e), 0);
}

/* What cannot be waited for is told apart from what went wrong; the descriptor stays the caller's. */
static void test_attribute_watch_impossible(void **state) {
        _cleanup_(event_unrefp) sd_event *e = new_loop();
        AttributeWatch *w = NULL;
        size_t fds;
        unsigned n[2];
        int fd, r;

        fd = open(DISK0, O_CREAT | O_RDONLY | O_CLOEXEC, 0600);
        assert(fd >= 0);
        fds = count_fds();

        r = attribute_watch_open(e, DISK0, REARM_READ, count_change, n, &w);
        assert_int_equal(r, WATCH_E_IMPOSSIBLE);
        r = attribute_watch_open(e, DISK1, REARM_READ, count_change, n, &w);
        assert_int_equal(r, WATCH_E_IMPOSSIBLE);
        assert_int_equal(attribute_watch_open(e, "block", REARM_READ, count_change, n, &w), -EISDIR);
        r = attribute_watch_new(e, fd, "file", REARM_READ, count_change, n, &w);
        assert_int_equal(r, WATCH_E_IMPOSSIBLE);
        assert_null(w);
        assert_int_equal(count_fds(), fds);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        (void) close(fd);
}

/* The watches follow the Topology: opened for what is there, kept for what stays, closed for what went; a
 * region is watched for each of its disks, and for itself; a disk without a list of its own by the region's
 * alone. */
static void test_badblocks_follows_topology(void **state) {
        _cleanup_(event_unrefp) sd_event *e = new_loop();
        _cleanup_topology_ Topology two = {}, one = {}, none = {};
        _cleanup_(source_freep) Source *s = NULL;
        size_t fds;
        Heard h = {};

        make_fifos();
        make_machine(&two, true);
        make_machine(&one, false);
        s = open_source(&source_badblocks_ops, e, &h);
        fds = count_fds();

        assert_int_equal(source_update(s, &none), 0);
        assert_int_equal(count_fds(), fds);

        assert_int_equal(source_update(s, &two), 0);
        assert_int_equal(count_fds(), fds + 5);
        assert_int_equal(source_update(s, &two), 0);
        assert_int_equal(count_fds(), fds + 5);
        assert_true(is_watched(DISK0) && is_watched(DISK1) && is_watched(REGION));

        /* all had a writer that left, and are opened again */
        assert_int_equal(source_update(s, &one), 0);
        assert_int_equal(count_fds(), fds + 3);
        assert_true(is_watched(DISK0) && !is_watched(DISK1) && is_watched(REGION));

        one.disks.items[0].badblocks = false;
        assert_int_equal(source_update(s, &one), 0);
        assert_int_equal(count_fds(), fds + 2);
        assert_true(!is_watched(DISK0) && is_watched(REGION));

        one.disks.items[0].badblocks = true;
        assert_int_equal(source_update(s, &one), 0);
        s = source_free(s);
        assert_int_equal(count_fds(), fds);
        assert_false(is_watched(DISK0));
        assert_int_equal(settle(e), 0);
        assert_true(h.topology == 0 && h.pmem0 == 0 && h.all == 0);
}

/* A device that vanishes ends its watch, not the loop, and has the Topology read; when it is there again, it
 * is watched again. */
static void test_badblocks_vanishes(void **state) {
        _cleanup_(event_unrefp) sd_event *e = new_loop();
        _cleanup_topology_ Topology t = {};
        _cleanup_(source_freep) Source *s = NULL;
        Heard h = {};

        make_fifos();
        make_machine(&t, true);
        s = open_source(&source_badblocks_ops, e, &h);
        assert_int_equal(source_update(s, &t), 0);

        for (unsigned i = 1; i <= 2; i++) {
                assert_true(is_watched(DISK0));         /* which hangs up */
                assert_true(settle(e) > 0);
                assert_int_equal(h.topology, i);
                assert_int_equal(h.pmem0, 0);
                assert_false(is_watched(DISK0));
                assert_int_equal(settle(e), 0);

                assert_int_equal(source_update(s, &t), 0);
        }

        assert(unlink(DISK0) == 0);
        assert_int_equal(source_update(s, &t), 0);
        assert_int_equal(settle(e), 0);
}

/* In a folder of plain files nothing can be waited for; that is no error, and nothing is heard. */
static void test_badblocks_plain_files(void **state) {
        _cleanup_(event_unrefp) sd_event *e = new_loop();
        _cleanup_topology_ Topology t = {};
        _cleanup_(source_freep) Source *s = NULL, *scrub = NULL;
        Heard h = {};

        (void) close(open(DISK0, O_CREAT | O_CLOEXEC, 0600));
        (void) close(open(REGION, O_CREAT | O_CLOEXEC, 0600));
        (void) close(open(SCRUB, O_CREAT | O_CLOEXEC, 0600));
        make_machine(&t, true);

        s = open_source(&source_badblocks_ops, e, &h);
        scrub = open_source(&source_scrub_ops, e, &h);
        assert_int_equal(source_update(s, &t), 0);
        assert_int_equal(source_update(scrub, &t), 0);
        assert_int_equal(settle(e), 0);
        assert_true(h.topology == 0 && h.all == 0 && h.pmem0 == 0);
}

/* A name that leads out of the folder is refused, and the others are watched all the same. */
static void test_badblocks_bad_name(void **state) {
        _cleanup_(event_unrefp) sd_event *e = new_loop();
        _cleanup_topology_ Topology t = {};
        _cleanup_(source_freep) Source *s = NULL;
        Heard h = {};

        make_fifos();
        make_machine(&t, true);
        free(t.disks.items[0].name);
        t.disks.items[0].name = strdup("../block/pmem0");

        s = open_source(&source_badblocks_ops, e, &h);
        assert_int_equal(source_update(s, &t), -EINVAL);
        assert_false(is_watched(DISK0));
        assert_true(is_watched(DISK1));
}

/* The scrub attribute of a bus is watched once, however many regions it has. */
static void test_scrub_follows_topology(void **state) {
        _cleanup_(event_unrefp) sd_event *e = new_loop();
        _cleanup_topology_ Topology t = {}, none = {};
        _cleanup_(source_freep) Source *s = NULL;
        size_t fds;
        Heard h = {};

        make_machine(&t, true);
        s = open_source(&source_scrub_ops, e, &h);
        fds = count_fds();

        assert_int_equal(source_update(s, &t), 0);      /* the bus has no such attribute */
        assert_int_equal(count_fds(), fds);

        make_fifos();
        for (int i = 0; i < 2; i++) {
                assert_int_equal(source_update(s, &t), 0);
                assert_int_equal(count_fds(), fds + 1);
                assert_true(is_watched(SCRUB));         /* which hangs up: then it is opened again */
        }

        assert_true(settle(e) > 0);
        assert_true(h.topology == 1 && h.all == 0);
        assert_int_equal(source_update(s, &none), 0);
        assert_false(is_watched(SCRUB));
}

/* A module is watched once, however many regions it has a part in; one without such an attribute (nmem1
 * here, and every module that is not of an ACPI bus) is no error. When it goes, the Topology is read. */
static void test_health_follows_topology(void **state) {
        _cleanup_(event_unrefp) sd_event *e = new_loop();
        _cleanup_topology_ Topology t = {}, none = {};
        _cleanup_(source_freep) Source *s = NULL;
        size_t fds;
        Heard h = {};

        make_machine(&t, true);
        s = open_source(&source_health_ops, e, &h);
        fds = count_fds();
        assert_int_equal(source_update(s, &t), 0);
        assert_int_equal(count_fds(), fds);

        assert(mkfifo(FLAGS, 0600) == 0);
        assert_int_equal(source_update(s, &t), 0);
        assert_int_equal(count_fds(), fds + 1);
        assert_true(is_watched(FLAGS));         /* which hangs up */
        assert_true(settle(e) > 0);
        assert_true(h.topology == 1 && h.nmem0 == 0);
        assert_int_equal(source_update(s, &none), 0);
        assert_false(is_watched(FLAGS));
}

/* The host's name is an attribute in /proc/sys that is polled as those in sysfs are. */
#define HOSTNAME "/proc/sys/kernel/hostname"

static void change_hostname(void) {
        _cleanup_(event_unrefp) sd_event *e = new_loop();
        _cleanup_topology_ Topology t = {};
        _cleanup_(source_freep) Source *badblocks = NULL, *scrub = NULL, *health = NULL;
        Heard h = {}, s = {}, dimm = {};

        make_machine(&t, true);
        badblocks = open_source(&source_badblocks_ops, e, &h);
        scrub = open_source(&source_scrub_ops, e, &s);
        health = open_source(&source_health_ops, e, &dimm);
        assert(source_update(badblocks, &t) == 0 && source_update(scrub, &t) == 0);
        assert(source_update(health, &t) == 0);
        assert(settle(e) == 0);

        for (unsigned i = 1; i <= 2; i++) {
                assert(sethostname("bezoar", 6) == 0);
                assert(settle(e) > 0);
                assert(h.pmem0 == 2 * i && h.pmem1 == 2 * i);   /* by its own list, and by its region's */
                assert(h.other == i);                           /* the region */
                assert(h.topology == 0 && h.all == 0);
                assert(h.from == &source_badblocks_ops);
                assert(s.all == i && s.topology == 0 && s.pmem0 == 0);
                assert(s.from == &source_scrub_ops);
                assert(dimm.nmem0 == i && dimm.topology == 0 && dimm.all == 0);
                assert(dimm.from == &source_health_ops);
        }
}

/* A change of a disk's list hints at the disk, of a region's at all disks of the region, of a scrub at
 * everything, of a module's flags at the module; and then there is silence until the next. */
static void test_changes(void **state) {
        assert(symlink(HOSTNAME, DISK0) == 0 && symlink(HOSTNAME, DISK1) == 0);
        assert(symlink(HOSTNAME, REGION) == 0 && symlink(HOSTNAME, SCRUB) == 0);
        assert(symlink(HOSTNAME, FLAGS) == 0);
        run_in_namespace(CLONE_NEWUTS, change_hostname);
}

static void change_mounts(void) {
        _cleanup_(event_unrefp) sd_event *e = new_loop();
        _cleanup_(source_freep) Source *s = NULL;
        Heard h = {};

        assert(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
        s = open_source(&source_mounts_ops, e, &h);
        assert(settle(e) == 0);

        assert(mount("none", "mnt", "tmpfs", 0, NULL) == 0);
        assert(settle(e) == 1 && h.topology == 1);
        assert(umount("mnt") == 0);
        assert(settle(e) == 1 && h.topology == 2);
        assert(h.all == 0 && h.from == &source_mounts_ops);
}

/* A mount, and its end, have the Topology read; nothing else is heard. */
static void test_mounts(void **state) {
        run_in_namespace(CLONE_NEWNS, change_mounts);
}

/* The timer goes on by itself; without an interval it never does. */
static void test_timer(void **state) {
        static const uint64_t never[] = { 0, USEC_INFINITY };
        _cleanup_(event_unrefp) sd_event *e = new_loop();
        Heard h = {};
        SourceConfig c = { .event = e, .fn = hear, .userdata = &h, .rescan_usec = 2 * USEC_PER_MSEC };
        Source *s;

        assert_int_equal(source_open(&source_timer_ops, &c, &s), 0);
        assert_int_equal(settle(e), 0);
        for (unsigned i = 0; i < 10 && h.all < 3; i++)
                assert(sd_event_run(e, SECOND) >= 0);
        assert_int_equal(h.all, 3);
        assert_int_equal(h.topology, 0);
        source_free(s);

        for (size_t i = 0; i < 2; i++) {
                c.rescan_usec = never[i];
                assert_int_equal(source_open(&source_timer_ops, &c, &s), 0);
                assert_int_equal(sd_event_run(e, 10 * USEC_PER_MSEC), 0);
                source_free(s);
        }
        assert_int_equal(h.all, 3);
}

/* Only devices that can be persistent memory, or stand on it, matter. */
static void test_udev_matters(void **state) {
        static const struct {
                const char *subsystem, *name;
                bool matters;
        } cases[] = {
                { "block", "pmem0", true },  { "block", "pmem0p1", true },      { "block", "pmem1s", true },
                { "block", "sda", false },   { "block", "loop0", false },       { "block", "dm-0", true },
                { "nd", "region0", true },   { "nd", "namespace0.0", true },    { "dax", "dax0.0", true },
                { "net", "pmem0", false },   { NULL, "pmem0", false },          { "block", NULL, false },
                { "blocks", "pmem0", false },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
                if (source_udev_matters(cases[i].subsystem, cases[i].name) != cases[i].matters)
                        fail_msg("case %zu", i);
}

/* Every source that can be opened here waits in silence, and leaves nothing behind. */
static void test_silence(void **state) {
        _cleanup_(event_unrefp) sd_event *e = new_loop();
        Heard h = {};
        SourceConfig c = { .event = e, .fn = hear, .userdata = &h, .rescan_usec = 15 * USEC_PER_MINUTE };
        _cleanup_topology_ Topology none = {};
        size_t fds;

        assert(sd_event_run(e, 0) == 0);
        for (const SourceOps *const *ops = source_table; *ops; ops++) {
                Source *s = NULL;
                int r;

                if (*ops == &source_timer_ops)
                        continue;       /* the loop keeps the descriptor that its timers share */
                if (strcmp((*ops)->name, "trace") == 0)
                        continue;       /* would make an instance in the running kernel; test-trace.c */
                fds = count_fds();
                r = source_open(*ops, &c, &s);
                assert_true(r == 0 || *ops == &source_udev_ops);        /* a container may forbid it */
                if (s)
                        assert_int_equal(source_update(s, &none), 0);
                assert_int_equal(settle(e), 0);
                source_free(s);
                assert_int_equal(count_fds(), fds);
        }
        assert_true(h.topology == 0 && h.all == 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_front),
                cmocka_unit_test(test_attribute_watch),
                cmocka_unit_test_setup_teardown(test_attribute_watch_impossible, enter_sysfs, leave_sysfs),
                cmocka_unit_test_setup_teardown(test_badblocks_follows_topology, enter_sysfs, leave_sysfs),
                cmocka_unit_test_setup_teardown(test_badblocks_vanishes, enter_sysfs, leave_sysfs),
                cmocka_unit_test_setup_teardown(test_badblocks_plain_files, enter_sysfs, leave_sysfs),
                cmocka_unit_test_setup_teardown(test_badblocks_bad_name, enter_sysfs, leave_sysfs),
                cmocka_unit_test_setup_teardown(test_scrub_follows_topology, enter_sysfs, leave_sysfs),
                cmocka_unit_test_setup_teardown(test_health_follows_topology, enter_sysfs, leave_sysfs),
                cmocka_unit_test_setup_teardown(test_changes, enter_sysfs, leave_sysfs),
                cmocka_unit_test_setup_teardown(test_mounts, enter_sysfs, leave_sysfs),
                cmocka_unit_test(test_timer),
                cmocka_unit_test(test_udev_matters),
                cmocka_unit_test(test_silence),
        };

        return cmocka_run_group_tests_name("sources", tests, NULL, NULL);
}
