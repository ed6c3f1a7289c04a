/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The machine as text: what `--topology=FILE` reads, so that a bug report can bring the machine along. */

#include <assert.h>
#include <inttypes.h>

#include "core/codec-json.h"
#include "core/codec.h"
#include "util/strv.h"

static struct json_object *make_region(const void *region) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const TopoRegion *g = region;

        return o &&
               codec_put_text(o, "name", g->name) &&
               codec_put_text(o, "bus", g->bus) &&
               codec_put_range(o, "physical", g->physical) &&
               codec_put_strv(o, "dimms", g->dimms) ? TAKE_PTR(o) : NULL;
}

static void region_done(TopoRegion *g) {
        free(g->name);
        free(g->bus);
        strv_free(g->dimms);
}

static int read_region(const CodecNode *at, TopoRegion *ret) {
        _cleanup_(region_done) TopoRegion g = {};
        int r;

        if ((r = codec_get_text(at, "name", CODEC_REQUIRED, &g.name)) < 0 ||
            (r = codec_get_text(at, "bus", CODEC_OPTIONAL, &g.bus)) < 0 ||
            (r = codec_get_range(at, "physical", CODEC_OPTIONAL, &g.physical)) < 0 ||
            (r = codec_get_strv(at, "dimms", CODEC_OPTIONAL, &g.dimms)) < 0)
                return r;

        *ret = g;
        g = (TopoRegion) {};
        return 0;
}

static struct json_object *make_namespace(const void *namespace) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const TopoNamespace *n = namespace;

        return o &&
               codec_put_text(o, "name", n->name) &&
               codec_put_text(o, "region", n->region) &&
               codec_put_text(o, "uuid", n->uuid) &&
               codec_put_word(o, "mode", namespace_mode_to_string(n->mode)) &&
               codec_put_text(o, "disk", n->disk) &&
               codec_put_range(o, "whole", n->whole) &&
               codec_put_range(o, "data", n->data) ? TAKE_PTR(o) : NULL;
}

static void namespace_done(TopoNamespace *n) {
        free(n->name);
        free(n->region);
        free(n->uuid);
        free(n->disk);
}

static int read_namespace(const CodecNode *at, TopoNamespace *ret) {
        _cleanup_(namespace_done) TopoNamespace n = {};
        int r;

        if ((r = codec_get_text(at, "name", CODEC_REQUIRED, &n.name)) < 0 ||
            (r = codec_get_text(at, "region", CODEC_OPTIONAL, &n.region)) < 0 ||
            (r = codec_get_text(at, "uuid", CODEC_OPTIONAL, &n.uuid)) < 0 ||
            (r = codec_get_enum(at, "mode", CODEC_REQUIRED, namespace_mode_from_string, &n.mode)) < 0 ||
            (r = codec_get_text(at, "disk", CODEC_OPTIONAL, &n.disk)) < 0 ||
            (r = codec_get_range(at, "whole", CODEC_OPTIONAL, &n.whole)) < 0 ||
            (r = codec_get_range(at, "data", CODEC_OPTIONAL, &n.data)) < 0)
                return r;

        *ret = n;
        n = (TopoNamespace) {};
        return 0;
}

static struct json_object *make_disk(const void *disk) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const TopoDisk *d = disk;

        return o &&
               codec_put_text(o, "name", d->name) &&
               codec_put_text(o, "node", d->node) &&
               codec_put_u64(o, "major", d->major) &&
               codec_put_u64(o, "minor", d->minor) &&
               codec_put_u64(o, "size", d->size) &&
               codec_put_u64(o, "logical_block_size", d->logical_block_size) &&
               codec_put_flag(o, "badblocks", d->badblocks) &&
               codec_put_flag(o, "character", d->character) ? TAKE_PTR(o) : NULL;
}

static void disk_done(TopoDisk *d) {
        free(d->name);
        free(d->node);
}

static int read_disk(const CodecNode *at, TopoDisk *ret) {
        _cleanup_(disk_done) TopoDisk d = {};
        int r;

        if ((r = codec_get_text(at, "name", CODEC_REQUIRED, &d.name)) < 0 ||
            (r = codec_get_text(at, "node", CODEC_REQUIRED, &d.node)) < 0 ||
            (r = codec_get_u32(at, "major", CODEC_REQUIRED, &d.major)) < 0 ||
            (r = codec_get_u32(at, "minor", CODEC_REQUIRED, &d.minor)) < 0 ||
            (r = codec_get_u64(at, "size", CODEC_REQUIRED, &d.size)) < 0 ||
            (r = codec_get_u32(at, "logical_block_size", CODEC_REQUIRED, &d.logical_block_size)) < 0 ||
            (r = codec_get_bool(at, "badblocks", CODEC_OPTIONAL, &d.badblocks)) < 0 ||
            (r = codec_get_bool(at, "character", CODEC_OPTIONAL, &d.character)) < 0)
                return r;

        *ret = d;
        d = (TopoDisk) {};
        return 0;
}

