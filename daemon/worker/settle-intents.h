/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "map/mapper.h"

/* The verb `settle`: what earlier workers had begun on this volume and did not finish. Of each case that has
 * an intent of the volume's file system `fn` gets one Result, that of its worst page: healed (the write was
 * done, or is done now), gone (the bytes are no longer that file's, or newer data stays), detected (still
 * poisoned: locate it again), waiting (not possible now), in-doubt, or failed. Intents of other volumes
 * are left alone. What belongs to no case (a damaged record, a repair by hand) comes as progress. 0, -EBUSY
 * (another worker acts on this device), or a negative errno. `progress`: NULL, or who waits, also
 * while a file system is searched. */
typedef void (*SettledFn)(const Result *result, void *userdata);
int settle_intents(const Request *request, const MapProgress *progress, SettledFn fn, void *userdata);
