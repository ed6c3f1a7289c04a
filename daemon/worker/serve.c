/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/codec.h"
#include "replica/replica.h"
#include "topo/topo.h"
#include "util/file.h"
#include "worker/confine.h"
#include "worker/locate.h"
#include "worker/mend.h"
#include "worker/park.h"
#include "worker/preview.h"
#include "worker/rehearse.h"
#include "worker/repair.h"
#include "worker/serve.h"
#include "worker/settle-intents.h"
#include "write/writer.h"

#define LINE_MAX_BYTES ((ssize_t) 16 * 1024 * 1024)

static int line_write(int fd, const char *text) {
        int r = write_full(fd, text, strlen(text));

        return r < 0 ? r : write_full(fd, "\n", 1);
}

/* One byte that carries descriptors. */
static int byte_write_with(int fd, const char *byte, const int *fds, size_t n) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int) * HOLDS_MAX)];
        } control = {};
        struct iovec iov = { .iov_base = (char *) byte, .iov_len = 1 };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
        struct cmsghdr *c;

        msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
        c = CMSG_FIRSTHDR(&msg);
        assert(c);              /* there is room for one */
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
        return sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The first bytes carry the descriptors, as many each as one message takes; the rest of the line follows
 * as usual. */
static int line_write_with(int fd, const char *text, const Holds *holds) {
        struct stat st;

        if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
                return line_write(fd, text);

        for (size_t done = 0; done < holds->n;) {
                size_t n = holds->n - done < HOLDS_MAX ? holds->n - done : HOLDS_MAX;
                int r;

                if (!text[0] || !text[1])
                        return -E2BIG;
                r = byte_write_with(fd, text++, holds->items + done, n);
                if (r < 0)
                        return r;
                done += n;
        }
        return line_write(fd, text);
}

typedef struct Out {
        int fd;
        int error;
} Out;

static void result_write(const Result *result, void *userdata) {
        _cleanup_free_ char *text = codec_result_encode(result);
        Out *out = userdata;
        int r = text ? line_write(out->fd, text) : -ENOMEM;

        if (r < 0 && out->error == 0)
                out->error = r;
}

static int serve_locate(const Request *request, Patience *patience, int fd) {
        _cleanup_locate_reply_ LocateReply reply = {};
        _cleanup_holds_ Holds holds = {};
        _cleanup_free_ char *text = NULL;
        int r;

        r = locate(request, patience, &reply, &holds);
        if (r < 0)
                return r;

        text = codec_locate_reply_encode(&reply);
        return text ? line_write_with(fd, text, &holds) : -ENOMEM;
}

static int serve_plan(const Request *request, Patience *patience, int fd, char **ret_error) {
        _cleanup_locate_reply_ LocateReply reply = {};
        _cleanup_free_ char *text = NULL;
        int r;

        r = rehearse(request, patience, &reply, ret_error);
        if (r < 0)
                return r;

        text = codec_locate_reply_encode(&reply);
        return text ? line_write(fd, text) : -ENOMEM;
}

static int serve_preview(const Request *request, int fd, char **ret_error) {
        _cleanup_preview_ Preview p = {};
        _cleanup_free_ char *text = NULL;
        int r;

        r = preview(request, &p, ret_error);
        if (r < 0)
                return r;

        text = codec_preview_encode(&p);
        return text ? line_write(fd, text) : -ENOMEM;
}

static int serve_repair(const Request *request, int fd) {
        _cleanup_result_ Result result = {};
        Out out = { .fd = fd };
        int r;

        r = fault_point(getenv("BEZOAR_FAULT"), "before-repair");
        if (r >= 0)
                r = (request->verb == VERB_PARK   ? park
                     : request->verb == VERB_MEND ? mend
                                                  : repair)(request, result_write, &out, &result);
        if (r < 0)
                return r;

        result_write(&result, &out);
        return out.error;
}

