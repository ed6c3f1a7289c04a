/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "service/manager.h"
#include "util/cleanup.h"

/* org.bezoar1 on the system bus (docs/man/org.bezoar1.5.rst). Observes the manager and hands questions on
 * to it. There may be no bus, now or later: then nobody asks, and it is waited for. */

typedef struct sd_event sd_event;
typedef struct Bus Bus;

/* Called once, from the loop or from bus_new(): questions can be asked now; or they cannot, and nobody is to
 * wait for it (there is no bus, it does not answer within 10 s, the name is refused or taken). */
typedef void (*BusSettledFn)(void *userdata);

/* The manager must outlive it, and not run any more when it is freed. 0 or a negative errno, which a missing
 * bus is not. */
int bus_new(sd_event *event, Manager *manager, BusSettledFn settled, void *userdata, Bus **ret);
Bus *bus_free(Bus *b);
DEFINE_CLEANUP(Bus *, bus_free);
