/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The topology as a list of devices, each with what it stands on. */

#include <errno.h>
#include <string.h>

#include "core/volume.h"
#include "service/bus-internal.h"
#include "util/strv.h"

#define HEIGHT_MAX 16   /* of a stack of devices, for their order */

/* ---- entries of a dictionary ---- */

static int put_text(sd_bus_message *m, const char *key, const char *value) {
        int r;

        if (!value)
                return 0;
        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "s");
        if (r >= 0)
                r = bus_append_text(m, value);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int put_texts(sd_bus_message *m, const char *key, char *const *values) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; r >= 0 && values && values[i]; i++)
                r = bus_append_text(m, values[i]);
        for (int i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

/* ---- what there is to say ---- */

/* Breadth first from `disk` downwards: direct neighbours, then theirs; each once. */
static int list_below(const Topology *t, const TopoDisk *disk, bool all, char ***ret) {
        _cleanup_strv_ char **names = NULL, **below = NULL;
        int r;

        r = strv_extend(&names, disk->name);
        for (size_t at = 0; r >= 0 && names[at] && (all || at == 0); at++)
                for (size_t i = 0; r >= 0 && i < t->links.n; i++) {
                        const TopoLink *l = t->links.items + i;
                        const TopoDisk *d = streq_ptr(l->upper, names[at]) && l->lower
                                                    ? topology_find_disk(t, l->lower) : NULL;

                        if (!d || strv_contains(names, d->name))
                                continue;
                        r = strv_extend(&names, d->name);
                        if (r >= 0)
                                r = strv_extend(&below, d->node);
                }
        if (r >= 0)
                *ret = TAKE_PTR(below);
        return r;
}

static int put_below(sd_bus_message *m, const Topology *t, const TopoDisk *disk) {
        _cleanup_strv_ char **all = NULL, **lower = NULL;
        int r;

        r = list_below(t, disk, true, &all);
        if (r >= 0)
                r = list_below(t, disk, false, &lower);
        if (r >= 0)
                r = put_texts(m, "On", all);
        return r < 0 ? r : put_texts(m, "Lower", lower);
}

/* By what it shows the bytes of what it stands on; NULL: it stands on no device. */
static const char *kind_of(const Topology *t, const TopoDisk *disk) {
        const char *kind = NULL;

        for (size_t i = 0; i < t->links.n; i++) {
                const TopoLink *l = t->links.items + i;

                if (!streq_ptr(l->upper, disk->name))
                        continue;
                if (l->opaque)
                        return l->opaque;
                if (l->stripes.n > 0)
                        kind = "striped";
                else if (!kind)
                        kind = strncmp(disk->name, "dm-", 3) == 0 ? "linear" : "partition";
        }
        return kind;
}

static int put_memory(sd_bus_message *m, const Topology *t, const TopoDisk *disk) {
        const TopoNamespace *ns = topology_find_namespace_by_disk(t, disk->name);
        const TopoRegion *region = ns && ns->region ? topology_find_region(t, ns->region) : NULL;
        int r;

        if (!ns)
                return 0;
        r = put_text(m, "Namespace", ns->name);
        if (r >= 0)
                r = put_text(m, "NamespaceMode", namespace_mode_to_string(ns->mode));
        if (r >= 0)
                r = put_text(m, "Region", ns->region);
        if (r >= 0 && region)
                r = put_texts(m, "Dimms", region->dimms);
        return r;
}

static int put_physical(sd_bus_message *m, const Topology *t, const TopoDisk *disk) {
        __attribute__((cleanup(volume_done))) Volume v = {};
        uint64_t physical;
        bool known;
        int r;

        r = volume_of_disk(t, disk->name, &v, &physical, &known);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || !known)
                return 0;
        return sd_bus_message_append(m, "{sv}", "Physical", "(tt)", physical, disk->size);
}

static int put_protected(sd_bus_message *m, const Policy *p, char *mountpoint) {
        const Protect as_folder = { .path = mountpoint };
        _cleanup_strv_ char **names = NULL;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < p->protects.n; i++) {
                const Protect *x = p->protects.items + i;

                if (x->path &&
                    (protect_relative(x, mountpoint) || protect_relative(&as_folder, x->path)))
                        r = strv_extend(&names, x->name ? x->name : x->path);
        }
        return r < 0 ? r : put_texts(m, "Protected", names);
}

