/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/intent.h"
#include "util/strv.h"

void intent_done(Intent *i) {
        free(i->boot_id);
        free(i->uuid);
        free(i->device);
        free(i->namespace);
        rangeset_done(&i->bad);
        free(i->path);
        free(i->replica);
        *i = (Intent) {};
}

IntentMemory intent_memory(const Intent *then, const Intent *now) {
        const bool named = streq_ptr(then->device, now->device);

        if (then->namespace && now->namespace)
                return streq_ptr(then->namespace, now->namespace) ? INTENT_MEMORY_SAME : INTENT_MEMORY_OTHER;
        if (streq_ptr(then->boot_id, now->boot_id))
                return named ? INTENT_MEMORY_SAME : INTENT_MEMORY_OTHER;
        if (then->physical != 0 && now->physical != 0)
                return then->physical == now->physical ? INTENT_MEMORY_SAME : INTENT_MEMORY_UNTOLD;
        return named ? INTENT_MEMORY_SAME : INTENT_MEMORY_UNTOLD;
}

#define ENDED ".ended-"

void intent_ended_name(uint64_t case_id, IntentEnd end, const char *name, char *buf) {
        (void) snprintf(buf, INTENT_ENDED_MAX, ENDED "%" PRIu64 "-%s-%s-%s", case_id,
                        case_state_to_string(end.state), writer_to_string(end.writer), name);
}

/* The word in front of the next "-"; what stands behind it. NULL: there is none. */
static const char *word(const char *p, char ret[static 16]) {
        size_t n = strcspn(p, "-");

        if (p[n] != '-' || n >= 16)
                return NULL;
        memcpy(ret, p, n);
        ret[n] = '\0';
        return p + n + 1;
}

bool intent_ended_parse(const char *name, uint64_t *ret_case_id, IntentEnd *ret) {
        char state[16], writer[16];
        IntentEnd end;
        uint64_t id = 0;
        const char *p;

        if (strncmp(name, ENDED, strlen(ENDED)) != 0)
                return false;
        p = name + strlen(ENDED);
        if (*p < '1' || *p > '9')
                return false;
        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(id, UINT64_C(10), &id) ||
                    __builtin_add_overflow(id, (uint64_t) (*p - '0'), &id))
                        return false;
        if (*p != '-' || !(p = word(p + 1, state)) || !(p = word(p, writer)))
                return false;

        end.state = case_state_from_string(state);
        end.writer = writer_from_string(writer);
        if ((end.state != CASE_HEALED && end.state != CASE_WAITING) || end.writer < 0)
                return false;
        *ret_case_id = id;
        *ret = end;
        return true;
}
