/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/intent.h"
#include "worker/site.h"
#include "write/writer.h"

/* What the writer `clear` is told for a page of a device-dax, by a repair and by a settlement. Everything is
 * lent. */
typedef struct Clearing {
        const Site *site;
        int intents_fd;
        const Intent *intent;
        const uint8_t *page;
        int (*may)(Range run, void *userdata);  /* what the caller asks, instead of whether it is listed */
        void *userdata;
        uint8_t left[REPAIR_UNIT];      /* what has been noted of the page until now */
        ClearTarget target;             /* for Target.clear */
} Clearing;

/* Fills in `target` from the rest. It must stay where it is. */
void clearing_begin(Clearing *c);

/* Where the page is in physical memory: topology (the request) and device must agree, for poison is cleared
 * by that address. 0: they do not. */
uint64_t clearing_physical(const Site *s, uint64_t base, bool known, Range range);
