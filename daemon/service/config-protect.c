/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What has to hold for a protect file as a whole, and among all of them. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/replica-uri.h"
#include "service/config-protect.h"
#include "util/cleanup.h"
#include "util/vec.h"

void candidate_done(Candidate *c) {
        assert(c);

        protect_done(&c->protect);
        free(c->file);
        c->file = NULL;
}

void candidates_done(Candidates *l) {
        assert(l);

        for (size_t i = 0; i < l->n; i++)
                candidate_done(&l->items[i]);
        vec_done(l);
}

static const char *subject(const Candidate *c) {
        return c->protect.path ? c->protect.path : c->protect.device;
}

/* Is `path` the same as `outer`, or below it? */
static bool path_is_within(const char *path, const char *outer) {
        size_t n = strlen(outer);

        if (n == 1)
                return true;            /* "/" */
        return strncmp(path, outer, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Does a replica lie within what it is the replica of? */
static int check_place(const Candidate *c, const char *uri, Diagnostics *d) {
        _cleanup_free_ char *image = NULL;
        const char *argument = NULL, *why;
        uint64_t offset;
        ReplicaKind k = replica_kind_of(uri, &argument);
        int r = 0;

        if (k == REPLICA_BLOCK)
                r = replica_block_parse(argument, &image, &offset, &why);
        if (r == -ENOMEM)
                return r;
        if ((k != REPLICA_MIRROR && !image) || !path_is_within(image ? image : argument, c->protect.path))
                return 0;
        return diagnostics_add(
                d, c->file, 0, SEVERITY_ERROR,
                "Replica=%s lies within Path=%s; allowed is a place outside of it, on another "
                "device",
                uri, c->protect.path);
}

/* Images have no identity to show; can they show anything that would do? Seals are for all. */
static bool is_enough(const ProofPolicy *p, const char *uri) {
        ReplicaKind k = replica_kind_of(uri, NULL);

        if (k != REPLICA_BLOCK && k != REPLICA_NBD)
                return true;
        for (size_t i = 0; i < p->n; i++)
                if (!(p->any_of[i] & (PROOF_BIT(PROOF_IDENTITY) | PROOF_BIT(PROOF_SEAL))))
                        return true;
        return false;
}

static int check_replicas(const Candidate *c, Diagnostics *d) {
        const Protect *p = &c->protect;

        if (!p->replicas)
                return diagnostics_add(d, c->file, 0, SEVERITY_WARNING,
                                       "no Replica=; bytes lost here will be reported, and not restored");

        for (char **s = p->replicas; *s; s++) {
                int r = p->path ? check_place(c, *s, d) : 0;

                if (r == 0 && p->path && !is_enough(&p->proof, *s))
                        r = diagnostics_add(
                                d, c->file, 0, SEVERITY_WARNING,
                                "Replica=%s knows no times of files and cannot show identity: "
                                "what has no seal will not be restored from it, as Proof= stands",
                                *s);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Of a device-dax nobody keeps a time: no replica can show identity, and no seal is known to be of now. */
static bool device_is_provable(const ProofPolicy *p) {
        for (size_t i = 0; i < p->n; i++)
                if (!(p->any_of[i] & (PROOF_BIT(PROOF_IDENTITY) | PROOF_BIT(PROOF_SEAL))))
                        return true;
        return false;
}

static bool allows_optimism(const ExclusionList *l) {
        for (size_t i = 0; i < l->n; i++)
                if (l->items[i] == EXCLUSION_OPTIMISTIC)
                        return true;
        return false;
}

static int check_device(const Candidate *c, Diagnostics *d) {
        const Protect *p = &c->protect;
        int r = 0;

        if (!device_is_provable(&p->proof))
                r = diagnostics_add(d, c->file, c->line, SEVERITY_WARNING,
                                    "nothing will be repaired: nobody keeps a time of a device, so that "
                                    "Proof= has to allow neighbours or quorum without identity or seal");
        if (r == 0 && !allows_optimism(&p->exclusion))
                r = diagnostics_add(d, c->file, c->line, SEVERITY_WARNING,
                                    "nothing will be repaired: a device can be neither leased nor frozen, "
                                    "so that Exclusion= has to allow optimistic");
        return r;
}

/* Settings that are right, and with which this version can do nothing: better said now than found out at
 * night. */
static int check_useful(const Candidate *c, Diagnostics *d) {
        const Protect *p = &c->protect;
        bool provable = false;
        int r = 0;

        for (size_t i = 0; i < p->proof.n; i++)
                provable = provable || !(p->proof.any_of[i] & PROOF_BIT(PROOF_SEAL));

        if (p->device)
                return check_device(c, d);
        if (!provable)
                r = diagnostics_add(d, c->file, 0, SEVERITY_WARNING,
                                    "nothing will be repaired: of Proof= this version can show identity, "
                                    "neighbours and quorum, but no seal");
        return r;
}

int candidate_check(Candidate *c, Diagnostics *d) {
        size_t errors;
        int r = 0;

        assert(c);
        assert(d);

        errors = d->errors;
        if (c->protect.path && c->protect.device)
                r = diagnostics_add(d, c->file, c->line, SEVERITY_ERROR,
                                    "both Path= and Device=; one of them is allowed, make a file for each");
        else if (!subject(c) && !c->bad)        /* else the line that is wrong may be the one */
                r = diagnostics_add(d, c->file, 0, SEVERITY_ERROR,
                                    "neither Path= nor Device=; one of them must be there");
        if (r == 0 && !c->bad)
                r = check_replicas(c, d);
        if (r == 0 && !c->bad && d->errors == errors)
                r = check_useful(c, d);
        if (r < 0)
                return r;

        c->bad = c->bad || d->errors > errors;
        if (!c->bad)
                return 0;
        return diagnostics_add(d, c->file, 0, SEVERITY_ERROR,
                               "not used because of this; nothing is protected by it until it is corrected");
}

/* By path, so that whatever lies within a path follows it directly: '/' sorts before every other
 * character. */
static int compare_subjects(const void *a, const void *b) {
        const unsigned char *x = (const unsigned char *) subject(*(Candidate *const *) a);
        const unsigned char *y = (const unsigned char *) subject(*(Candidate *const *) b);

        while (*x && *x == *y)
                x++, y++;
        return (*x == '/' ? 1 : *x ? *x + 1 : 0) - (*y == '/' ? 1 : *y ? *y + 1 : 0);
}

static int complain(Candidate *c, const Candidate *other, Diagnostics *d) {
        c->bad = true;
        return diagnostics_add(d, c->file, c->line, SEVERITY_ERROR,
                               "'%s' overlaps with '%s' of %s; neither file is used", subject(c),
                               subject(other), other->file);
}

int candidates_check_overlaps(Candidates *l, Diagnostics *d) {
        _cleanup_free_ Candidate **sorted = NULL;
        Candidate *outer = NULL, *told = NULL;
        size_t n = 0;

        assert(l);
        assert(d);

        sorted = calloc(l->n + 1, sizeof(*sorted));
        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < l->n; i++)
                if (subject(&l->items[i]))
                        sorted[n++] = &l->items[i];
        if (n > 1)
                qsort(sorted, n, sizeof(*sorted), compare_subjects);

        for (size_t i = 0; i < n; i++) {
                int r;

                if (!outer || !path_is_within(subject(sorted[i]), subject(outer))) {
                        outer = sorted[i];
                        continue;
                }
                r = complain(sorted[i], outer, d);
                if (r < 0)
                        return r;
                if (told == outer)      /* of many within it, the first is enough */
                        continue;
                r = complain(outer, sorted[i], d);
                if (r < 0)
                        return r;
                told = outer;
        }
        return 0;
}