/* The last line of a settlement has no id: it says that all has been told. */
static int serve_settle(const Request *request, Patience *patience, int fd) {
        const Result end = { .state = CASE_DETECTED, .writer = WRITER_AUTO,
                            .exclusion = _EXCLUSION_INVALID };
        Out out = { .fd = fd };
        int r;

        r = settle_intents(request, &patience->progress, result_write, &out);
        if (r < 0)
                return r;

        result_write(&end, &out);
        return out.error;
}

static int serve_topology(int fd) {
        _cleanup_topology_ Topology t = {};
        _cleanup_free_ char *text = NULL;
        int r;

        r = topo_read(&t);
        if (r < 0)
                return r;

        text = codec_topology_encode(&t);
        return text ? line_write(fd, text) : -ENOMEM;
}

static int serve_health(int fd) {
        _cleanup_dimm_healths_ DimmHealths l = {};
        _cleanup_free_ char *text = NULL;
        int r;

        r = topo_read_health(&l);
        if (r < 0)
                return r;

        text = codec_health_encode(&l);
        return text ? line_write(fd, text) : -ENOMEM;
}

/* Answered as a settlement ends: there is no more to say than that it was begun. */
static int serve_scrub(int fd) {
        const Result end = { .state = CASE_DETECTED, .writer = WRITER_AUTO,
                            .exclusion = _EXCLUSION_INVALID };
        Out out = { .fd = fd };
        int r;

        r = topo_start_scrub();
        if (r < 0)
                return r;
        result_write(&end, &out);
        return out.error;
}

int serve_request(const Request *request, Patience *patience, int out_fd) {
        _cleanup_free_ char *error = NULL;
        int r;

        switch (request->verb) {
        case VERB_LOCATE:
                r = serve_locate(request, patience, out_fd);
                break;
        case VERB_REPAIR:
        case VERB_PARK:
        case VERB_MEND:
                r = serve_repair(request, out_fd);
                break;
        case VERB_SETTLE:
                r = serve_settle(request, patience, out_fd);
                break;
        case VERB_TOPOLOGY:
                r = serve_topology(out_fd);
                break;
        case VERB_HEALTH:
                r = serve_health(out_fd);
                break;
        case VERB_SCRUB:
                r = serve_scrub(out_fd);
                break;
        case VERB_PLAN:
                r = serve_plan(request, patience, out_fd, &error);
                break;
        case VERB_PREVIEW:
                r = serve_preview(request, out_fd, &error);
                break;
        case _VERB_MAX:
        case _VERB_INVALID:
        default:
                r = -EINVAL;
        }

        if (r < 0) {
                _cleanup_free_ char *text = codec_error_encode(error ? error : strerror(-r));

                if (text)
                        (void) line_write(out_fd, text);
        }
        return r;
}

static void file_closep(FILE **f) {
        if (*f)
                (void) fclose(*f);
}

int serve(int in_fd, int out_fd) {
        __attribute__((cleanup(file_closep))) FILE *in = fdopen(in_fd, "re");
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        ssize_t n;

        if (!in)
                return -errno;

        while ((n = getline(&line, &size, in)) > 0) {
                _cleanup_request_ Request request = {};
                _cleanup_free_ char *error = NULL;
                int r;

                if (n > LINE_MAX_BYTES)
                        return -EFBIG;
                if (line[n - 1] == '\n')
                        line[n - 1] = '\0';

                r = codec_request_decode(line, &request, &error);
                if (r < 0) {
                        _cleanup_free_ char *text = codec_error_encode(error ? error : strerror(-r));

                        r = text ? line_write(out_fd, text) : -ENOMEM;
                } else {
                        Patience patience;

                        replica_new_request();
                        patience_init(&patience, out_fd, request.policy.worker_timeout_usec);
                        request.deadline_usec = patience.deadline_usec;
                        r = confine_for(request.verb);
                        if (r < 0)
                                return r;
                        r = serve_request(&request, &patience, out_fd);
                }
                if (r == -EPIPE)
                        return r;
        }
        return 0;
}
