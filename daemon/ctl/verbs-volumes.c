/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* volumes: what stands on persistent memory, as a tree, and what of it is protected. A device that stands on
 * several is drawn on each of them. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/bus-call.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "util/parse.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"

typedef struct VolumeRow {
        char *device, *fs, *part, *mountpoint, *namespace, *mode, *region, *kind;
        char **lower, **protected, **dimms;
        uint64_t size;
        uint32_t open;
        int watched, read_only;
} VolumeRow;

static void volume_row_done(VolumeRow *v) {
        free(v->device);
        free(v->fs);
        free(v->part);
        free(v->mountpoint);
        free(v->namespace);
        free(v->mode);
        free(v->region);
        free(v->kind);
        strv_free(v->lower);
        strv_free(v->protected);
        strv_free(v->dimms);
        *v = (VolumeRow) {};
}

static const struct {
        const char *name, *type;
        size_t offset;
} fields[] = {
        { "Device",        "s",  offsetof(VolumeRow, device)     },
        { "FileSystem",    "s",  offsetof(VolumeRow, fs)         },
        { "Part",          "s",  offsetof(VolumeRow, part)       },
        { "MountPoint",    "s",  offsetof(VolumeRow, mountpoint) },
        { "Namespace",     "s",  offsetof(VolumeRow, namespace)  },
        { "NamespaceMode", "s",  offsetof(VolumeRow, mode)       },
        { "Region",        "s",  offsetof(VolumeRow, region)     },
        { "Dimms",         "as", offsetof(VolumeRow, dimms)      },
        { "Kind",          "s",  offsetof(VolumeRow, kind)       },
        { "Lower",         "as", offsetof(VolumeRow, lower)      },
        { "Protected",     "as", offsetof(VolumeRow, protected)  },
        { "Size",          "t",  offsetof(VolumeRow, size)       },
        { "OpenCases",     "u",  offsetof(VolumeRow, open)       },
        { "Watched",       "b",  offsetof(VolumeRow, watched)    },
        { "ReadOnly",      "b",  offsetof(VolumeRow, read_only)  },
};

static int read_field(sd_bus_message *m, const char *type, void *field) {
        const char *s;
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, type);
        if (r < 0)
                return r;
        if (strcmp(type, "as") == 0)
                r = sd_bus_message_read_strv(m, field);
        else if (type[0] == 's') {
                r = sd_bus_message_read(m, "s", &s);
                if (r >= 0)
                        r = str_copy(s, field);
        } else
                r = sd_bus_message_read_basic(m, type[0], field);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_entry(sd_bus_message *m, VolumeRow *v) {
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
                if (strcmp(fields[i].name, name) == 0)
                        return read_field(m, fields[i].type, (char *) v + fields[i].offset);
        return sd_bus_message_skip(m, "v");
}

/* 1: a volume was read; 0: there are no more. */
static int read_volume(sd_bus_message *m, VolumeRow *v) {
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r <= 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
                r = read_entry(m, v);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

/* "a, b"; NULL for none. */
static char *join(char *const *l) {
        char *text = NULL;
        size_t n = 0;
        FILE *f = l && l[0] ? open_memstream(&text, &n) : NULL;

        if (!f)
                return NULL;
        for (size_t i = 0; l[i]; i++)
                (void) fprintf(f, "%s%s", i > 0 ? ", " : "", l[i]);
        return fclose(f) == 0 ? text : NULL;
}

/* ---- the tree ---- */

#define DEPTH_MAX 16    /* links that go round must not be followed for ever */

typedef struct Tree {
        struct { VolumeRow *items; size_t n, allocated; } rows;
        Table *table;
} Tree;

static void tree_done(Tree *t) {
        for (size_t i = 0; i < t->rows.n; i++)
                volume_row_done(t->rows.items + i);
        vec_done(&t->rows);
        table_free(t->table);
}

/* `depth` 0 is at the margin. */
__attribute__((format(printf, 3, 4)))
static void add_name(Tree *t, unsigned depth, const char *format, ...) {
        const char *branch = strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? "└─" : "`-";
        _cleanup_free_ char *name = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&name, format, ap);
        va_end(ap);
        if (n < 0)
                name = NULL;
        table_addf(t->table, "%*s%s%s", depth > 1 ? (int) (depth - 1) * 2 : 0, "",
                   depth > 0 ? branch : "", name ? name : "?");
}

