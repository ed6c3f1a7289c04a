/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "source/source-backends.h"
#include "source/trace-decode.h"
#include "util/file.h"

#define PAGE 4096
#define MCE_ID 113
#define FAILURE_ID 1223

#define COMMON                                                                          \
        "format:\n"                                                                     \
        "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"          \
        "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"          \
        "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"  \
        "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"

/* As Linux 6.1 has it, but for how it is printed. */
static const char mce_format[] =
        "name: mce_record\nID: 113\n" COMMON
        "\tfield:u64 mcgcap;\toffset:8;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 mcgstatus;\toffset:16;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 status;\toffset:24;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 addr;\toffset:32;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 misc;\toffset:40;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 synd;\toffset:48;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 ipid;\toffset:56;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 ip;\toffset:64;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 tsc;\toffset:72;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 walltime;\toffset:80;\tsize:8;\tsigned:0;\n"
        "\tfield:u32 cpu;\toffset:88;\tsize:4;\tsigned:0;\n"
        "\tfield:u32 cpuid;\toffset:92;\tsize:4;\tsigned:0;\n"
        "\tfield:u32 apicid;\toffset:96;\tsize:4;\tsigned:0;\n"
        "\tfield:u32 socketid;\toffset:100;\tsize:4;\tsigned:0;\n"
        "\tfield:u8 cs;\toffset:104;\tsize:1;\tsigned:0;\n"
        "\tfield:u8 bank;\toffset:105;\tsize:1;\tsigned:0;\n"
        "\tfield:u8 cpuvendor;\toffset:106;\tsize:1;\tsigned:0;\n\n"
        "print fmt: \"CPU: %d, ADDR: %016Lx\", REC->cpu, REC->addr\n";

/* As Linux 7.2 has it, printing and all. */
static const char mce_format_7_2[] =
        "name: mce_record\nID: 113\n" COMMON
        "\tfield:u64 mcgcap;\toffset:8;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 mcgstatus;\toffset:16;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 status;\toffset:24;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 addr;\toffset:32;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 misc;\toffset:40;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 synd;\toffset:48;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 ipid;\toffset:56;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 ip;\toffset:64;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 tsc;\toffset:72;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 ppin;\toffset:80;\tsize:8;\tsigned:0;\n"
        "\tfield:u64 walltime;\toffset:88;\tsize:8;\tsigned:0;\n"
        "\tfield:u32 cpu;\toffset:96;\tsize:4;\tsigned:0;\n"
        "\tfield:u32 cpuid;\toffset:100;\tsize:4;\tsigned:0;\n"
        "\tfield:u32 apicid;\toffset:104;\tsize:4;\tsigned:0;\n"
        "\tfield:u32 socketid;\toffset:108;\tsize:4;\tsigned:0;\n"
        "\tfield:u8 cs;\toffset:112;\tsize:1;\tsigned:0;\n"
        "\tfield:u8 bank;\toffset:113;\tsize:1;\tsigned:0;\n"
        "\tfield:u8 cpuvendor;\toffset:114;\tsize:1;\tsigned:0;\n"
        "\tfield:u32 microcode;\toffset:116;\tsize:4;\tsigned:0;\n"
        "\tfield:__data_loc u8[] v_data;\toffset:120;\tsize:4;\tsigned:0;\n\n"
        "print fmt: \"CPU: %d, ADDR: %016llx, vendor data: %s\", REC->cpu, REC->addr, "
        "__print_dynamic_array(v_data, sizeof(u8))\n";

static const char failure_format[] =
        "name: memory_failure_event\nID: 1223\n" COMMON
        "\tfield:unsigned long pfn;\toffset:8;\tsize:8;\tsigned:0;\n"
        "\tfield:int type;\toffset:16;\tsize:4;\tsigned:1;\n"
        "\tfield:int result;\toffset:20;\tsize:4;\tsigned:1;\n\n"
        "print fmt: \"pfn %#lx: %s\", REC->pfn, __print_symbolic(REC->type, { 0, \"dax page\" })\n";

