/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Records of the kernel's trace buffer, by libtraceevent. Which machine checks mean lost bytes is what
 * drivers/acpi/nfit/mce.c nfit_handle_mce() asks: not corrected, and with an address that can be used. The
 * rest is for the bad-block list to say. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <traceevent/event-parse.h>
#include <traceevent/kbuffer.h>

#include "source/trace-decode.h"

#define FIELDS_MAX 4

/* arch/x86/include/asm/mce.h */
#define STATUS_DEFERRED (UINT64_C(1) << 44)     /* AMD alone */
#define STATUS_ADDRV (UINT64_C(1) << 58)
#define STATUS_MISCV (UINT64_C(1) << 59)
#define STATUS_UC (UINT64_C(1) << 61)
#define MISC_LSB 0x3f
#define LSB_DEFAULT 6                           /* a cache line */
#define LSB_MAX 30
#define PHYSICAL_MASK ((UINT64_C(1) << 52) - 1)
#define VENDOR_AMD 2                            /* arch/x86/include/asm/processor.h */
#define VENDOR_HYGON 9

enum { STATUS, ADDR, MISC, VENDOR };
enum { PFN };

static const struct {
        const char *name, *fields[FIELDS_MAX];
} events[_TRACE_EVENT_MAX] = {
        [TRACE_MCE_RECORD] = { "mce_record",
                { [STATUS] = "status", [ADDR] = "addr", [MISC] = "misc", [VENDOR] = "cpuvendor" } },
        [TRACE_MEMORY_FAILURE] = { "memory_failure_event", { [PFN] = "pfn" } },
};

/* Of a page: when it began (8 bytes), how much of it is in use (a long), records. What stands above these
 * bits of the second are flags. (kernel/trace/ring_buffer.c struct buffer_data_page, RB_MISSED_EVENTS) */
#define PAGE_HEAD (8 + sizeof(long))
#define COMMIT_MASK ((1UL << 27) - 1)
#define PAGE_SLACK 64

struct TraceDecoder {
        size_t page_size;
        char *page;                             /* with zeros behind it */
        struct tep_handle *tep;
        struct kbuffer *buffer;
        struct {
                struct tep_event *event;        /* NULL: not added */
                struct tep_format_field *fields[FIELDS_MAX];
        } known[_TRACE_EVENT_MAX];
};

int trace_decoder_new(size_t page_size, TraceDecoder **ret) {
        _cleanup_(trace_decoder_freep) TraceDecoder *d = calloc(1, sizeof(*d));
        bool big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

        if (!d)
                return -ENOMEM;
        d->page_size = page_size;
        d->page = calloc(1, page_size + PAGE_SLACK);
        d->tep = tep_alloc();
        d->buffer = kbuffer_alloc(sizeof(long) == 8 ? KBUFFER_LSIZE_8 : KBUFFER_LSIZE_4,
                                  big ? KBUFFER_ENDIAN_BIG : KBUFFER_ENDIAN_LITTLE);
        if (!d->page || !d->tep || !d->buffer)
                return -ENOMEM;

        tep_set_loglevel(TEP_LOG_NONE);
        tep_set_long_size(d->tep, sizeof(long));
        tep_set_page_size(d->tep, (int) page_size);
        tep_set_file_bigendian(d->tep, big ? TEP_BIG_ENDIAN : TEP_LITTLE_ENDIAN);
        tep_set_local_bigendian(d->tep, big ? TEP_BIG_ENDIAN : TEP_LITTLE_ENDIAN);
        *ret = TAKE_PTR(d);
        return 0;
}

TraceDecoder *trace_decoder_free(TraceDecoder *d) {
        if (!d)
                return NULL;
        if (d->buffer)
                kbuffer_free(d->buffer);
        if (d->tep)
                tep_free(d->tep);
        free(d->page);
        free(d);
        return NULL;
}