/* What memory is of itself: only a name. */
static void add_memory(Tree *t, unsigned depth, const char *name, const char *detail) {
        add_name(t, depth, "%s%s%s%s", name, detail ? " (" : "", detail ? detail : "", detail ? ")" : "");
        for (int i = 0; i < 6; i++)
                table_add(t->table, "", COLOUR_NONE);
}

static void add_volume(Tree *t, const VolumeRow *v, unsigned depth) {
        _cleanup_free_ char *protected = join(v->protected);
        char size[FORMAT_MAX];

        add_name(t, depth, "%s%s%s%s", v->device, v->kind ? " (" : "", v->kind ? v->kind : "",
                 v->kind ? ")" : "");
        table_add(t->table, format_size(v->size, size), COLOUR_NONE);
        table_add(t->table, v->watched ? "yes" : "no", COLOUR_NONE);
        if (v->open > 0)
                table_addf(t->table, "%" PRIu32, v->open);
        else
                table_add(t->table, "-", COLOUR_NONE);
        table_addf(t->table, "%s%s%s%s%s", v->fs ? v->fs : "-", v->read_only ? " (read-only)" : "",
                   v->part ? " (" : "", v->part ? v->part : "", v->part ? ")" : "");
        table_add(t->table, v->mountpoint, COLOUR_NONE);
        table_add(t->table, protected, protected ? COLOUR_GOOD : COLOUR_NONE);

        for (size_t i = 0; depth < DEPTH_MAX && i < t->rows.n; i++)
                if (strv_contains(t->rows.items[i].lower, v->device))
                        add_volume(t, t->rows.items + i, depth + 1);
}

static bool is_bottom(const VolumeRow *v) {
        return !v->lower || !v->lower[0];
}

/* The regions in the order of their first device. */
static void add_region(Tree *t, const VolumeRow *first) {
        _cleanup_free_ char *dimms = join(first->dimms);

        add_memory(t, 0, first->region, dimms);
        for (size_t i = 0; i < t->rows.n; i++) {
                const VolumeRow *v = t->rows.items + i;

                if (!is_bottom(v) || !v->namespace || !streq_ptr(v->region, first->region))
                        continue;
                add_memory(t, 1, v->namespace, v->mode);
                add_volume(t, v, 2);
        }
}

static void add_tree(Tree *t) {
        for (size_t i = 0; i < t->rows.n; i++) {
                const VolumeRow *v = t->rows.items + i;
                bool known = false;

                if (!is_bottom(v))
                        continue;
                if (!v->namespace || !v->region) {
                        add_volume(t, v, 0);
                        continue;
                }
                for (size_t k = 0; k < i; k++)
                        known = known || streq_ptr(t->rows.items[k].region, v->region);
                if (!known)
                        add_region(t, v);
        }
}

static int read_volumes(Tree *t, sd_bus_message *m) {
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "a{sv}");
        while (r >= 0) {
                VolumeRow v = {};

                r = read_volume(m, &v);
                if (r > 0)
                        r = v.device ? vec_push(&t->rows, v) : -EBADMSG;
                else if (r == 0)
                        return 0;
                if (r < 0)
                        volume_row_done(&v);
        }
        return r;
}

static int print_table(Ctl *c, sd_bus_message *m) {
        static const char *const headings[] = { "DEVICE", ">SIZE", "WATCHED", ">OPEN", "FILE SYSTEM",
                                                "MOUNTED AT", "PROTECTED BY" };
        __attribute__((cleanup(tree_done))) Tree t = {
                .table = table_new(headings, sizeof(headings) / sizeof(headings[0])),
        };
        int r;

        if (!t.table)
                return ctl_fail_memory();
        r = read_volumes(&t, m);
        if (r < 0) {
                (void) bus_bad_reply(r);
                return CTL_ERROR;
        }
        add_tree(&t);

        if (t.rows.n == 0 && !c->no_legend)
                ctl_say(c, "No persistent memory.");
        ctl_page(c);
        if (table_rows(t.table) > 0 && table_print(t.table, stdout, !c->no_legend, c->colours) < 0)
                return ctl_fail_memory();
        return CTL_FINE;
}

int verb_volumes(Ctl *c, int argc, char *argv[]) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;

        if (bus_ask(c, "ListVolumes", NULL, &reply, NULL) < 0)
                return CTL_ERROR;
        return c->json != JSON_OFF ? bus_print_json(c, reply) : print_table(c, reply);
}