/* A page of the ring buffer: time, length of what follows, records. */
typedef struct Page {
        char bytes[PAGE];
        size_t n;
} Page;

static void page_init(Page *p) {
        memset(p, 0, sizeof(*p));
        p->n = 16;
}

static void page_add(Page *p, const void *record, size_t n) {
        uint32_t head = (uint32_t) (n / 4), length = (uint32_t) n + 4;
        uint64_t commit;

        assert(n % 4 == 0 && p->n + 8 + n <= PAGE);
        if (n > 112)            /* too long for the head: the length, its own included, stands behind it */
                head = 0;
        memcpy(p->bytes + p->n, &head, 4);
        p->n += 4;
        if (head == 0) {
                memcpy(p->bytes + p->n, &length, 4);
                p->n += 4;
        }
        memcpy(p->bytes + p->n, record, n);
        p->n += n;
        commit = p->n - 16;
        memcpy(p->bytes + 8, &commit, 8);
}

static void put64(char *at, uint64_t v) {
        memcpy(at, &v, 8);
}

static void page_add_mce(Page *p, uint64_t status, uint64_t addr, uint64_t misc, uint8_t vendor) {
        char r[112] = { MCE_ID };

        put64(r + 24, status);
        put64(r + 32, addr);
        put64(r + 40, misc);
        r[106] = (char) vendor;
        page_add(p, r, sizeof(r));
}

/* The same in the layout of Linux 7.2: more fields before the vendor, and behind it. */
static void page_add_mce_7_2(Page *p, uint64_t status, uint64_t addr, uint64_t misc, uint8_t vendor) {
        char r[124] = { MCE_ID };

        put64(r + 24, status);
        put64(r + 32, addr);
        put64(r + 40, misc);
        r[114] = (char) vendor;
        page_add(p, r, sizeof(r));
}

static void page_add_failure(Page *p, uint64_t pfn) {
        char r[24] = { FAILURE_ID & 0xff, FAILURE_ID >> 8 };

        put64(r + 8, pfn);
        page_add(p, r, sizeof(r));
}

typedef struct Heard {
        Range ranges[16];
        size_t n;
} Heard;

static void hear(Range physical, void *userdata) {
        Heard *h = userdata;

        assert(h->n < 16);
        h->ranges[h->n++] = physical;
}

static TraceDecoder *make_decoder(void) {
        TraceDecoder *d = NULL;

        assert_int_equal(trace_decoder_new(PAGE, &d), 0);
        assert_int_equal(trace_decoder_add(d, TRACE_MCE_RECORD, mce_format, strlen(mce_format)), 0);
        assert_int_equal(trace_decoder_add(d, TRACE_MEMORY_FAILURE, failure_format, strlen(failure_format)),
                         0);
        return d;
}

#define VAL (UINT64_C(1) << 63)
#define UC (UINT64_C(1) << 61)
#define MISCV (UINT64_C(1) << 59)
#define ADDRV (UINT64_C(1) << 58)
#define DEFERRED (UINT64_C(1) << 44)

/* Which machine checks mean lost bytes, and how many: only those that were not corrected and have an
 * address. */
