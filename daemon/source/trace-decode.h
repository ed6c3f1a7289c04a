/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/range.h"
#include "util/cleanup.h"

/* From the bytes of the kernel's trace buffer to physical ranges that were lost. Where things are in a
 * record is what the kernel's own format files say, for it differs between versions. Makes no system
 * call. */
typedef struct TraceDecoder TraceDecoder;

int trace_decoder_new(size_t page_size, TraceDecoder **ret);
TraceDecoder *trace_decoder_free(TraceDecoder *d);
DEFINE_CLEANUP(TraceDecoder *, trace_decoder_free);

typedef enum TraceEvent {
        TRACE_MCE_RECORD,               /* a machine check */
        TRACE_MEMORY_FAILURE,           /* a page that the kernel took out of use */
        _TRACE_EVENT_MAX,
} TraceEvent;

/* `format`: the text of the format file of that event. 0, -EINVAL: it cannot be understood, or lacks a field
 * that is needed; -ENOMEM. */
int trace_decoder_add(TraceDecoder *d, TraceEvent event, const char *format, size_t n);

/* One page as read from trace_pipe_raw, of page_size bytes; fn is called for each lost range in it. 0, or
 * -EBADMSG: this is no such page, and what of it made sense was told. */
int trace_decode(TraceDecoder *d, const void *page, void (*fn)(Range physical, void *userdata),
                 void *userdata);
