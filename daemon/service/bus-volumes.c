/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The topology as a list of devices, each with what it stands on. */

#include <errno.h>
#include <string.h>

#include "core/volume.h"
#include "service/bus-internal.h"
#include "util/strv.h"

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

static const TopoLink *link_below(const Topology *t, const char *disk) {
        for (size_t i = 0; i < t->links.n; i++)
                if (streq_ptr(t->links.items[i].upper, disk))
                        return t->links.items + i;
        return NULL;
}

/* The devices below, the nearest first; no further than there are devices, should the links form a ring. */
static int put_below(sd_bus_message *m, const Topology *t, const TopoDisk *disk) {
        _cleanup_strv_ char **below = NULL;
        const TopoLink *l = link_below(t, disk->name);
        int r = 0;

        for (size_t i = 0; r >= 0 && l && i < t->disks.n; i++) {
                const TopoDisk *d = topology_find_disk(t, l->lower);

                if (!d)
                        break;
                if (!strv_contains(below, d->node))
                        r = strv_extend(&below, d->node);
                l = link_below(t, d->name);
        }
        return r < 0 ? r : put_texts(m, "On", below);
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

static int put_protected(sd_bus_message *m, const Policy *p, const TopoMount *mount) {
        const Protect as_folder = { .path = mount->mountpoint };
        _cleanup_strv_ char **names = NULL;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < p->protects.n; i++) {
                const Protect *x = p->protects.items + i;

                if (x->path &&
                    (protect_relative(x, mount->mountpoint) || protect_relative(&as_folder, x->path)))
                        r = strv_extend(&names, x->name ? x->name : x->path);
        }
        return r < 0 ? r : put_texts(m, "Protected", names);
}

static int put_mount(sd_bus_message *m, const Bus *b, const TopoDisk *disk) {
        const TopoMount *mount = topology_find_mount(manager_topology(b->manager), disk->name);
        int r;

        if (!mount)
                return 0;
        r = put_text(m, "FileSystem", mount->fs);
        if (r >= 0)
                r = put_text(m, "Uuid", mount->uuid);
        if (r >= 0)
                r = put_text(m, "MountPoint", mount->mountpoint);
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "ReadOnly", "b", (int) mount->read_only);
        return r < 0 ? r : put_protected(m, manager_policy(b->manager), mount);
}

typedef struct Count {
        const char *node;
        uint32_t n;
} Count;

static int count_case(const Case *c, void *userdata) {
        Count *count = userdata;

        count->n += !c->ignored && c->state != CASE_HARMLESS && streq_ptr(c->volume.device, count->node);
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
                r = sd_bus_message_append(m, "{sv}", "Watched", "b", (int) d->badblocks);
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

/* How many devices there are below. */
static size_t height(const Topology *t, const TopoDisk *d) {
        const TopoLink *l = link_below(t, d->name);
        size_t n = 0;

        while (l && n < t->disks.n) {
                n++;
                l = link_below(t, l->lower);
        }
        return n;
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
        for (size_t level = 0; r >= 0 && left > 0 && level <= t->disks.n; level++)
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