static void test_mce(void **state) {
        static const struct {
                uint64_t status, addr, misc;
                uint8_t vendor;
                Range expected;         /* {0,0}: nothing */
        } table[] = {
                { VAL | UC | ADDRV | MISCV, 0x100a19123, 0x8c, 0, { 0x100a19000, 0x100a1a000 } },
                { VAL | UC | ADDRV | MISCV, 0x100a19123, 0x86, 0, { 0x100a19100, 0x100a19140 } },
                { VAL | UC | ADDRV, 0x100a19123, 0x8c, 0, { 0x100a19100, 0x100a19140 } },
                { VAL | UC | ADDRV | MISCV, 0x100a19123, 0x3f, 0, { 0x100a19100, 0x100a19140 } },
                { VAL | UC | ADDRV | MISCV, 0x100a19123, 0x00, 0, { 0x100a19100, 0x100a19140 } },
                { VAL | UC | ADDRV | MISCV, 0xfff0000100a19123, 0x86, 0, { 0x100a19100, 0x100a19140 } },
                { VAL | UC | ADDRV | MISCV, UINT64_MAX, 0x86, 0, { 0xfffffffffffc0, 0x10000000000000 } },
                { VAL | UC | MISCV, 0x100a19123, 0x8c, 0, {} },
                { VAL | ADDRV | MISCV, 0x100a19123, 0x8c, 0, {} },
                { VAL | ADDRV | MISCV | DEFERRED, 0x100a19123, 0x8c, 0, {} },
                { VAL | ADDRV | MISCV | DEFERRED, 0x100a19123, 0x8c, 2, { 0x100a19100, 0x100a19140 } },
        };
        _cleanup_(trace_decoder_freep) TraceDecoder *d = make_decoder();

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                size_t n = table[i].expected.end > 0;
                Heard h = {};
                Page p;

                page_init(&p);
                page_add_mce(&p, table[i].status, table[i].addr, table[i].misc, table[i].vendor);
                assert_int_equal(trace_decode(d, p.bytes, hear, &h), 0);
                if (h.n != n || (n && !range_equal(h.ranges[0], table[i].expected)))
                        fail_msg("row %zu: %zu, %#llx to %#llx", i, h.n,
                                 (unsigned long long) h.ranges[0].start,
                                 (unsigned long long) h.ranges[0].end);
        }
}

/* What a later kernel has in between moves nothing: fields are looked up in its own description. The vendor
 * decides whether a deferred error counts, so it is the one to get wrong. */
static void test_mce_7_2(void **state) {
        _cleanup_(trace_decoder_freep) TraceDecoder *d = NULL;
        Heard h = {};
        Page p;

        assert_int_equal(trace_decoder_new(PAGE, &d), 0);
        assert_int_equal(trace_decoder_add(d, TRACE_MCE_RECORD, mce_format_7_2, strlen(mce_format_7_2)), 0);
        page_init(&p);
        page_add_mce_7_2(&p, VAL | UC | ADDRV | MISCV, 0x100a19123, 0x8c, 0);
        page_add_mce_7_2(&p, VAL | ADDRV | MISCV | DEFERRED, 0x100b19123, 0x8c, 0);
        page_add_mce_7_2(&p, VAL | ADDRV | MISCV | DEFERRED, 0x100c19123, 0x8c, 2);
        assert_int_equal(trace_decode(d, p.bytes, hear, &h), 0);
        assert_int_equal(h.n, 2);
        assert_true(range_equal(h.ranges[0], (Range) { 0x100a19000, 0x100a1a000 }));
        assert_true(range_equal(h.ranges[1], (Range) { 0x100c19100, 0x100c19140 }));
}

/* The beginning of a page that Linux 6.1 gave after a machine check at 0x100a1a000, a page of persistent
 * memory; the rest of it is zeroes. */
static const unsigned char recorded[] = {
        0x56, 0x94, 0xe1, 0x4a, 0x04, 0x00, 0x00, 0x00, 0x90, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x1c, 0x00, 0x00, 0x00, 0x71, 0x00, 0x00, 0x00, 0x94, 0x00, 0x00, 0x00, 0x0a, 0x01, 0x00, 0x01,
        0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0xbd, 0x00, 0xa0, 0xa1, 0x00, 0x01, 0x00, 0x00, 0x00, 0x8c, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0xcb, 0xe8, 0xe4, 0x99, 0xff, 0xff, 0xff, 0xff, 0x69, 0x5d, 0x35, 0xd9,
        0x0c, 0x00, 0x00, 0x00, 0x8f, 0xe0, 0x00, 0x6b, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x54, 0x06, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x09, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x46, 0xb8, 0x9d, 0x04, 0xc7, 0x04, 0x00, 0x00, 0x94, 0x00, 0x00, 0x00,
        0x1a, 0x0a, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x11, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00,
};