static struct json_object *make_segment(const void *segment) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const SpaceSegment *s = segment;

        return o && codec_put_extent(o, s->from) && codec_put_u64(o, "to", s->to) ? TAKE_PTR(o) : NULL;
}

static int get_map(const CodecNode *at, const char *key, SpaceMap *ret) {
        CodecNode array;
        size_t n;
        int r;

        r = codec_get_array(at, key, CODEC_REQUIRED, &array, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
                CodecNode item = codec_item(&array, i);
                uint64_t to = 0;
                Range from = {};

                if ((r = codec_get_extent(&item, &from)) < 0 ||
                    (r = codec_get_u64(&item, "to", CODEC_REQUIRED, &to)) < 0)
                        break;
                r = spacemap_add(ret, from, to);
                if (r == -EEXIST)
                        return codec_fail(&item, NULL, "it overlaps another segment");
                if (r == -EOVERFLOW)
                        return codec_fail(&item, "to", "the segment ends above 18446744073709551615");
        }
        return r;
}

static struct json_object *make_stripe(const void *stripe) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const Stripe *s = stripe;

        return o &&
               codec_put_extent(o, s->upper) &&
               codec_put_u64(o, "to", s->lower) &&
               codec_put_u64(o, "chunk", s->chunk) &&
               codec_put_u64(o, "stripes", s->count) &&
               codec_put_u64(o, "stripe", s->index) ? TAKE_PTR(o) : NULL;
}

static void stripe_done(Stripe *s) {
}

static int read_stripe(const CodecNode *at, Stripe *ret) {
        Stripe s = {};
        int r;

        if ((r = codec_get_extent(at, &s.upper)) < 0 ||
            (r = codec_get_u64(at, "to", CODEC_REQUIRED, &s.lower)) < 0 ||
            (r = codec_get_u64(at, "chunk", CODEC_REQUIRED, &s.chunk)) < 0 ||
            (r = codec_get_u32(at, "stripes", CODEC_REQUIRED, &s.count)) < 0 ||
            (r = codec_get_u32(at, "stripe", CODEC_REQUIRED, &s.index)) < 0)
                return r;
        if (!stripe_is_valid(&s))
                return codec_fail(at, NULL, "the chunks do not fill it");

        *ret = s;
        return 0;
}

static struct json_object *make_link(const void *link) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const TopoLink *l = link;

        return o &&
               codec_put_text(o, "upper", l->upper) &&
               codec_put_text(o, "lower", l->lower) &&
               codec_put_vec(o, "map", &l->map, make_segment) &&
               (l->stripes.n == 0 || codec_put_vec(o, "striped", &l->stripes, make_stripe)) &&
               codec_put_text(o, "opaque", l->opaque) ? TAKE_PTR(o) : NULL;
}

static int read_link(const CodecNode *at, TopoLink *ret) {
        _cleanup_(topo_link_done) TopoLink l = {};
        int r;

        if ((r = codec_get_text(at, "upper", CODEC_REQUIRED, &l.upper)) < 0 ||
            (r = codec_get_text(at, "lower", CODEC_REQUIRED, &l.lower)) < 0 ||
            (r = get_map(at, "map", &l.map)) < 0 ||
            (r = codec_get_vec(at, "striped", CODEC_OPTIONAL, &l.stripes, read_stripe, stripe_done)) < 0 ||
            (r = codec_get_text(at, "opaque", CODEC_OPTIONAL, &l.opaque)) < 0)
                return r;

        *ret = l;
        l = (TopoLink) {};
        return 0;
}

static struct json_object *make_mount(const void *mount) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const TopoMount *m = mount;

        return o &&
               codec_put_text(o, "disk", m->disk) &&
               codec_put_text(o, "mountpoint", m->mountpoint) &&
               codec_put_text(o, "root", m->root) &&
               codec_put_text(o, "fs", m->fs) &&
               codec_put_text(o, "uuid", m->uuid) &&
               codec_put_text(o, "options", m->options) &&
               codec_put_flag(o, "read_only", m->read_only) ? TAKE_PTR(o) : NULL;
}

