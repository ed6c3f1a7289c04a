/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/seal.h"
#include "worker/digest.h"

/* Seals on disk (core/seal.h has the format): STATE/seal/UUID/INODE.GENERATION, in hexadecimal. UUID is the
 * file system's. */

enum {
        _SEAL_E_SUCCESS,

        SEAL_E_NONE,            /* there is none */
        SEAL_E_DAMAGED,         /* what is there is not what was stored: as good as none */
};

/* A new seal that is being written. It appears under its name, in the place of an older one, when it is
 * committed; until then it is a temporary file, which goes with the draft. Blocks may be written by several
 * threads, in any order, each by one. */
typedef struct SealDraft SealDraft;

/* Fills in s->id. 0 or a negative errno. */
int seal_draft_new(const char *state_dir, const char *uuid, Seal *s, Digester *d, SealDraft **ret);
int seal_draft_block(SealDraft *draft, Digester *d, const Seal *s, uint64_t block, const uint8_t *digests);
int seal_draft_commit(SealDraft *draft);        /* durable when the store is synced (syncfs(2)) */
SealDraft *seal_draft_free(SealDraft *draft);
DEFINE_CLEANUP(SealDraft *, seal_draft_free);

/* A seal that is there, opened. */
typedef struct SealFile {
        int fd;
        size_t head_size;
        Seal seal;
} SealFile;

#define SEAL_FILE_NULL ((SealFile) { .fd = -1 })
void seal_file_close(SealFile *f);
#define _cleanup_seal_file_ _cleanup_(seal_file_close)

/* 0, SEAL_E_*, or a negative errno. */
int seal_file_open(const char *state_dir, const char *uuid, uint64_t inode, uint32_t generation, Digester *d,
                   SealFile *ret);

/* The digest of one page. 0, SEAL_E_DAMAGED, or a negative errno. */
int seal_file_digest(const SealFile *f, Digester *d, uint64_t page, uint8_t ret[static SEAL_DIGEST]);

/* The same file, with other times: after a repair that put back what was sealed, but moved them. The seal is
 * written in its place; a crash meanwhile costs it. 0 or a negative errno. */
int seal_restamp(const char *state_dir, const char *uuid, SealFile *f, Digester *d, SealTime mtime,
                 SealTime ctime);

/* Removes that of a file, durably. 0, also where there is none, or a negative errno. */
int seal_remove(const char *state_dir, const char *uuid, uint64_t inode, uint32_t generation);

/* One sealing at a time, for as long as the descriptor (of the store's folder) is open. 0, -EBUSY, or
 * another negative errno. */
int seal_store_lock(const char *state_dir, int *ret_fd);

/* Calls fn for each seal of the file system, by its name alone; > 0 from fn removes it, < 0 stops and is
 * returned. */
typedef int (*SealNameFn)(uint64_t inode, uint32_t generation, void *userdata);
int seal_store_prune(const char *state_dir, const char *uuid, SealNameFn fn, void *userdata);
