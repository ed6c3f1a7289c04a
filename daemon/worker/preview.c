/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an operator is shown before he gives his word. The way is that of a repair, without what keeps others
 * out: the repair will find out that something is not as it was shown. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"
#include "worker/preview.h"
#include "worker/repair.h"
#include "worker/shown.h"
#include "write/writer.h"

/* *ret_fd is -1 for a device-dax, which is read by the site. */
static int open_owner(const Request *q, const Site *site, int *ret_fd, struct stat *ret_stat,
                      char **ret_error) {
        const Findings *f = q->ranges.items;
        const Owner *o = f->owners.items;
        _cleanup_close_ int fd = -1;
        int r;

        if (o->type == OWNER_DEVICE_DAX) {
                *ret_stat = (struct stat) { .st_size = (off_t) site->size };
                return site_is_dax(site) && site->size == f->file_size
                               ? 0
                               : str_fail(ret_error, -ESTALE, "the device has changed its size");
        }

        r = mapper_open(site->ops, site->mount_fd, o->inode, o->generation, O_RDONLY, &fd);
        if (r != 0)
                return r > 0 ? str_fail(ret_error, -ESTALE, "the file is gone")
                             : str_fail(ret_error, r, "the file cannot be opened: %s", strerror(-r));
        /* Without DAX: what only memory has of it must not be taken for lost. */
        if (!file_is_dax(fd) && fdatasync(fd) < 0)
                return str_fail(ret_error, -errno, "what is in memory of the file cannot be written: %s",
                                strerror(errno));
        if (fstat(fd, ret_stat) < 0)
                return -errno;
        if ((uint64_t) ret_stat->st_size != f->file_size)
                return str_fail(ret_error, -ESTALE, "the file has changed its size");

        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int add_page(const Site *site, int fd, const Gathered *g, const Step *s, Preview *p,
                    char **ret_error) {
        PreviewPage page = { .range = s->range, .offset = s->offset };
        MapOwns owns;
        int r;

        r = site_owns(site, fd, s->range, s->offset, &owns);
        if (r < 0)
                return r;
        if (owns == MAP_OTHERS)
                return str_fail(ret_error, -ESTALE, "the file system gave the block to somebody else");
        r = rangeset_clip(&g->lost, (Range) { s->offset, s->offset + REPAIR_UNIT }, &page.lost);
        if (r >= 0)
                r = vec_push(&p->pages, page);
        if (r < 0)
                rangeset_done(&page.lost);
        return r;
}

static int name_all(const Request *q, Preview *p) {
        const Owners *owners = &q->ranges.items[0].owners;
        int r;

        p->id = q->id;
        r = str_copy(q->volume.device, &p->device);
        if (r >= 0)
                r = str_copy(owners->items[0].path, &p->path);
        if (r >= 0)
                r = str_copy(q->plan.replica, &p->replica);
        for (size_t i = 1; r >= 0 && i < owners->n; i++)
                if (owners->items[i].path)
                        r = strv_extend(&p->also, owners->items[i].path);
        return r;
}

/* What else there is to say about these bytes: what the replica says of itself, and what a seal says. */
static int remark(const Request *q, const struct stat *st, const Gathered *g, const Evidence *e,
                  Preview *p) {
        static const char unsealed[] = "with these bytes the pages are not what was sealed";
        _cleanup_sealed_ Sealed sealed = SEALED_NULL;
        int r = 0;

        if (q->ranges.items[0].owners.items[0].type == OWNER_FILE)
                r = shown_contradicts_seal(q, st, g, e, &sealed);
        if (r <= 0)
                return r < 0 ? r : str_copy(e->offer.detail, &p->detail);
        return asprintf(&p->detail, "%s%s%s", e->offer.detail ? e->offer.detail : "",
                        e->offer.detail ? "; " : "", unsealed) < 0
                       ? (p->detail = NULL, -ENOMEM)
                       : 0;
}

static int show(const Request *q, const Site *site, int fd, const struct stat *st, const Gathered *g,
                Preview *p, char **ret_error) {
        const Evidence *e = g->evidences.items;
        char token[SHOWN_TOKEN + 1];
        int r = 0;

        if (g->lost.n == 0)
                return str_fail(ret_error, -ESTALE, "every byte can be read again");
        assert(g->evidences.n == 1);
        if (!e->bytes)
                return str_fail(ret_error, -ENODATA, "%s: %s", q->plan.replica,
                                e->offer.detail ? e->offer.detail : offer_state_to_string(e->offer.state));

        for (size_t i = 0; r >= 0 && i < q->plan.steps.n; i++)
                if (q->plan.steps.items[i].offset < q->ranges.items[0].file_size)
                        r = add_page(site, fd, g, q->plan.steps.items + i, p, ret_error);
        if (r >= 0)
                r = name_all(q, p);
        if (r >= 0)
                r = remark(q, st, g, e, p);
        if (r >= 0)
                r = shown_compare(g, e, q->limit, p);
        if (r >= 0)
                r = shown_token(q, g, e, token);
        return r < 0 ? r : str_copy(token, &p->shown);
}

int preview(const Request *request, Preview *ret, char **ret_error) {
        char *chosen[] = { request->plan.replica, NULL };
        _cleanup_gathered_ Gathered g = GATHERED_NULL;
        _cleanup_preview_ Preview p = {};
        _cleanup_site_ Site site = SITE_NULL;
        _cleanup_close_ int fd = -1;
        const Protect *protect;
        uint64_t patience = 0;
        struct stat st;
        int r;

        r = repair_request_check(request);
        if (r < 0)
                return r;
        protect = policy_find_owner(&request->policy, request->ranges.items[0].owners.items);
        if (!protect)
                return -EINVAL;

        r = site_open(&request->volume, &site);
        if (r == SITE_E_UNMOUNTED || r == SITE_E_GONE)
                return str_fail(ret_error, -ENODEV, "%s is not there, or not mounted, any more",
                                request->volume.device);
        if (r >= 0)
                r = open_owner(request, &site, &fd, &st, ret_error);
        if (r >= 0)
                r = gather(request, &site, protect, request->ranges.items[0].owners.items,
                           request->ranges.items, fd, &st, chosen, &patience, &g);
        if (r >= 0)
                r = show(request, &site, fd, &st, &g, &p, ret_error);
        if (r < 0)
                return r;

        *ret = p;
        p = (Preview) {};
        return 0;
}
