/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* exec:PROGRAM [ARGUMENT…]: whatever can be had by a program; the open end of the replicas. The protocol is
 * described in bezoar.protect(5): "stat PATH" tells size and time, "read PATH OFFSET LENGTH" writes exactly
 * that many bytes, and three exit statuses say what is wrong. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replica/child.h"
#include "replica/identity.h"
#include "replica/refuse.h"
#include "replica/replica-backends.h"
#include "util/parse.h"
#include "util/strv.h"
#include "util/time-util.h"

/* Exit statuses. */
enum {
        EXEC_MISSING = 10,      /* it has no copy of that file */
        EXEC_STALE = 11,        /* it has one, and knows that it is not the current one */
        EXEC_AWAY = 12,         /* it cannot tell now: ask again later */
};

typedef struct Exec {
        Replica replica;
        char **argv;            /* the configured ones */
        char **envp;
        char *relative;
        uint64_t deadline_usec;
} Exec;

static Exec *exec_free(Exec *e) {
        if (!e)
                return NULL;
        strv_free(e->argv);
        strv_free(e->envp);
        free(e->relative);
        free(e);
        return NULL;
}
DEFINE_CLEANUP(Exec *, exec_free);

static int add_variable(char ***envp, const char *name, const char *value) {
        _cleanup_free_ char *s = NULL;

        if (!value)
                return 0;
        if (asprintf(&s, "%s=%s", name, value) < 0)
                return -ENOMEM;
        return strv_extend(envp, s);
}