/* How a record would be printed may be beyond the library; the fields are known all the same. */
int trace_decoder_add(TraceDecoder *d, TraceEvent event, const char *format, size_t n) {
        struct tep_format_field *fields[FIELDS_MAX] = {};
        struct tep_event *e;

        assert(d);
        assert(event < _TRACE_EVENT_MAX);
        assert(!d->known[event].event);

        (void) tep_parse_event(d->tep, format, n, "bezoar");
        e = tep_find_event_by_name(d->tep, "bezoar", events[event].name);
        if (!e)
                return -EINVAL;

        for (size_t i = 0; i < FIELDS_MAX && events[event].fields[i]; i++) {
                fields[i] = tep_find_field(e, events[event].fields[i]);
                if (!fields[i] || fields[i]->offset < 0 || fields[i]->size < 1)
                        return -EINVAL;
        }
        memcpy(d->known[event].fields, fields, sizeof(fields));
        d->known[event].event = e;
        return 0;
}

static int lost_by_mce(const unsigned long long v[static FIELDS_MAX], Range *ret) {
        bool amd = v[VENDOR] == VENDOR_AMD || v[VENDOR] == VENDOR_HYGON;
        unsigned lsb = v[STATUS] & STATUS_MISCV ? v[MISC] & MISC_LSB : LSB_DEFAULT;
        uint64_t size;

        if (!(v[STATUS] & STATUS_ADDRV) || !(v[STATUS] & STATUS_UC || (amd && v[STATUS] & STATUS_DEFERRED)))
                return -ENOENT;
        if (amd || lsb > LSB_MAX || lsb < LSB_DEFAULT)
                lsb = LSB_DEFAULT;              /* there MISC has no such field, or it makes no sense */

        size = UINT64_C(1) << lsb;
        ret->start = v[ADDR] & PHYSICAL_MASK & ~(size - 1);
        ret->end = ret->start + size;
        return 0;
}

static int lost_by_failure(const unsigned long long v[static FIELDS_MAX], size_t page_size, Range *ret) {
        if (v[PFN] > PHYSICAL_MASK / page_size)
                return -ENOENT;
        ret->start = (uint64_t) v[PFN] * page_size;
        ret->end = ret->start + page_size;
        return 0;
}

/* -ENOENT: nothing is lost, or it is another event. */
static int decode_record(TraceDecoder *d, void *data, int size, Range *ret) {
        struct tep_record record = { .data = data, .size = size };
        unsigned long long v[FIELDS_MAX] = {};
        int id = size >= 2 ? tep_data_type(d->tep, &record) : -1;

        for (TraceEvent i = 0; i < _TRACE_EVENT_MAX; i++) {
                if (!d->known[i].event || d->known[i].event->id != id)
                        continue;
                for (size_t k = 0; k < FIELDS_MAX && events[i].fields[k]; k++) {
                        struct tep_format_field *f = d->known[i].fields[k];

                        if (f->offset + f->size > size || tep_read_number_field(f, data, v + k) != 0)
                                return -ENOENT;
                }
                return i == TRACE_MCE_RECORD ? lost_by_mce(v, ret)
                                             : lost_by_failure(v, d->page_size, ret);
        }
        return -ENOENT;
}

/* The library takes the length that a page names as it stands, and looks at the head of a record before it
 * asks whether there is room for one: so the length is looked at here, and there are zeros behind the
 * page. */
static bool take_page(TraceDecoder *d, const void *page) {
        unsigned long commit;

        memcpy(&commit, (const char *) page + 8, sizeof(commit));
        if ((commit & COMMIT_MASK) > d->page_size - PAGE_HEAD)
                return false;
        memcpy(d->page, page, d->page_size);
        return kbuffer_load_subbuffer(d->buffer, d->page) == 0;
}

int trace_decode(TraceDecoder *d, const void *page, void (*fn)(Range physical, void *userdata),
                 void *userdata) {
        const char *last = NULL;
        char *data;

        assert(d);
        assert(page);
        assert(fn);

        if (!take_page(d, page))
                return -EBADMSG;

        for (data = kbuffer_read_event(d->buffer, NULL); data; data = kbuffer_next_event(d->buffer, NULL)) {
                int size = kbuffer_event_size(d->buffer);
                Range lost;

                if (size < 0 || (size_t) size > d->page_size || data < d->page || (last && data <= last) ||
                    (size_t) (data - d->page) > d->page_size - (size_t) size)
                        return -EBADMSG;
                last = data;
                if (decode_record(d, data, size, &lost) == 0)
                        fn(lost, userdata);
        }
        return 0;
}
