/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The case as text: the ledger's file, the bus and `bezoarctl --json` have this very form. */

#include <assert.h>

#include "core/codec-parts.h"
#include "core/codec.h"
#include "util/strv.h"

bool codec_put_part(struct json_object *o, FsPart p) {
        return p == FS_PART_DATA || codec_put_word(o, "part", fs_part_to_string(p));
}

struct json_object *codec_make_volume(const Volume *v) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        return o &&
               codec_put_text(o, "device", v->device) &&
               codec_put_text(o, "fs", v->fs) &&
               codec_put_text(o, "uuid", v->uuid) &&
               codec_put_text(o, "mountpoint", v->mountpoint) &&
               codec_put_text(o, "fs_device", v->fs_device) &&
               codec_put_part(o, v->part) &&
               codec_put_text(o, "part_device", v->part_device) &&
               codec_put_text(o, "hindrance", v->hindrance) &&
               (!v->region ||
                (codec_put_text(o, "region", v->region) && codec_put_range(o, "window", v->window)))
                       ? TAKE_PTR(o)
                       : NULL;
}

int codec_read_volume(const CodecNode *at, Volume *ret) {
        _cleanup_(volume_done) Volume v = {};
        int r;

        if ((r = codec_get_text(at, "device", CODEC_REQUIRED, &v.device)) < 0 ||
            (r = codec_get_text(at, "fs", CODEC_OPTIONAL, &v.fs)) < 0 ||
            (r = codec_get_text(at, "uuid", CODEC_OPTIONAL, &v.uuid)) < 0 ||
            (r = codec_get_text(at, "mountpoint", CODEC_OPTIONAL, &v.mountpoint)) < 0 ||
            (r = codec_get_text(at, "fs_device", CODEC_OPTIONAL, &v.fs_device)) < 0 ||
            (r = codec_get_enum(at, "part", CODEC_OPTIONAL, fs_part_from_string, &v.part)) < 0 ||
            (r = codec_get_text(at, "part_device", CODEC_OPTIONAL, &v.part_device)) < 0 ||
            (r = codec_get_text(at, "hindrance", CODEC_OPTIONAL, &v.hindrance)) < 0 ||
            (r = codec_get_text(at, "region", CODEC_OPTIONAL, &v.region)) < 0 ||
            (r = codec_get_range(at, "window", v.region ? CODEC_REQUIRED : CODEC_OPTIONAL, &v.window)) < 0)
                return r;

        *ret = v;
        v = (Volume) {};
        return 0;
}

static struct json_object *make_event(const void *event) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const CaseEvent *e = event;

        return o &&
               codec_put_u64(o, "time", e->time) &&
               codec_put_word(o, "state", case_state_to_string(e->state)) &&
               codec_put_text(o, "detail", e->detail) ? TAKE_PTR(o) : NULL;
}

static void event_done(CaseEvent *e) {
        free(e->detail);
}

static int read_event(const CodecNode *at, CaseEvent *ret) {
        _cleanup_(event_done) CaseEvent e = {};
        int r;

        if ((r = codec_get_u64(at, "time", CODEC_REQUIRED, &e.time)) < 0 ||
            (r = codec_get_enum(at, "state", CODEC_REQUIRED, case_state_from_string, &e.state)) < 0 ||
            (r = codec_get_text(at, "detail", CODEC_OPTIONAL, &e.detail)) < 0)
                return r;

        *ret = e;
        e = (CaseEvent) {};
        return 0;
}