/* What a kernel really said is understood: the machine check, and the page that failed. */
static void test_recorded(void **state) {
        _cleanup_(trace_decoder_freep) TraceDecoder *d = make_decoder();
        char page[PAGE] = {};
        Heard h = {};

        memcpy(page, recorded, sizeof(recorded));
        assert_int_equal(trace_decode(d, page, hear, &h), 0);
        assert_int_equal(h.n, 2);
        for (size_t i = 0; i < h.n; i++)
                assert_true(range_equal(h.ranges[i], (Range) { 0x100a1a000, 0x100a1b000 }));
}

/* Records of several kinds in one page are told in order; those of others are passed over, and so is what is
 * shorter than its format says. */
static void test_page(void **state) {
        _cleanup_(trace_decoder_freep) TraceDecoder *d = make_decoder();
        char other[32] = { 7 };
        Heard h = {};
        Page p;

        page_init(&p);
        assert_int_equal(trace_decode(d, p.bytes, hear, &h), 0);
        assert_int_equal(h.n, 0);

        page_add_failure(&p, 0x100a19);
        page_add(&p, other, sizeof(other));
        page_add_mce(&p, VAL | UC | ADDRV, 0x200000000, 0, 0);
        other[0] = (char) (FAILURE_ID & 0xff);
        other[1] = FAILURE_ID >> 8;
        page_add(&p, other, 12);
        page_add_failure(&p, UINT64_MAX);
        page_add_failure(&p, 1);
        assert_int_equal(trace_decode(d, p.bytes, hear, &h), 0);
        assert_int_equal(h.n, 3);
        assert_true(range_equal(h.ranges[0], (Range) { 0x100a19000, 0x100a1a000 }));
        assert_true(range_equal(h.ranges[1], (Range) { 0x200000000, 0x200000040 }));
        assert_true(range_equal(h.ranges[2], (Range) { 4096, 8192 }));
}

/* A format that cannot be understood, or lacks what is needed, is refused; what cannot be printed is not. */
static void test_formats(void **state) {
        static const struct { const char *text; int expected; } table[] = {
                { "", -EINVAL },
                { "no format at all\n", -EINVAL },
                { "name: other\nID: 97\n" COMMON "print fmt: \"\"\n", -EINVAL },
                { "name: memory_failure_event\nID: 97\n" COMMON "print fmt: \"\"\n", -EINVAL },
                { "name: memory_failure_event\nID: 97\n" COMMON
                  "\tfield:unsigned long pfn;\toffset:8;\tsize:8;\tsigned:0;\n\n"
                  "print fmt: what(is <this>)?\n", 0 },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                _cleanup_(trace_decoder_freep) TraceDecoder *d = NULL;
                int r;

                assert_int_equal(trace_decoder_new(PAGE, &d), 0);
                r = trace_decoder_add(d, TRACE_MEMORY_FAILURE, table[i].text, strlen(table[i].text));
                if (r != table[i].expected)
                        fail_msg("row %zu: %d", i, r);
        }
}

/* ---- the source, on a folder that stands for the kernel's, with a fifo for a processor ---- */

static void make_folder(const char *path) {
        char part[256];

        for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
                (void) snprintf(part, sizeof(part), "%.*s", (int) (p - path), path);
                assert(mkdir(part, 0700) == 0 || errno == EEXIST);
        }
        assert(mkdir(path, 0700) == 0 || errno == EEXIST);
}

static void make_file(const char *path, const char *text) {
        assert(file_replace(AT_FDCWD, path, text, strlen(text), 0600) == 0);
}

