/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Replicas behind a network or a program are not asked by the worker itself, which has every right on this
 * machine, but by bezoar-fetch, which has none: a process for each replica, started by systemd when somebody
 * connects to its socket (bezoar-fetch.socket). It is told what to ask, and which credentials to show; its
 * answers are those of a replica, and are believed as far as those are. */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "build-config.h"
#include "core/codec.h"
#include "replica/credentials-files.h"
#include "replica/refuse.h"
#include "replica/replica-backends.h"
#include "replica/silent.h"
#include "util/stream.h"
#include "util/time-util.h"

#define TIMEOUT_DEFAULT_USEC USEC_PER_MINUTE

typedef struct Remote {
        Replica replica;
        Stream stream;
} Remote;

static void remote_close(Replica *r) {
        Remote *m = (Remote *) r;

        stream_done(&m->stream);
        free(m);
}

static void remote_closep(Remote **m) {
        if (*m)
                remote_close(&(*m)->replica);
}

static const char *socket_path(void) {
        const char *path = secure_getenv("BEZOAR_FETCH");       /* for tests */

        return path && *path ? path : BEZOAR_FETCH_SOCKET;
}

static int connect_to(const char *path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -1;

        if (strlen(path) >= sizeof(a.sun_path))
                return -ENAMETOOLONG;
        (void) strcpy(a.sun_path, path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *) &a, sizeof(a)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int remote_new(const Subject *subject, Remote **ret, Offer *offer) {
        int fd = connect_to(socket_path());
        Remote *m;

        if (fd < 0 && is_our_lack(fd))
                return fd;
        if (fd < 0)
                return none(offer, OFFER_UNREACHABLE,
                            "bezoar-fetch.socket, which would ask it, is not there: %s", strerror(-fd));
        m = calloc(1, sizeof(*m));
        if (!m) {
                (void) close(fd);
                return -ENOMEM;
        }
        m->stream = (Stream) {
                .fd = fd,
                .deadline_usec = subject->deadline_usec ? subject->deadline_usec
                                                        : now_monotonic() + TIMEOUT_DEFAULT_USEC,
        };
        *ret = m;
        return 0;
}

static int send_request(Remote *m, const Subject *subject, const char *uri, const Credentials *c) {
        uint64_t now = now_monotonic();
        const FetchRequest q = {
                .replica = (char *) uri,
                .relative = (char *) subject->relative,
                .size = subject->size,
                .mtime_sec = subject->mtime.tv_sec,
                .mtime_nsec = (uint32_t) subject->mtime.tv_nsec,
                .untimed = subject->untimed,
                .timeout_usec = m->stream.deadline_usec > now ? m->stream.deadline_usec - now : 0,
                .credentials = *c,
        };
        char *text;
        int r;

        text = codec_fetch_request_encode(&q);
        if (!text)
                return -ENOMEM;
        r = stream_write_line(&m->stream, text);
        explicit_bzero(text, strlen(text));
        free(text);
        return r;
}

/* Takes over what bezoar-fetch says, as far as a replica may say it. */
static int take_reply(Remote *m, const char *text, bool image, Offer *offer) {
        _cleanup_fetch_reply_ FetchReply reply = {};
        int r;

        r = codec_fetch_reply_decode(text, &reply, NULL);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return none(offer, OFFER_UNREACHABLE, "bezoar-fetch has not answered in its own words");

        free(offer->detail);
        offer->detail = TAKE_PTR(reply.offer.detail);
        offer->state = reply.offer.state;
        offer->untimed = reply.offer.untimed;
        if (reply.offer.state != OFFER_HELD)
                return REPLICA_E_NONE;
        if (!image)
                offer->proofs = reply.offer.proofs & PROOF_BIT(PROOF_IDENTITY);
        m->replica.size = reply.size;
        return 0;
}

static int ask(Remote *m, const Subject *subject, const Credentials *c, bool image, Offer *offer) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = send_request(m, subject, offer->replica, c);
        if (r >= 0)
                r = stream_read_line(&m->stream, &text);
        if (r == -ENOMEM)
                return r;
        if (r == -ETIMEDOUT) {
                (void) silent_add(offer->replica, false);
                return none(offer, OFFER_UNREACHABLE, "there was no answer in time");
        }
        if (r < 0)
                return none(offer, OFFER_UNREACHABLE, "bezoar-fetch ended without an answer: %s",
                            strerror(-r));
        return take_reply(m, text, image, offer);
}

static int remote_open(const Subject *subject, bool image, Replica **ret, Offer *offer) {
        _cleanup_(remote_closep) Remote *m = NULL;
        _cleanup_credentials_ Credentials c = {};
        _cleanup_free_ char *why = NULL;
        int r;

        r = credentials_load(subject->credentials_dir, offer->replica, &c, &why);
        if (r == CREDENTIALS_E_UNUSABLE)
                return none(offer, OFFER_UNREACHABLE, "%s", why ? why : "its credentials cannot be used");
        if (r < 0)
                return r;
        r = remote_new(subject, &m, offer);
        if (r == 0)
                r = ask(m, subject, &c, image, offer);
        if (r != 0)
                return r;

        *ret = &TAKE_PTR(m)->replica;
        return 0;
}

static int open_file(const char *argument, const Subject *subject, Replica **ret, Offer *offer) {
        return remote_open(subject, false, ret, offer);
}

static int open_image(const char *argument, const Subject *subject, Replica **ret, Offer *offer) {
        return remote_open(subject, true, ret, offer);
}

static int read_piece(Remote *m, Range piece, void *buf) {
        _cleanup_free_ char *question = codec_fetch_range_encode(piece), *answer = NULL;
        uint64_t length;
        int r, error;

        if (!question)
                return -ENOMEM;
        r = stream_write_line(&m->stream, question);
        if (r >= 0)
                r = stream_read_line(&m->stream, &answer);
        if (r >= 0)
                r = codec_fetch_piece_decode(answer, &length, &error);
        if (r < 0)
                return r;
        if (error < 0)
                return error == -ENOMEM ? -EIO : error; /* its lack is not ours */
        if (length != range_size(piece))
                return -EBADMSG;
        return stream_read(&m->stream, buf, length);
}

static int remote_read(Replica *r, uint64_t offset, void *buf, size_t n) {
        Remote *m = (Remote *) r;

        for (size_t done = 0; done < n;) {
                size_t k = n - done < FETCH_PIECE_MAX ? n - done : FETCH_PIECE_MAX;
                int q = read_piece(m, (Range) { offset + done, offset + done + k }, (uint8_t *) buf + done);

                if (q < 0)
                        return q;
                done += k;
        }
        return 0;
}

#define REMOTE(suffix, kind_, image_)                           \
        const ReplicaOps replica_remote_##suffix = {            \
                .kind = (kind_),                                \
                .image = (image_),                              \
                .open = (image_) ? open_image : open_file,      \
                .close = remote_close,                          \
                .read = remote_read,                            \
        }

REMOTE(nbd, REPLICA_NBD, true);
REMOTE(http, REPLICA_HTTP, false);
REMOTE(https, REPLICA_HTTPS, false);
REMOTE(exec, REPLICA_EXEC, false);