/* Nothing of our own environment, but for the folders that systemd hands out. */
static int make_environment(const Subject *s, char ***ret) {
        _cleanup_strv_ char **envp = NULL;
        char size[32], mtime[48];
        const char *cache = getenv("CACHE_DIRECTORY");
        int r;

        (void) snprintf(size, sizeof(size), "%" PRIu64, s->size);
        (void) snprintf(mtime, sizeof(mtime), "%" PRIdMAX ".%09ld", (intmax_t) s->mtime.tv_sec,
                        s->mtime.tv_nsec);
        r = add_variable(&envp, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        if (r >= 0)
                r = add_variable(&envp, "LANG", "C.UTF-8");
        if (r >= 0)
                r = add_variable(&envp, "HOME", cache ? cache : "/");
        if (r >= 0)
                r = add_variable(&envp, "CACHE_DIRECTORY", cache);
        if (r >= 0)
                r = add_variable(&envp, "CREDENTIALS_DIRECTORY", getenv("CREDENTIALS_DIRECTORY"));
        if (r >= 0)
                r = add_variable(&envp, "BEZOAR_SIZE", size);
        if (r >= 0)
                r = add_variable(&envp, "BEZOAR_MTIME", s->untimed ? NULL : mtime);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(envp);
        return 0;
}

/* Who can write to the program chooses the bytes. */
static int check_program(const char *path, Offer *offer) {
        struct stat st;

        if (stat(path, &st) < 0)
                return none(offer, OFFER_UNREACHABLE, "its program is not there: %s", strerror(errno));
        if (!S_ISREG(st.st_mode))
                return none(offer, OFFER_UNREACHABLE, "its program is no file");
        if ((st.st_mode & (S_IWGRP | S_IWOTH)) || (st.st_uid != 0 && st.st_uid != geteuid()))
                return none(offer, OFFER_UNREADABLE, "its program is not root's, or others may write to it");
        if (access(path, X_OK) < 0)
                return none(offer, OFFER_UNREADABLE, "its program cannot be executed: %s", strerror(errno));
        return 0;
}

static int run(const Exec *e, const char *const *words, void *buf, size_t max, ChildEnd *ret) {
        _cleanup_strv_ char **argv = NULL;
        int r;

        r = strv_copy(e->argv, &argv);
        for (; r >= 0 && *words; words++)
                r = strv_extend(&argv, *words);
        return r < 0 ? r : child_run(argv, e->envp, buf, max, e->deadline_usec, ret);
}

/* How the program ended, where that was not with bytes. */
static int refuse_end(const ChildEnd *end, Offer *offer) {
        const char *says = end->says, *colon = *says ? ": " : "";

        switch (end->status) {
        case EXEC_MISSING:
                return none(offer, OFFER_MISSING, "its program has no copy of the file%s%s", colon, says);
        case EXEC_STALE:
                return none(offer, OFFER_STALE, "its program says that its copy is not the current one%s%s",
                            colon, says);
        case EXEC_AWAY:
                return none(offer, OFFER_UNREACHABLE, "its program asks to come back later%s%s", colon,
                            says);
        default:
                break;
        }
        if (end->too_much)
                return none(offer, OFFER_UNREADABLE, "its program writes too much");
        if (end->signal)
                return none(offer, OFFER_UNREADABLE, "its program was killed by %s%s%s",
                            strsignal(end->signal), colon, says);
        return none(offer, OFFER_UNREADABLE, "its program failed with exit status %d%s%s", end->status,
                    colon, says);
}

/* "1700000000.123456789", with up to nine digits behind the point. A time in whole seconds is taken as it
 * stands: it is the file's only if that has none either. */
static int parse_time(const char *s, struct timespec *ret) {
        size_t n = strcspn(s, "."), digits;
        bool negative = s[0] == '-';
        _cleanup_free_ char *whole = NULL;
        uint64_t seconds, nsec = 0;

        if (negative) {
                s++;
                n--;
        }
        whole = strndup(s, n);
        if (!whole)
                return -ENOMEM;
        if (strspn(whole, "0123456789") != n || parse_u64(whole, &seconds) < 0 || seconds > INT64_MAX)
                return -EINVAL;

        if (s[n] == '.') {
                digits = strspn(s + n + 1, "0123456789");
                if (digits == 0 || digits > 9 || s[n + 1 + digits])
                        return -EINVAL;
                for (size_t i = 0; i < 9; i++)
                        nsec = nsec * 10 + (i < digits ? (uint64_t) (s[n + 1 + i] - '0') : 0);
        }
        *ret = (struct timespec) { .tv_sec = negative ? -(time_t) seconds : (time_t) seconds,
                                   .tv_nsec = (long) nsec };
        return 0;
}

/* "SIZE" or "SIZE TIME", and a newline. */
static int parse_stat(char *text, Likeness *ret, bool *ret_timed) {
        size_t n = strcspn(text, "\n");
        char *space;
        int r;

        if (text[n] && text[n + 1])
                return -EINVAL;
        text[n] = '\0';
        space = strchr(text, ' ');
        if (space)
                *space = '\0';
        if (strspn(text, "0123456789") != strlen(text) || parse_u64(text, &ret->size) < 0)
                return -EINVAL;
        *ret_timed = space;
        if (!space)
                return 0;

        r = parse_time(space + 1, &ret->mtime);
        ret->ctime = ret->mtime;
        return r;
}

static int judge(const Subject *subject, const Likeness *l, bool timed, Offer *offer) {
        offer->state = OFFER_HELD;
        offer->untimed = !timed;
        if (timed && identity_same(subject, l)) {
                offer->proofs = PROOF_BIT(PROOF_IDENTITY);
                return 0;
        }
        offer->detail =
                timed ? identity_explain(subject, l) : strdup("its program tells no time of the file");
        return offer->detail ? 0 : -ENOMEM;
}

static int ask_stat(Exec *e, const Subject *subject, Offer *offer) {
        const char *const words[] = { "stat", e->relative, NULL };
        Likeness l = {};
        ChildEnd end;
        char text[128];
        bool timed;
        int r;

        r = run(e, words, text, sizeof(text) - 1, &end);
        if (r == -ETIMEDOUT)
                return none(offer, OFFER_UNREACHABLE, "its program has not ended in time");
        if (r < 0)
                return r;
        if (end.status != 0 || end.too_much)
                return refuse_end(&end, offer);

        text[end.n] = '\0';
        r = strlen(text) == end.n ? parse_stat(text, &l, &timed) : -EINVAL;
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return none(offer, OFFER_UNREADABLE, "what its program says of size and time is no answer");
        e->replica.size = l.size;
        return judge(subject, &l, timed, offer);
}

static int exec_open(const char *argument, const Subject *subject, Replica **ret, Offer *offer) {
        _cleanup_(exec_freep) Exec *e = calloc(1, sizeof(*e));
        const char *why = NULL;
        int r;

        if (!e)
                return -ENOMEM;
        e->deadline_usec = subject->deadline_usec ? subject->deadline_usec : USEC_INFINITY;
        r = replica_exec_parse(argument, &e->argv, &why);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return none(offer, OFFER_UNREACHABLE, "%s", why);
        r = check_program(e->argv[0], offer);
        if (r != 0)
                return r;

        e->relative = strdup(subject->relative);
        if (!e->relative)
                return -ENOMEM;
        r = make_environment(subject, &e->envp);
        if (r >= 0)
                r = ask_stat(e, subject, offer);
        if (r != 0)
                return r;

        *ret = &TAKE_PTR(e)->replica;
        return 0;
}

static void exec_close(Replica *r) {
        (void) exec_free((Exec *) r);
}

static int exec_read(Replica *r, uint64_t offset, void *buf, size_t n) {
        const Exec *e = (const Exec *) r;
        char from[32], length[32];
        const char *const words[] = { "read", e->relative, from, length, NULL };
        ChildEnd end;
        int q;

        (void) snprintf(from, sizeof(from), "%" PRIu64, offset);
        (void) snprintf(length, sizeof(length), "%zu", n);
        q = run(e, words, buf, n, &end);
        if (q < 0)
                return q;
        if (end.too_much)
                return -EMSGSIZE;
        switch (end.status) {
        case 0:
                return end.n == n ? 0 : -ENODATA;
        case EXEC_MISSING:
                return -ENOENT;
        case EXEC_STALE:
                return -ESTALE;
        case EXEC_AWAY:
                return -EHOSTDOWN;
        default:
                return -EIO;
        }
}

const ReplicaOps replica_exec = {
        .kind = REPLICA_EXEC,
        .open = exec_open,
        .close = exec_close,
        .read = exec_read,
};
