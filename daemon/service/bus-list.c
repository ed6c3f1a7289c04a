/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Lists of cases, and the filter that they are asked for with. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"
#include "service/bus-internal.h"
#include "util/vec.h"

typedef struct Filter {
        bool closed;
        unsigned states;                /* bit 1 << CaseState; 0: all */
        const char *device;             /* in the message; NULL: all */
        char *path;                     /* NULL: all */
        uint64_t since, limit;
} Filter;

static void filter_done(Filter *f) {
        free(f->path);
}

/* ---- the filter ---- */

static int read_state(sd_bus_message *m, Filter *f, sd_bus_error *error) {
        char quoted[BUS_QUOTE_MAX];
        const char *word;
        CaseState s;
        int r;

        r = sd_bus_message_read(m, "s", &word);
        if (r <= 0)
                return r;
        s = case_state_from_string(word);
        if ((int) s < 0)
                return sd_bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                         "'%s' is no state; there are detected, located, repairing, "
                                         "healed, harmless, "
                                         "refused, waiting, failed, in-doubt, gone.",
                                         bus_quote(word, quoted));
        f->states |= 1U << s;
        return 1;
}

static int read_states(sd_bus_message *m, Filter *f, sd_bus_error *error) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0) {
                r = read_state(m, f, error);
                if (r == 0)
                        return sd_bus_message_exit_container(m);
        }
        return r;
}

static int read_path(sd_bus_message *m, Filter *f, sd_bus_error *error) {
        const char *text;
        int r;

        r = sd_bus_message_read(m, "s", &text);
        if (r >= 0)
                r = bus_check_length("path", text, error);
        if (r < 0)
                return r;
        free(f->path);
        f->path = NULL;
        r = codec_path_unescape(text, &f->path);
        if (r == -EBADMSG || (r >= 0 && f->path[0] != '/'))
                return sd_bus_error_set(error, BUS_ERROR_INVALID_ARGUMENT,
                                        "An absolute path is wanted, in which a backslash is written "
                                        "\\x5c.");
        return r;
}

static int read_device(sd_bus_message *m, Filter *f, sd_bus_error *error) {
        int r = sd_bus_message_read(m, "s", &f->device);

        return r < 0 ? r : bus_check_length("device", f->device, error);
}

static int read_closed(sd_bus_message *m, Filter *f, sd_bus_error *error) {
        int closed = false, r;

        r = sd_bus_message_read(m, "b", &closed);
        f->closed = closed;
        return r;
}

static int read_since(sd_bus_message *m, Filter *f, sd_bus_error *error) {
        return sd_bus_message_read(m, "t", &f->since);
}

static int read_limit(sd_bus_message *m, Filter *f, sd_bus_error *error) {
        return sd_bus_message_read(m, "t", &f->limit);
}

static const struct {
        const char *key, *type;
        int (*read)(sd_bus_message *m, Filter *f, sd_bus_error *error);
} filter_keys[] = {
        { "closed", "b", read_closed },
        { "state", "s", read_state },
        { "state", "as", read_states },
        { "device", "s", read_device },
        { "path", "s", read_path },
        { "since", "t", read_since },
        { "limit", "t", read_limit },
};

static int read_entry(sd_bus_message *m, Filter *f, sd_bus_error *error) {
        char quoted[BUS_QUOTE_MAX];
        const char *key, *type = NULL;
        bool known = false;
        int r;

        r = sd_bus_message_read(m, "s", &key);
        if (r >= 0)
                r = sd_bus_message_peek_type(m, NULL, &type);
        if (r < 0)
                return r;

        for (size_t i = 0; i < sizeof(filter_keys) / sizeof(filter_keys[0]); i++) {
                if (strcmp(filter_keys[i].key, key) != 0)
                        continue;
                known = true;
                if (strcmp(filter_keys[i].type, type) != 0)
                        continue;

                r = sd_bus_message_enter_container(m, 'v', type);
                if (r >= 0)
                        r = filter_keys[i].read(m, f, error);
                return r < 0 ? r : sd_bus_message_exit_container(m);
        }

        if (known)
                return sd_bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                         "The filter entry '%s' has the type '%s'; closed is b, state s "
                                         "or as, "
                                         "device and path s, since and limit t.",
                                         key, bus_quote(type, quoted));
        return sd_bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                 "The filter entry '%s' is not known; there are closed, state, device, "
                                 "path, since, "
                                 "limit.", bus_quote(key, quoted));
}

