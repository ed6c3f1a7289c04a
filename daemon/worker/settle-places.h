/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/intent.h"
#include "core/job.h"
#include "worker/site.h"

/* What a settlement is about: the device, and the file systems on what stands on it. And which of these an
 * intent is about. */

typedef struct SettlePlace {
        const Volume *volume;
        Site site;
        int state;              /* of site_open() */
        bool whole;             /* no other disk has any of it */
} SettlePlace;

typedef struct SettlePlaces {
        SettlePlace *items;     /* [0]: the device itself */
        size_t n, allocated;
        const Request *request;
        const char *boot_id;
} SettlePlaces;

/* The request, the boot id and who waits must outlive it. 0 or a negative errno; what was opened before is
 * in *ret in any case. */
int settle_places_open(const Request *request, const char *boot_id, const MapProgress *progress,
                       SettlePlaces *ret);
void settle_places_done(SettlePlaces *p);

/* Is it about this very memory? */
IntentMemory settle_memory(const SettlePlaces *p, const Intent *i);

/* NULL: about none of them. */
SettlePlace *settle_place_of(const SettlePlaces *p, const Intent *i);
