/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/intent.h"

/* The intent log: one file for each page that a worker is about to write, `intent/` below the state
 * folder. A record is the JSON of core/codec on one line, the page, and the SHA-256 (32 bytes) of all
 * that comes before it. */

/* Opens the folder, making it (mode 0700) where it is not there. 0 or a negative errno. */
int intents_open(const char *state_dir, int *ret_fd);

/* One worker at a time acts on a device: also one that was killed, as long as the kernel has not let it end.
 * *ret_fd holds the lock until it is closed. 0, -EBUSY, or a negative errno. */
int intents_lock(int dir_fd, const char *device, int *ret_fd);

enum {
        _INTENTS_E_SUCCESS,

        INTENTS_E_OTHER,        /* there is one for that page of what had this device's name in an earlier
                                 * boot, and is not settled yet: it stays */
};

/* Stores a record; durable when it returns. Replaces an older one for the same page. 0, INTENTS_E_OTHER, or
 * a negative errno: then nothing may be written. */
int intents_store(int dir_fd, const Intent *i, const void *page);

/* What the bad sectors of a device-dax hold after they were cleared and before they are stored to (`left`:
 * REPAIR_UNIT bytes, of which only those sectors count), beside the record of that intent and page. Not
 * durable, which would take milliseconds in which the bytes are wrong: it outlives this process, not a power
 * cut. 0 or a negative errno. */
int intents_note_left(int dir_fd, const Intent *i, const void *page, const void *left);

/* That note. > 0; 0: there is none of this very record; or a negative errno. */
int intents_left(int dir_fd, const Intent *i, const void *page, void *ret);

/* 0, also when there was none. The note goes with it. */
int intents_remove(int dir_fd, const Intent *i);

/* The write is over, and this is how. The record is kept as intent_ended_name(), for whoever records the
 * outcome to remove; one that belongs to no case is removed. 0 or a negative errno. */
int intents_end(int dir_fd, const Intent *i, IntentEnd end);

/* Calls `fn` for each record of a write that is over, in no order. Those that cannot be read are passed
 * over: they are of no use but to tell an outcome. Non-zero stops and is returned. */
typedef int (*IntentEndedFn)(const Intent *i, IntentEnd end, void *userdata);
int intents_walk_ended(int dir_fd, IntentEndedFn fn, void *userdata);

/* Removes what storing and removing records, and notes, for this device has left behind when it was cut
 * short. For the holder of its lock. 0 or a negative errno. */
int intents_tidy(int dir_fd, const char *device);

/* Calls `fn` for each record, in no order, with the page (REPAIR_UNIT bytes, aligned); for one that is
 * damaged with i NULL and its name. `fn` may remove the record. Non-zero stops and is returned. */
typedef int (*IntentFn)(const char *name, const Intent *i, const void *page, void *userdata);
int intents_walk(int dir_fd, IntentFn fn, void *userdata);