static struct json_object *make_case(const Case *c) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        return o &&
               codec_put_id(o, "id", c->id) &&
               codec_put_word(o, "state", case_state_to_string(c->state)) &&
               codec_put_word(o, "reason", reason_to_string(c->reason)) &&
               codec_put_flag(o, "ignored", c->ignored) &&
               codec_put(o, "volume", codec_make_volume(&c->volume)) &&
               codec_put_range(o, "range", c->range) &&
               codec_put_rangeset(o, "bad", &c->bad) &&
               codec_put_range(o, "physical", c->physical) &&
               codec_put_strv(o, "dimms", c->dimms) &&
               codec_put_vec(o, "owners", &c->owners, codec_make_owner) &&
               codec_put_text(o, "replica", c->replica) &&
               codec_put_proofs(o, "proof", c->proofs) &&
               codec_put_text(o, "accepted_by", c->accepted_by) &&
               (c->writer == WRITER_AUTO || codec_put_word(o, "writer", writer_to_string(c->writer))) &&
               (!c->frozen_usec || codec_put_u64(o, "frozen_usec", c->frozen_usec)) &&
               codec_put_u64(o, "attempts", c->attempts) &&
               codec_put_vec(o, "events", &c->events, make_event) ? TAKE_PTR(o) : NULL;
}

char *codec_case_encode(const Case *c) {
        assert(c);

        return codec_print(make_case(c));
}

static int read_case(const CodecNode *at, Case *c) {
        CodecNode volume;
        int r;

        if ((r = codec_get_id(at, "id", CODEC_REQUIRED, &c->id)) < 0 ||
            (r = codec_get_enum(at, "state", CODEC_REQUIRED, case_state_from_string, &c->state)) < 0 ||
            (r = codec_get_enum(at, "reason", CODEC_OPTIONAL, reason_from_string, &c->reason)) < 0 ||
            (r = codec_get_bool(at, "ignored", CODEC_OPTIONAL, &c->ignored)) < 0 ||
            (r = codec_get(at, "volume", CODEC_REQUIRED, json_type_object, &volume)) < 0 ||
            (r = codec_read_volume(&volume, &c->volume)) < 0 ||
            (r = codec_get_pages(at, &c->range, &c->bad)) < 0 ||
            (r = codec_get_range(at, "physical", CODEC_OPTIONAL, &c->physical)) < 0 ||
            (r = codec_get_strv(at, "dimms", CODEC_OPTIONAL, &c->dimms)) < 0 ||
            (r = codec_get_vec(at, "owners", CODEC_OPTIONAL, &c->owners, codec_read_owner,
                               owner_done)) < 0 ||
            (r = codec_get_text(at, "replica", CODEC_OPTIONAL, &c->replica)) < 0 ||
            (r = codec_get_proofs(at, "proof", &c->proofs)) < 0 ||
            (r = codec_get_text(at, "accepted_by", CODEC_OPTIONAL, &c->accepted_by)) < 0 ||
            (r = codec_get_enum(at, "writer", CODEC_OPTIONAL, writer_from_string, &c->writer)) < 0 ||
            (r = codec_get_u64(at, "frozen_usec", CODEC_OPTIONAL, &c->frozen_usec)) < 0 ||
            (r = codec_get_u32(at, "attempts", CODEC_OPTIONAL, &c->attempts)) < 0)
                return r;
        return codec_get_vec(at, "events", CODEC_OPTIONAL, &c->events, read_event, event_done);
}

static int case_of_node(const CodecNode *at, Case **ret) {
        _cleanup_(case_freep) Case *c = NULL;
        int r;

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        r = read_case(at, c);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(c);
        return 0;
}

int codec_case_decode(const char *text, Case **ret, char **ret_error) {
        return codec_decode(text, ret_error, case_of_node, ret);
}

int codec_cases_decode(const char *text, Cases *ret, char **ret_error) {
        _cleanup_json_ struct json_object *o = NULL;
        _cleanup_cases_ Cases l = {};
        int r;

        assert(ret);

        r = codec_parse_list(text, ret_error, &o);
        if (r < 0)
                return r;

        for (size_t i = 0; i < json_object_array_length(o); i++) {
                const CodecNode whole = { .value = o, .error = ret_error }, item = codec_item(&whole, i);
                Case *c = NULL;

                r = case_of_node(&item, &c);
                if (r == 0)
                        r = vec_push(&l, c);
                if (r < 0) {
                        case_free(c);
                        return r;
                }
        }

        *ret = l;
        l = (Cases) {};
        return 0;
}