static int read_filter(sd_bus_message *m, Filter *f, sd_bus_error *error) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_entry(m, f, error);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* ---- what it lets through ---- */

static bool on_device(const Case *c, const char *device) {
        const char *slash = strrchr(c->volume.device, '/');

        return strcmp(c->volume.device, device) == 0 || (slash && strcmp(slash + 1, device) == 0);
}

static bool of_path(const Case *c, char *path) {
        const Protect folder = { .path = path };

        for (size_t i = 0; i < c->owners.n; i++)
                if (c->owners.items[i].path && protect_relative(&folder, c->owners.items[i].path))
                        return true;
        return false;
}

typedef struct Listing {
        Filter filter;
        const Case **items;
        size_t n, allocated;
} Listing;

static void listing_done(Listing *l) {
        filter_done(&l->filter);
        vec_done(l);
}

static int take_case(const Case *c, void *userdata) {
        Listing *l = userdata;
        const Filter *f = &l->filter;

        if ((f->states != 0 && !(f->states & (1U << c->state))) ||
            (f->device && !on_device(c, f->device)) ||
            (f->path && !of_path(c, f->path)) ||
            (f->since > 0 && (c->events.n == 0 || c->events.items[c->events.n - 1].time < f->since)))
                return 0;
        return vec_push(l, c);
}

/* 0, and the cases, the first of which to tell is *ret_first. */
static int find_cases(const Bus *b, sd_bus_message *m, Listing *l, size_t *ret_first, sd_bus_error *error) {
        const unsigned closed = (1U << CASE_HEALED) | (1U << CASE_GONE);
        int r;

        r = read_filter(m, &l->filter, error);
        if (r < 0)
                return r;
        r = manager_each_case(b->manager, l->filter.closed || (l->filter.states & closed), take_case, l);
        if (r < 0)
                return r;

        *ret_first = l->filter.limit > 0 && l->filter.limit < l->n ? l->n - l->filter.limit : 0;
        return 0;
}

static int append_row(sd_bus_message *m, const Case *c) {
        const Owner *file = bus_case_file(c);
        char id[24], path[BUS_CASE_PATH_MAX];
        int r;

        (void) snprintf(id, sizeof(id), "%" PRIu64, c->id);
        r = sd_bus_message_open_container(m, 'r', "sosssttstt");
        if (r >= 0)
                r = sd_bus_message_append(m, "soss", id, bus_case_path(c->id, path),
                                          case_state_to_string(c->state), reason_to_string(c->reason));
        if (r >= 0)
                r = bus_append_text(m, c->volume.device);
        if (r >= 0)
                r = sd_bus_message_append(m, "tt", c->range.start, range_size(c->range));
        if (r >= 0)
                r = bus_append_text(m, file ? file->path : NULL);
        if (r >= 0)
                r = sd_bus_message_append(m, "tt", file ? file->offset : 0,
                                          c->events.n > 0 ? c->events.items[c->events.n - 1].time : 0);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_list_cases(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        __attribute__((cleanup(listing_done))) Listing l = {};
        sd_bus_message *reply = NULL;
        size_t i;
        int r;

        r = find_cases(userdata, m, &l, &i, error);
        if (r < 0)
                return r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sosssttstt)");
        for (; r >= 0 && i < l.n; i++)
                r = append_row(reply, l.items[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}

static void fclosep(FILE **f) {
        if (*f)
                (void) fclose(*f);
}

static int format_cases(const Listing *l, size_t first, char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f;

        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        {
                __attribute__((cleanup(fclosep))) FILE *out = f;

                (void) fputc('[', out);
                for (size_t i = first; i < l->n; i++) {
                        _cleanup_free_ char *json = codec_case_encode(l->items[i]);

                        if (!json || fprintf(out, "%s%s", i > first ? "," : "", json) < 0)
                                return -ENOMEM;
                }
                if (fputc(']', out) == EOF || fflush(out) == EOF)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(text);
        return 0;
}

int bus_list_cases_json(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        __attribute__((cleanup(listing_done))) Listing l = {};
        _cleanup_free_ char *text = NULL;
        size_t first;
        int r;

        r = find_cases(userdata, m, &l, &first, error);
        if (r >= 0)
                r = format_cases(&l, first, &text);
        return r < 0 ? r : sd_bus_reply_method_return(m, "s", text);
}
