/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "replica/replica.h"

/* Internal to replica/: how backends say no. Each completes the offer; REPLICA_E_NONE or -ENOMEM. */
#define none(offer, state, ...)                                                         \
        ({                                                                              \
                int _nr = offer_set((offer), (state), __VA_ARGS__);                     \
                _nr < 0 ? _nr : REPLICA_E_NONE;                                         \
        })

/* Says nothing about the replica: this process lacks memory or descriptors, or the kernel a call. */
bool is_our_lack(int error);

/* The other end is away: a server that does not answer, a device that is unplugged. */
bool is_away(int error);

/* 0 when a replica on `dev` is not on the device that lost the bytes; else as above. */
int refuse_same_device(const Subject *subject, dev_t dev, Offer *offer);
