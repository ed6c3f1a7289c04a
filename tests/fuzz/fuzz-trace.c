/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any bytes as pages of the trace buffer: the first byte chooses a kernel's formats, the rest is a page.
 * What is told lies in the physical address space. */

#include <string.h>

#include "fuzz.h"
#include "source/trace-decode.h"

#define PAGE 4096

#define FIELD(type, name, offset, size) \
        "\tfield:" type " " name ";\toffset:" #offset ";\tsize:" #size ";\tsigned:0;\n"
#define COMMON                                          \
        "format:\n"                                     \
        FIELD("unsigned short", "common_type", 0, 2)    \
        FIELD("unsigned char", "common_flags", 2, 1)    \
        FIELD("unsigned char", "common_preempt_count", 3, 1) \
        FIELD("int", "common_pid", 4, 4) "\n"

static const char *const mce[] = {
        /* Linux 6.1, then 7.2: of the fields those that are read */
        "name: mce_record\nID: 113\n" COMMON FIELD("u64", "status", 24, 8) FIELD("u64", "addr", 32, 8)
        FIELD("u64", "misc", 40, 8) FIELD("u8", "cpuvendor", 106, 1) "\nprint fmt: \"%d\", REC->addr\n",
        "name: mce_record\nID: 113\n" COMMON FIELD("u64", "status", 24, 8) FIELD("u64", "addr", 32, 8)
        FIELD("u64", "misc", 40, 8) FIELD("u8", "cpuvendor", 114, 1)
        FIELD("__data_loc u8[]", "v_data", 120, 4) "\nprint fmt: \"%d\", REC->addr\n",
};
static const char failure[] =
        "name: memory_failure_event\nID: 1223\n" COMMON FIELD("unsigned long", "pfn", 8, 8)
        FIELD("int", "type", 16, 4) FIELD("int", "result", 20, 4) "\nprint fmt: \"%d\", REC->pfn\n";

static TraceDecoder *decoders[2];

static void on_lost(Range physical, void *userdata) {
        must(physical.start < physical.end);
        must(physical.end <= (UINT64_C(1) << 52) + PAGE);
        (*(unsigned *) userdata)++;
}

static void set_up(void) {
        for (size_t i = 0; i < 2; i++) {
                must(trace_decoder_new(PAGE, decoders + i) == 0);
                must(trace_decoder_add(decoders[i], TRACE_MCE_RECORD, mce[i], strlen(mce[i])) == 0);
                must(trace_decoder_add(decoders[i], TRACE_MEMORY_FAILURE, failure, strlen(failure)) == 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t *page = calloc(1, PAGE);
        unsigned n = 0;

        must(page);
        if (!decoders[0])
                set_up();
        if (size > 1)
                memcpy(page, data + 1, size - 1 < PAGE ? size - 1 : PAGE);
        (void) trace_decode(decoders[size > 0 && data[0] & 1], page, on_lost, &n);
        must(n <= PAGE / 4);
        free(page);
        return 0;
}