static void mount_done(TopoMount *m) {
        free(m->disk);
        free(m->mountpoint);
        free(m->root);
        free(m->fs);
        free(m->uuid);
        free(m->options);
}

static int read_mount(const CodecNode *at, TopoMount *ret) {
        _cleanup_(mount_done) TopoMount m = {};
        int r;

        if ((r = codec_get_text(at, "disk", CODEC_REQUIRED, &m.disk)) < 0 ||
            (r = codec_get_text(at, "mountpoint", CODEC_REQUIRED, &m.mountpoint)) < 0 ||
            (r = codec_get_text(at, "root", CODEC_REQUIRED, &m.root)) < 0 ||
            (r = codec_get_text(at, "fs", CODEC_REQUIRED, &m.fs)) < 0 ||
            (r = codec_get_text(at, "uuid", CODEC_OPTIONAL, &m.uuid)) < 0 ||
            (r = codec_get_text(at, "options", CODEC_OPTIONAL, &m.options)) < 0 ||
            (r = codec_get_bool(at, "read_only", CODEC_OPTIONAL, &m.read_only)) < 0)
                return r;

        *ret = m;
        m = (TopoMount) {};
        return 0;
}

static struct json_object *make_part(const void *part) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const TopoPart *p = part;

        return o &&
               codec_put_text(o, "disk", p->disk) &&
               codec_put_word(o, "part", fs_part_to_string(p->part)) &&
               codec_put_text(o, "node", p->node) &&
               codec_put_text(o, "mountpoint", p->mountpoint) &&
               codec_put_text(o, "fs", p->fs) &&
               codec_put_text(o, "uuid", p->uuid) ? TAKE_PTR(o) : NULL;
}

static int read_part(const CodecNode *at, TopoPart *ret) {
        _cleanup_(topo_part_done) TopoPart p = {};
        int r;

        if ((r = codec_get_text(at, "disk", CODEC_REQUIRED, &p.disk)) < 0 ||
            (r = codec_get_enum(at, "part", CODEC_REQUIRED, fs_part_from_string, &p.part)) < 0 ||
            (r = codec_get_text(at, "node", CODEC_REQUIRED, &p.node)) < 0 ||
            (r = codec_get_text(at, "mountpoint", CODEC_REQUIRED, &p.mountpoint)) < 0 ||
            (r = codec_get_text(at, "fs", CODEC_REQUIRED, &p.fs)) < 0 ||
            (r = codec_get_text(at, "uuid", CODEC_OPTIONAL, &p.uuid)) < 0)
                return r;

        *ret = p;
        p = (TopoPart) {};
        return 0;
}

static struct json_object *make_topology(const Topology *t) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        return o &&
               codec_put_vec(o, "regions", &t->regions, make_region) &&
               codec_put_vec(o, "namespaces", &t->namespaces, make_namespace) &&
               codec_put_vec(o, "disks", &t->disks, make_disk) &&
               codec_put_vec(o, "links", &t->links, make_link) &&
               codec_put_vec(o, "mounts", &t->mounts, make_mount) &&
               (t->parts.n == 0 || codec_put_vec(o, "parts", &t->parts, make_part)) ? TAKE_PTR(o) : NULL;
}

char *codec_topology_encode(const Topology *t) {
        assert(t);

        return codec_print(make_topology(t));
}

static int read_topology(const CodecNode *at, Topology *ret) {
        _cleanup_topology_ Topology t = {};
        int r;

        if ((r = codec_get_vec(at, "regions", CODEC_OPTIONAL, &t.regions, read_region, region_done)) < 0 ||
            (r = codec_get_vec(at, "namespaces", CODEC_OPTIONAL, &t.namespaces, read_namespace,
                               namespace_done)) < 0 ||
            (r = codec_get_vec(at, "disks", CODEC_OPTIONAL, &t.disks, read_disk, disk_done)) < 0 ||
            (r = codec_get_vec(at, "links", CODEC_OPTIONAL, &t.links, read_link, topo_link_done)) < 0 ||
            (r = codec_get_vec(at, "mounts", CODEC_OPTIONAL, &t.mounts, read_mount, mount_done)) < 0 ||
            (r = codec_get_vec(at, "parts", CODEC_OPTIONAL, &t.parts, read_part, topo_part_done)) < 0)
                return r;

        *ret = t;
        t = (Topology) {};
        return 0;
}

int codec_topology_decode(const char *text, Topology *ret, char **ret_error) {
        return codec_decode(text, ret_error, read_topology, ret);
}
