/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The machine as a value: who owns its strings, and how its parts are found by name. The walk over what
 * stands on what is in topology-walk.c. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/topology.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"

static const char *const namespace_mode_table[_NAMESPACE_MODE_MAX] = {
        [NAMESPACE_RAW] = "raw",
        [NAMESPACE_FSDAX] = "fsdax",
        [NAMESPACE_SECTOR] = "sector",
        [NAMESPACE_DEVDAX] = "devdax",
        [NAMESPACE_UNKNOWN] = "unknown",
};

const char *namespace_mode_to_string(NamespaceMode m) {
        return str_at(namespace_mode_table, _NAMESPACE_MODE_MAX, (int) m);
}

NamespaceMode namespace_mode_from_string(const char *s) {
        return (NamespaceMode) str_index(namespace_mode_table, _NAMESPACE_MODE_MAX, s);
}

static void region_done(TopoRegion *r) {
        free(r->name);
        free(r->bus);
        strv_free(r->dimms);
}

static void namespace_done(TopoNamespace *n) {
        free(n->name);
        free(n->region);
        free(n->uuid);
        free(n->disk);
}

static void disk_done(TopoDisk *d) {
        free(d->name);
        free(d->node);
}

void topo_link_done(TopoLink *l) {
        free(l->upper);
        free(l->lower);
        free(l->opaque);
        spacemap_done(&l->map);
        vec_done(&l->stripes);
}

static void mount_done(TopoMount *m) {
        free(m->disk);
        free(m->mountpoint);
        free(m->root);
        free(m->fs);
        free(m->uuid);
        free(m->options);
}

void topo_part_done(TopoPart *p) {
        free(p->disk);
        free(p->node);
        free(p->mountpoint);
        free(p->fs);
        free(p->uuid);
}

void topology_done(Topology *t) {
        assert(t);

        for (size_t i = 0; i < t->regions.n; i++)
                region_done(&t->regions.items[i]);
        for (size_t i = 0; i < t->namespaces.n; i++)
                namespace_done(&t->namespaces.items[i]);
        for (size_t i = 0; i < t->disks.n; i++)
                disk_done(&t->disks.items[i]);
        for (size_t i = 0; i < t->links.n; i++)
                topo_link_done(&t->links.items[i]);
        for (size_t i = 0; i < t->mounts.n; i++)
                mount_done(&t->mounts.items[i]);
        for (size_t i = 0; i < t->parts.n; i++)
                topo_part_done(&t->parts.items[i]);

        vec_done(&t->regions);
        vec_done(&t->namespaces);
        vec_done(&t->disks);
        vec_done(&t->links);
        vec_done(&t->mounts);
        vec_done(&t->parts);
}

const TopoRegion *topology_find_region(const Topology *t, const char *name) {
        assert(t);
        assert(name);

        for (size_t i = 0; i < t->regions.n; i++)
                if (streq_ptr(t->regions.items[i].name, name))
                        return &t->regions.items[i];
        return NULL;
}

const TopoDisk *topology_find_disk(const Topology *t, const char *name) {
        assert(t);
        assert(name);

        for (size_t i = 0; i < t->disks.n; i++)
                if (streq_ptr(t->disks.items[i].name, name))
                        return &t->disks.items[i];
        return NULL;
}

const TopoDisk *topology_find_disk_by_number(const Topology *t, uint32_t major, uint32_t minor) {
        assert(t);

        for (size_t i = 0; i < t->disks.n; i++)
                if (t->disks.items[i].major == major && t->disks.items[i].minor == minor &&
                    !t->disks.items[i].character)
                        return &t->disks.items[i];
        return NULL;
}

const TopoNamespace *topology_find_namespace_by_disk(const Topology *t, const char *disk) {
        assert(t);
        assert(disk);

        for (size_t i = 0; i < t->namespaces.n; i++)
                if (streq_ptr(t->namespaces.items[i].disk, disk))
                        return &t->namespaces.items[i];
        return NULL;
}

const TopoPart *topology_find_part(const Topology *t, const char *disk) {
        for (size_t i = 0; i < t->parts.n; i++)
                if (streq_ptr(t->parts.items[i].disk, disk))
                        return t->parts.items + i;
        return NULL;
}

const TopoMount *topology_find_mount(const Topology *t, const char *disk) {
        const TopoMount *part = NULL;

        assert(t);
        assert(disk);

        for (size_t i = 0; i < t->mounts.n; i++) {
                const TopoMount *m = &t->mounts.items[i];

                if (!streq_ptr(m->disk, disk))
                        continue;
                if (streq_ptr(m->root, "/"))
                        return m;
                if (!part)
                        part = m;
        }
        return part;
}
