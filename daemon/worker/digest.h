/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/seal.h"
#include "util/cleanup.h"

/* SHA-256, for a thread that computes many: libcrypto's one-shot functions look the algorithm up each time.
 * */
typedef struct Digester Digester;

/* 0 or -ENOMEM. */
int digester_new(Digester **ret);
Digester *digester_free(Digester *d);
DEFINE_CLEANUP(Digester *, digester_free);

/* Of the parts (the last one has data NULL) one after another. 0 or -EIO. */
typedef struct DigestPart {
        const void *data;
        size_t size;
} DigestPart;
int digest(Digester *d, const DigestPart *parts, uint8_t ret[static SEAL_DIGEST]);