static int enter(void **state) {
        char *folder = strdup("/tmp/bezoar-test-trace-XXXXXX");

        assert(folder && mkdtemp(folder) && chdir(folder) == 0);
        assert(setenv("BEZOAR_SYSFS", folder, 1) == 0);
        make_folder("kernel/tracing/events/mce/mce_record");
        make_folder("kernel/tracing/instances/bezoar/events/mce/mce_record");
        make_folder("kernel/tracing/instances/bezoar/events/memory_failure/memory_failure_event");
        make_folder("kernel/tracing/instances/bezoar/per_cpu/cpu0");
        assert(chdir("kernel/tracing/instances/bezoar") == 0);
        make_file("buffer_size_kb", "1408");
        make_file("buffer_percent", "50");
        make_file("events/mce/mce_record/enable", "0");
        make_file("events/mce/mce_record/format", mce_format);
        make_file("events/memory_failure/memory_failure_event/enable", "0");
        make_file("events/memory_failure/memory_failure_event/format", failure_format);
        assert(mkfifo("per_cpu/cpu0/trace_pipe_raw", 0600) == 0);
        *state = folder;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int leave(void **state) {
        _cleanup_free_ char *folder = *state;

        assert(chdir("/") == 0);
        assert(unsetenv("BEZOAR_SYSFS") == 0);
        return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void hear_hint(const SourceOps *from, const Hint *hint, void *userdata) {
        assert_ptr_equal(from, &source_trace_ops);
        assert_int_equal(hint->kind, HINT_DEVICE);
        assert_null(hint->device);
        assert_non_null(hint->physical);
        hear(*hint->physical, userdata);
}

static void assert_file(const char *path, const char *expected) {
        _cleanup_free_ char *text = NULL;
        size_t n;

        assert_int_equal(file_read(AT_FDCWD, path, 4096, &text, &n), 0);
        assert_true(strncmp(text, expected, strlen(expected)) == 0);
}

/* The source sets its instance up, takes the event from wherever it is, tells what is lost, and is silent
 * when there is nothing. */
static void test_source(void **state) {
        _cleanup_close_ int cpu = -1;
        Heard h = {};
        SourceConfig c = { .fn = hear_hint, .userdata = &h };
        Source *s = NULL;
        Page p;

        assert_int_equal(sd_event_new(&c.event), 0);
        assert_int_equal(source_open(&source_trace_ops, &c, &s), 0);
        assert_non_null(s);
        assert_file("buffer_size_kb", "64");
        assert_file("buffer_percent", "0");
        assert_file("events/mce/mce_record/enable", "1");
        assert_file("events/memory_failure/memory_failure_event/enable", "1");

        cpu = open("per_cpu/cpu0/trace_pipe_raw", O_WRONLY | O_CLOEXEC);
        assert_true(cpu >= 0);
        assert_int_equal(sd_event_run(c.event, 0), 0);

        page_init(&p);
        page_add_failure(&p, 0x100a19);
        page_add_mce(&p, VAL | UC | ADDRV, 0x100a19000, 0, 0);
        assert_int_equal(write(cpu, p.bytes, PAGE), PAGE);
        assert_true(sd_event_run(c.event, 0) > 0);
        assert_int_equal(h.n, 2);
        assert_int_equal(sd_event_run(c.event, 0), 0);

        assert_int_equal(write(cpu, p.bytes, 100), 100);        /* no page: no more of it */
        assert_true(sd_event_run(c.event, 0) > 0);
        assert_int_equal(sd_event_run(c.event, 0), 0);
        assert_int_equal(h.n, 2);

        source_free(s);
        sd_event_unref(c.event);
}

/* Where there is no such tracing, the source is not used, and that is no error. */
static void test_nothing_there(void **state) {
        SourceConfig c = { .fn = hear_hint };
        Source *s = NULL;

        assert_int_equal(setenv("BEZOAR_SYSFS", "/nonexistent", 1), 0);
        assert_int_equal(sd_event_new(&c.event), 0);
        assert_int_equal(source_open(&source_trace_ops, &c, &s), 0);
        assert_null(s);
        sd_event_unref(c.event);
        assert_int_equal(unsetenv("BEZOAR_SYSFS"), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mce),
                cmocka_unit_test(test_mce_7_2),
                cmocka_unit_test(test_recorded),
                cmocka_unit_test(test_page),
                cmocka_unit_test(test_formats),
                cmocka_unit_test_setup_teardown(test_source, enter, leave),
                cmocka_unit_test(test_nothing_there),
        };

        return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
