/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The intent as text: the head of its record in the intent log. What is read back decides what is
 * written, so all that identifies the page is required. */

#include <assert.h>

#include "core/codec-parts.h"
#include "core/codec.h"

static struct json_object *make_intent(const Intent *i) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        return o &&
               (!i->case_id || codec_put_id(o, "case", i->case_id)) &&
               codec_put_text(o, "boot_id", i->boot_id) &&
               codec_put_text(o, "uuid", i->uuid) &&
               codec_put_text(o, "device", i->device) &&
               codec_put_text(o, "namespace", i->namespace) &&
               codec_put_part(o, i->part) &&
               codec_put_range(o, "range", i->range) &&
               codec_put_rangeset(o, "bad", &i->bad) &&
               (!i->physical || codec_put_u64(o, "physical", i->physical)) &&
               codec_put_u64(o, "inode", i->inode) &&
               codec_put_u64(o, "generation", i->generation) &&
               codec_put_u64(o, "offset", i->offset) &&
               codec_put_text(o, "path", i->path) &&
               codec_put_u64(o, "file_size", i->file_size) &&
               codec_put(o, "mtime_sec", json_object_new_int64(i->mtime_sec)) &&
               codec_put_u64(o, "mtime_nsec", i->mtime_nsec) &&
               codec_put_text(o, "replica", i->replica) &&
               codec_put_proofs(o, "proof", i->proofs) &&
               codec_put_flag(o, "alone", i->alone) &&
               codec_put_flag(o, "in_place", i->in_place) &&
               codec_put_flag(o, "punch", i->punch) ? TAKE_PTR(o) : NULL;
}

char *codec_intent_encode(const Intent *i) {
        assert(i);

        return codec_print(make_intent(i));
}

static int read_intent(const CodecNode *at, Intent *ret) {
        _cleanup_intent_ Intent i = {};
        int r;

        if ((r = codec_get_id(at, "case", CODEC_OPTIONAL, &i.case_id)) < 0 ||
            (r = codec_get_text(at, "boot_id", CODEC_REQUIRED, &i.boot_id)) < 0 ||
            (r = codec_get_text(at, "uuid", CODEC_OPTIONAL, &i.uuid)) < 0 ||
            (r = codec_get_text(at, "device", CODEC_REQUIRED, &i.device)) < 0 ||
            (r = codec_get_text(at, "namespace", CODEC_OPTIONAL, &i.namespace)) < 0 ||
            (r = codec_get_enum(at, "part", CODEC_OPTIONAL, fs_part_from_string, &i.part)) < 0 ||
            (r = codec_get_pages(at, &i.range, &i.bad)) < 0 ||
            (r = codec_get_u64(at, "physical", CODEC_OPTIONAL, &i.physical)) < 0 ||
            (r = codec_get_u64(at, "inode", CODEC_REQUIRED, &i.inode)) < 0 ||
            (r = codec_get_u32(at, "generation", CODEC_REQUIRED, &i.generation)) < 0 ||
            (r = codec_get_file_page(at, "offset", &i.offset)) < 0 ||
            (r = codec_get_text(at, "path", CODEC_OPTIONAL, &i.path)) < 0 ||
            (r = codec_get_u64(at, "file_size", CODEC_REQUIRED, &i.file_size)) < 0 ||
            (r = codec_get_seconds(at, "mtime_sec", &i.mtime_sec)) < 0 ||
            (r = codec_get_u32(at, "mtime_nsec", CODEC_REQUIRED, &i.mtime_nsec)) < 0 ||
            (r = codec_get_text(at, "replica", CODEC_OPTIONAL, &i.replica)) < 0 ||
            (r = codec_get_proofs(at, "proof", &i.proofs)) < 0 ||
            (r = codec_get_bool(at, "alone", CODEC_OPTIONAL, &i.alone)) < 0 ||
            (r = codec_get_bool(at, "in_place", CODEC_OPTIONAL, &i.in_place)) < 0 ||
            (r = codec_get_bool(at, "punch", CODEC_OPTIONAL, &i.punch)) < 0)
                return r;
        if (range_size(i.range) != REPAIR_UNIT)
                return codec_fail(at, "range", "it is not one page");
        if (i.bad.n == 0)
                return codec_fail(at, "bad", "there is nothing bad");

        *ret = i;
        i = (Intent) {};
        return 0;
}

int codec_intent_decode(const char *text, Intent *ret, char **ret_error) {
        return codec_decode(text, ret_error, read_intent, ret);
}
