/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdlib.h>

#include "core/intent.h"

void intent_done(Intent *i) {
        free(i->boot_id);
        free(i->uuid);
        free(i->device);
        rangeset_done(&i->bad);
        free(i->path);
        free(i->replica);
        *i = (Intent) {};
}
