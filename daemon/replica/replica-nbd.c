/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* nbd:URI: an image of the device that the file system is on, served over NBD: nbd://, nbds:// (TLS is then
 * required, not only tried), and both over a Unix socket. Like block: it has no files and no times; offsets
 * are those of the device, and a server that has it within something larger gives it an export of its own.
 *
 * libnbd is used through its asynchronous calls, because only these can be given a deadline. A URI cannot
 * name files of this machine: certificates and keys come with the credentials, and lie in a folder of this
 * process while the connection is made. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libnbd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/range.h"
#include "replica/refuse.h"
#include "replica/replica-backends.h"
#include "util/file.h"
#include "util/time-util.h"

#define PIECE (UINT64_C(1) << 20)
#define FILE_MAX 64

typedef struct Nbd {
        Replica replica;
        struct nbd_handle *nbd;
        uint64_t deadline_usec;
        int failed;             /* a read that was given up may still be answered, into the pages */
        uint8_t *pages;
} Nbd;

static void nbd_done(Replica *r) {
        Nbd *n = (Nbd *) r;

        nbd_close(n->nbd);
        free(n->pages);
        free(n);
}

static void nbd_donep(Nbd **n) {
        if (*n)
                nbd_done(&(*n)->replica);
}

/* Certificates and keys, as files, because libnbd takes nothing else. */
typedef struct Folder {
        char path[32];
        int fd;
} Folder;

static const char *const folder_files[] = { "ca-cert.pem", "client-cert.pem", "client-key.pem", "psk" };

static void folder_done(Folder *f) {
        if (f->fd < 0)
                return;
        for (size_t i = 0; i < sizeof(folder_files) / sizeof(folder_files[0]); i++)
                (void) unlinkat(f->fd, folder_files[i], 0);
        closep(&f->fd);
        (void) rmdir(f->path);
}

static int folder_make(Folder *f, const Credentials *c) {
        const char *const texts[] = { c->ca, c->certificate, c->key, c->psk };

        (void) strcpy(f->path, "/tmp/bezoar-tls-XXXXXX");
        if (!mkdtemp(f->path))
                return -errno;
        f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (f->fd < 0)
                return -errno;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                int r = texts[i] ? file_replace_lazily(f->fd, folder_files[i], texts[i], strlen(texts[i]),
                                                       0600)
                                 : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

/* 0, or -1 with nbd_get_error(). */
static int set_credentials(struct nbd_handle *nbd, const Folder *f, const Credentials *c) {
        char psk[FILE_MAX];

        (void) snprintf(psk, sizeof(psk), "%s/psk", f->path);
        if (c->user && nbd_set_tls_username(nbd, c->user) < 0)
                return -1;
        if (c->psk)
                return nbd_set_tls_psk_file(nbd, psk);
        return c->ca || c->certificate ? nbd_set_tls_certificates(nbd, f->path) : 0;
}

/* Lets libnbd work until something has happened. 0, -ETIMEDOUT, or -EIO with nbd_get_error(). */
static int work(const Nbd *n) {
        uint64_t now = now_monotonic(), left;

        if (now >= n->deadline_usec)
                return -ETIMEDOUT;
        left = (n->deadline_usec - now) / USEC_PER_MSEC + 1;
        return nbd_poll(n->nbd, left > 1000 ? 1000 : (int) left) < 0 ? -EIO : 0;
}

static int refuse_away(Offer *offer, int error) {
        const char *why = error == -ETIMEDOUT ? "there was no answer in time" : nbd_get_error();

        return none(offer, OFFER_UNREACHABLE, "the server does not answer: %s",
                    why ? why : "no reason is known");
}

static int connect_to(const Nbd *n, const char *uri) {
        if (nbd_aio_connect_uri(n->nbd, uri) < 0)
                return -EIO;
        while (nbd_aio_is_connecting(n->nbd)) {
                int r = work(n);

                if (r < 0)
                        return r;
        }
        return nbd_aio_is_ready(n->nbd) ? 0 : -EIO;
}

static int nbd_open(const char *argument, const Subject *subject, Replica **ret, Offer *offer) {
        _cleanup_(folder_done) Folder folder = { .fd = -1 };
        _cleanup_(nbd_donep) Nbd *n = calloc(1, sizeof(*n));
        int64_t size;
        int r;

        if (!n)
                return -ENOMEM;
        n->deadline_usec = subject->deadline_usec ? subject->deadline_usec : USEC_INFINITY;
        n->nbd = nbd_create();
        n->pages = malloc(PIECE);
        if (!n->nbd || !n->pages)
                return -ENOMEM;
        if (subject->credentials) {
                r = folder_make(&folder, subject->credentials);
                if (r < 0)
                        return r;
        }
        if (nbd_set_uri_allow_local_file(n->nbd, false) < 0 ||
            nbd_set_uri_allow_transports(n->nbd, LIBNBD_ALLOW_TRANSPORT_TCP | LIBNBD_ALLOW_TRANSPORT_UNIX) <
                    0 ||
            (subject->credentials && set_credentials(n->nbd, &folder, subject->credentials) < 0))
                return none(offer, OFFER_UNREACHABLE, "libnbd does not take it: %s", nbd_get_error());

        r = connect_to(n, argument);
        if (r < 0)
                return refuse_away(offer, r);
        size = nbd_get_size(n->nbd);
        if (size < 0)
                return refuse_away(offer, -EIO);

        n->replica.size = (uint64_t) size;
        offer->state = OFFER_HELD;
        offer->detail = strdup("an image of the device has no file times to compare");
        if (!offer->detail)
                return -ENOMEM;
        *ret = &TAKE_PTR(n)->replica;
        return 0;
}

static int read_piece(const Nbd *n, Range r, void *buf) {
        int64_t cookie = nbd_aio_pread(n->nbd, buf, range_size(r), r.start, NBD_NULL_COMPLETION, 0);
        int q;

        if (cookie < 0)
                return nbd_get_errno() == ENOTCONN ? -ENOTCONN : -EIO;
        for (;;) {
                q = nbd_aio_command_completed(n->nbd, (uint64_t) cookie);
                if (q > 0)
                        return 0;
                if (q < 0)
                        return nbd_get_errno() ? -nbd_get_errno() : -EIO;
                q = work(n);
                if (q == -EIO && nbd_aio_is_dead(n->nbd))
                        return -ECONNRESET;
                if (q < 0)
                        return q;
        }
}

/* In whole pages, as far as there are: a server may allow no less. After a failure no more is asked, since a
 * late answer would go into the pages of the next question. */
static int nbd_read(Replica *r, uint64_t offset, void *buf, size_t size) {
        Nbd *n = (Nbd *) r;

        for (size_t done = 0; n->failed == 0 && done < size;) {
                uint64_t at = offset + done, from = at / REPAIR_UNIT * REPAIR_UNIT, end;
                size_t k = size - done;

                if (k > from + PIECE - at)
                        k = from + PIECE - at;
                end = (at + k + REPAIR_UNIT - 1) / REPAIR_UNIT * REPAIR_UNIT;
                if (end > n->replica.size)
                        end = n->replica.size;
                n->failed = read_piece(n, (Range) { from, end }, n->pages);
                if (n->failed == 0)
                        memcpy((uint8_t *) buf + done, n->pages + (at - from), k);
                done += k;
        }
        return n->failed;
}

const ReplicaOps replica_nbd = {
        .kind = REPLICA_NBD,
        .image = true,
        .open = nbd_open,
        .close = nbd_done,
        .read = nbd_read,
};