static int put_fs(sd_bus_message *m, const char *fs, const char *uuid, const char *mountpoint) {
        int r;

        r = put_text(m, "FileSystem", fs);
        if (r >= 0)
                r = put_text(m, "Uuid", uuid);
        return r < 0 ? r : put_text(m, "MountPoint", mountpoint);
}

/* What a file system that is mounted from elsewhere has here. Its journal nobody can protect. */
static int put_part(sd_bus_message *m, const Bus *b, const TopoPart *part) {
        int r;

        r = put_fs(m, part->fs, part->uuid, part->mountpoint);
        if (r >= 0)
                r = put_text(m, "Part", fs_part_to_string(part->part));
        if (r >= 0)
                r = put_text(m, "FileSystemDevice", part->node);
        return r < 0 || part->part == FS_PART_LOG ? r
               : put_protected(m, manager_policy(b->manager), part->mountpoint);
}

static int put_mount(sd_bus_message *m, const Bus *b, const TopoDisk *disk) {
        const TopoMount *mount = topology_find_mount(manager_topology(b->manager), disk->name);
        const TopoPart *part = topology_find_part(manager_topology(b->manager), disk->name);
        int r;

        if (!mount)
                return part ? put_part(m, b, part) : 0;
        r = put_fs(m, mount->fs, mount->uuid, mount->mountpoint);
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "ReadOnly", "b", (int) mount->read_only);
        return r < 0 ? r : put_protected(m, manager_policy(b->manager), mount->mountpoint);
}

typedef struct Count {
        const char *node;
        uint32_t n;
} Count;

static int count_case(const Case *c, void *userdata) {
        const char *upper = c->volume.part == FS_PART_DATA ? c->volume.fs_device : c->volume.part_device;
        Count *count = userdata;

        count->n += !c->ignored && c->state != CASE_HARMLESS &&
                    (streq_ptr(c->volume.device, count->node) || streq_ptr(upper, count->node));
        return 0;
}

static int append_disk(sd_bus_message *m, const Bus *b, const TopoDisk *d) {
        const Topology *t = manager_topology(b->manager);
        Count count = { .node = d->node };
        int r;

        (void) manager_each_case(b->manager, false, count_case, &count);
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = put_text(m, "Device", d->node);
        if (r >= 0)
                r = put_text(m, "Name", d->name);
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "Size", "t", d->size);
        if (r >= 0)
                r = put_below(m, t, d);
        if (r >= 0)
                r = put_text(m, "Kind", kind_of(t, d));
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "Watched", "b", (int) volume_is_listed(t, d));
        if (r >= 0)
                r = put_physical(m, t, d);
        if (r >= 0)
                r = put_memory(m, t, d);
        if (r >= 0)
                r = put_mount(m, b, d);
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "OpenCases", "u", count.n);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static size_t height_within(const Topology *t, const char *name, size_t steps) {
        size_t height = 0;

        for (size_t i = 0; steps > 0 && i < t->links.n; i++) {
                const TopoLink *l = t->links.items + i;

                if (l->lower && streq_ptr(l->upper, name)) {
                        size_t h = 1 + height_within(t, l->lower, steps - 1);

                        height = h > height ? h : height;
                }
        }
        return height;
}

/* How many devices there are below it, one on another; bounded, should the links form a ring. */
static size_t height(const Topology *t, const TopoDisk *d) {
        return height_within(t, d->name, HEIGHT_MAX);
}

int bus_list_volumes(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const Bus *b = userdata;
        const Topology *t = manager_topology(b->manager);
        sd_bus_message *reply = NULL;
        size_t left = t->disks.n;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (size_t level = 0; r >= 0 && left > 0 && level <= HEIGHT_MAX; level++)
                for (size_t i = 0; r >= 0 && i < t->disks.n; i++)
                        if (height(t, t->disks.items + i) == level) {
                                r = append_disk(reply, b, t->disks.items + i);
                                left--;
                        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}
