/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/range.h"
#include "core/topology.h"
#include "util/cleanup.h"

typedef struct sd_event sd_event;
typedef struct Source Source;
typedef struct SourceOps SourceOps;

typedef enum HintKind {
        HINT_DEVICE,            /* re-read the bad blocks of `device`; NULL: of all */
        HINT_DIMM,              /* the memory module `device`, "nmem0", has something to say of its health */
        HINT_TOPOLOGY,          /* devices or mounts came or went: read the Topology, then all bad blocks */
} HintKind;

/* What every source reports, and the only thing it reports. A source is a hint: the daemon re-reads the bad
 * block list of the device before it believes any range, so a source may be early, late, coarse or
 * repeated. */
typedef struct Hint {
        HintKind kind;
        const char *device;     /* kernel name: of a disk, "pmem0", or a module; NULL: all */
        const Range *range;     /* on that device; NULL: all of it */
        const Range *physical;  /* HINT_DEVICE without a device: something was lost at these addresses, which
                                 * may be persistent memory or not; NULL */
} Hint;

typedef void (*HintFn)(const SourceOps *from, const Hint *hint, void *userdata);

/* What a source needs to start. */
typedef struct SourceConfig {
        sd_event *event;
        HintFn fn;
        void *userdata;
        uint64_t rescan_usec;   /* for `timer` */
} SourceConfig;

struct SourceOps {
        const char *name;               /* as in the journal and on the bus */
        const char *description;        /* one line */

        /* Is this usable on the running system? > 0 yes, 0 no, < 0 error. Optional: yes. */
        int (*probe)(void);

        /* Hooks itself into the event loop and calls `fn` from there until closed. */
        int (*open)(const SourceConfig *config, Source **ret);
        void (*close)(Source *s);

        /* The Topology is this now: watch what is in it (attributes of new disks), let go of what is not.
         * Optional: nothing to watch. What cannot be watched (gone again, a plain file in a test) is no
         * error. */
        int (*update)(Source *s, const Topology *t);
};

/* The first member of each source's own struct. */
struct Source {
        const SourceOps *ops;
        SourceConfig config;
};

/* For the sources: the way out. A device that is given belongs to a HINT_DEVICE or HINT_DIMM. */
void source_hint(Source *s, HintKind kind, const char *device);
void source_hint_physical(Source *s, Range physical);

extern const SourceOps *const source_table[];   /* NULL-terminated; sources.c */

/* 0 and *ret; 0 and *ret NULL where probe() says that it cannot be used here; or a negative errno. */
int source_open(const SourceOps *ops, const SourceConfig *config, Source **ret);

/* To be called with each new Topology, *before* the bad blocks are read: what happens from then on is hinted
 * at, what happened until then is not. On a negative errno all is watched that can be. */
int source_update(Source *s, const Topology *t);

/* Neither source_update() nor source_free() calls `fn`, and `fn` must call neither: it notes the hint, and
 * what follows is for later. */
Source *source_free(Source *s);
DEFINE_CLEANUP(Source *, source_free);
