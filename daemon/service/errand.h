/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "service/manager-internal.h"

/* A request on its way: about one device, and some of its cases, which are busy meanwhile. */
struct Errand {
        Manager *manager;
        char *disk;
        struct { Tracked **items; size_t n, allocated; } cases;
        size_t judged;          /* locate: so many of the cases, since it was answered */
        bool untold;            /* settle: there are intents of which no case was named */
};

int errand_new(Manager *m, const char *disk, Errand **ret);     /* 0, -ENOMEM */
int errand_take(Errand *e, Tracked *t);                         /* 0, -ENOMEM */
Errand *errand_free(Errand *e);                                 /* its cases are no longer busy */
DEFINE_CLEANUP(Errand *, errand_free);

/* Sends it; fn gets the errand as userdata and frees it with the last answer. 0 or a negative errno: fn
 * is not called. */
int errand_send(Errand *e, const Request *q, EngineFn fn);

/* A request of that verb about a disk, with policy and the disk as volume. 0, -ENOENT (no such disk),
 * -ENOMEM. */
int manager_request(Manager *m, Verb verb, const char *disk, Request *ret);

/* Exchanges its volume for one on (or above) the same disk. 0, -ENOMEM. */
int request_set_volume(Request *q, const Volume *v);

/* Why a request ended without an answer, from the engine's error. */
Reason errand_failure(int error);
