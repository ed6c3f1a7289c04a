/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/owner.h"
#include "core/proof.h"
#include "util/cleanup.h"

/* What the administrator allows. */

typedef enum Mode {
        MODE_REPAIR,
        MODE_OBSERVE,           /* everything but the writing */
        _MODE_MAX,
        _MODE_INVALID = -EINVAL,
} Mode;

typedef enum Exclusion {
        EXCLUSION_LEASE,        /* F_SETLEASE write lease: nobody else has the file open */
        EXCLUSION_FREEZE,       /* FIFREEZE: stops stores through mappings too */
        EXCLUSION_OPTIMISTIC,   /* compare and write within microseconds */
        _EXCLUSION_MAX,
        _EXCLUSION_INVALID = -EINVAL,
} Exclusion;

typedef enum WriterKind {
        WRITER_AUTO,            /* the planner chooses by facts */
        WRITER_PWRITE,
        WRITER_REVIVE,
        WRITER_BLOCK,
        WRITER_CLONE,
        WRITER_PARK,
        WRITER_MEND,            /* the file system, rebuilding a part of itself */
        WRITER_CLEAR,
        WRITER_PUNCH,
        _WRITER_MAX,
        _WRITER_INVALID = -EINVAL,
} WriterKind;

typedef struct ExclusionList {
        Exclusion items[_EXCLUSION_MAX];        /* in the order in which they are tried; none twice */
        size_t n;
} ExclusionList;

/* One protect file. */
typedef struct Protect {
        char *name;             /* NAME of protect.d/NAME.conf */
        char *path;             /* absolute, normalised, a folder or file; or NULL */
        char *device;           /* or a device-dax node */
        char **replicas;        /* "mirror:/srv/mirror/db", in order */
        ProofPolicy proof;
        ExclusionList exclusion;
        WriterKind writer;
} Protect;

/* What stays free on a file system, however much is looked through for a block to be parked: the larger of
 * the two. */
typedef struct ParkReserve {
        uint64_t bytes;
        uint64_t percent;       /* of the size of the file system, at most 100 */
} ParkReserve;

#define PARK_RESERVE_DEFAULT ((ParkReserve) { .percent = 1 })

typedef struct Policy {
        Mode mode;
        uint64_t rescan_usec;
        uint64_t worker_timeout_usec;
        uint64_t budget_n;              /* repairs (pages) … */
        uint64_t budget_usec;           /* … in this time */
        uint64_t page_budget_n;         /* repairs of one page … */
        uint64_t page_budget_usec;      /* … in this time */
        char *credentials_dir;          /* what workers show to replicas; NULL: none */
        ParkReserve park_reserve;
        char *notify_unit;              /* "NAME@.service", started with the id of a case; NULL: none */
        struct { Protect *items; size_t n, allocated; } protects;
} Policy;

#define RESCAN_DEFAULT_USEC (UINT64_C(15) * 60 * 1000000)
#define WORKER_TIMEOUT_DEFAULT_USEC (UINT64_C(2) * 60 * 1000000)
#define BUDGET_DEFAULT_N 512
#define BUDGET_DEFAULT_USEC (UINT64_C(3600) * 1000000)
#define BUDGET_MAX_N 1000000            /* the daemon remembers the time of each */

#define PAGE_BUDGET_DEFAULT_N 3
#define PAGE_BUDGET_DEFAULT_USEC (UINT64_C(3600) * 1000000)

/* The defaults of every setting; no protects. */
void policy_init(Policy *p);
void policy_done(Policy *p);
#define _cleanup_policy_ _cleanup_(policy_done)

/* Defaults of a protect file: Proof=seal,identity+neighbours Exclusion=lease,freeze,optimistic
 * Writer=auto. */
void protect_init(Protect *p);
void protect_done(Protect *p);
#define _cleanup_protect_ _cleanup_(protect_done)
int protect_copy(const Protect *p, Protect *ret);

/* A deep copy. 0 or -ENOMEM. */
int policy_copy(const Policy *p, Policy *ret);

/* The protect whose Path= is the longest that holds `path` (whole components: /srv/a does not hold
 * /srv/ab), or NULL. */
const Protect *policy_find_path(const Policy *p, const char *path);
const Protect *policy_find_device(const Policy *p, const char *device);

/* Of a file or device-dax, by its path; NULL also where that is not known. */
const Protect *policy_find_owner(const Policy *p, const Owner *o);

/* `path` below the protect's Path=, without a leading slash; "" for the path itself; NULL when it is not
 * below. Points into `path`. */
const char *protect_relative(const Protect *p, const char *path);

const char *mode_to_string(Mode m);
Mode mode_from_string(const char *s);
const char *exclusion_to_string(Exclusion e);
Exclusion exclusion_from_string(const char *s);

/* May this writer write under that exclusion? In a frozen file system only one that goes past it, and that
 * one only there: nothing else keeps the block where it is. A device-dax can be neither leased nor frozen.
 * What is punched is gone until it has been written, which nobody else may see. */
bool writer_suits(WriterKind w, Exclusion e);

/* May it write a block that several files share? `block` writes what is lost for all of them, `clone` gives
 * all of them another; any other would write for one file what is the others' too. */
bool writer_takes_shared(WriterKind w);

const char *writer_to_string(WriterKind w);
WriterKind writer_from_string(const char *s);

/* "lease,optimistic". 0, -EINVAL (empty, unknown or doubled word). */
int exclusion_list_parse(const char *s, ExclusionList *ret);
char *exclusion_list_format(const ExclusionList *l);    /* NULL: no memory */

/* "64M" or "1%". 0, -EINVAL, -ERANGE. */
int park_reserve_parse(const char *s, ParkReserve *ret);

/* In bytes, for a file system of that size. */
uint64_t park_reserve_of(const ParkReserve *p, uint64_t fs_size);

/* "512/1h": N in T. 0, -EINVAL, -ERANGE. N is at least 1 and at most BUDGET_MAX_N, T at least 1 s. */
int budget_parse(const char *s, uint64_t *ret_n, uint64_t *ret_usec);
