/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a worker found out: owners, offers, and the findings that hold both. */

#include <inttypes.h>

#include "core/codec-parts.h"

int codec_get_pages(const CodecNode *at, Range *ret, RangeSet *ret_bad) {
        _cleanup_rangeset_ RangeSet bad = {};
        Range range;
        int r;

        r = codec_get_range(at, "range", CODEC_REQUIRED, &range);
        if (r < 0)
                return r;
        if (!range_is_aligned(range, REPAIR_UNIT))
                return codec_fail(at, "range", "it is not in whole pages of %" PRIu64 " bytes", REPAIR_UNIT);

        r = codec_get_rangeset(at, "bad", CODEC_OPTIONAL, &bad);
        if (r < 0)
                return r;
        for (size_t i = 0; i < bad.n; i++)
                if (!range_contains(range, bad.items[i]))
                        return codec_fail(at, "bad", "it is not within the range");

        *ret = range;
        rangeset_done(ret_bad);
        *ret_bad = bad;
        bad = (RangeSet) {};
        return 0;
}

int codec_get_file_page(const CodecNode *at, const char *key, uint64_t *ret) {
        uint64_t offset = 0;
        int r;

        r = codec_get_u64(at, key, CODEC_REQUIRED, &offset);
        if (r < 0)
                return r;
        if (offset % REPAIR_UNIT != 0 || offset > INT64_MAX - REPAIR_UNIT)
                return codec_fail(at, key, "it is not that of a page of a file");

        *ret = offset;
        return 0;
}

bool codec_put_proofs(struct json_object *o, const char *key, ProofSet s) {
        char text[PROOF_SET_MAX];

        return s == 0 || codec_put_word(o, key, proof_set_to_string(s, text));
}

int codec_get_proofs(const CodecNode *at, const char *key, ProofSet *ret) {
        const char *word = NULL;
        int r;

        r = codec_get_word(at, key, CODEC_OPTIONAL, &word);
        if (r < 0 || !word)
                return r;
        if (proof_set_from_string(word, ret) < 0)
                return codec_fail(at, key, "proofs joined by + are wanted");
        return 0;
}

struct json_object *codec_make_owner(const void *owner) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const Owner *w = owner;
        bool file = w->type == OWNER_FILE;

        return o &&
               codec_put_word(o, "type", owner_type_to_string(w->type)) &&
               codec_put_extent(o, w->range) &&
               (!(file || w->inode) || codec_put_u64(o, "inode", w->inode)) &&
               (!(file || w->generation) || codec_put_u64(o, "generation", w->generation)) &&
               (!(file || w->offset) || codec_put_u64(o, "offset", w->offset)) &&
               codec_put_text(o, "path", w->path) &&
               (!w->names || codec_put_strv(o, "names", w->names)) &&
               codec_put_flag(o, "shared", w->shared) &&
               codec_put_flag(o, "unwritten", w->unwritten) &&
               codec_put_flag(o, "guard", w->guard) &&
               codec_put_text(o, "detail", w->detail) ? TAKE_PTR(o) : NULL;
}

int codec_read_owner(const CodecNode *at, Owner *ret) {
        _cleanup_owner_ Owner o = {};
        Presence file;
        int r;

        r = codec_get_enum(at, "type", CODEC_REQUIRED, owner_type_from_string, &o.type);
        if (r < 0)
                return r;
        file = o.type == OWNER_FILE ? CODEC_REQUIRED : CODEC_OPTIONAL;
        if ((r = codec_get_extent(at, &o.range)) < 0 ||
            (r = codec_get_u64(at, "inode", file, &o.inode)) < 0 ||
            (r = codec_get_u32(at, "generation", file, &o.generation)) < 0 ||
            (r = codec_get_u64(at, "offset", file, &o.offset)) < 0 ||
            (r = codec_get_text(at, "path", CODEC_OPTIONAL, &o.path)) < 0 ||
            (r = codec_get_strv(at, "names", CODEC_OPTIONAL, &o.names)) < 0 ||
            (r = codec_get_bool(at, "shared", CODEC_OPTIONAL, &o.shared)) < 0 ||
            (r = codec_get_bool(at, "unwritten", CODEC_OPTIONAL, &o.unwritten)) < 0 ||
            (r = codec_get_bool(at, "guard", CODEC_OPTIONAL, &o.guard)) < 0 ||
            (r = codec_get_text(at, "detail", CODEC_OPTIONAL, &o.detail)) < 0)
                return r;
        if (o.offset > UINT64_MAX - range_size(o.range))
                return codec_fail(at, "offset", "the file would end above 18446744073709551615");

        *ret = o;
        o = (Owner) {};
        return 0;
}

struct json_object *codec_make_offer(const void *offer) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const Offer *f = offer;
        bool held = f->state == OFFER_HELD,
             at = f->witness == WITNESS_DIFFER || f->witness == WITNESS_BUSY;

        return o &&
               codec_put_text(o, "replica", f->replica) &&
               codec_put_word(o, "state", offer_state_to_string(f->state)) &&
               codec_put_proofs(o, "proof", f->proofs) &&
               (!(held || f->witness != WITNESS_FEW) ||
                codec_put_word(o, "witness", witness_to_string(f->witness))) &&
               (!(at || f->witness_at) || codec_put_u64(o, "witness_at", f->witness_at)) &&
               codec_put_flag(o, "untimed", f->untimed) &&
               (!f->group || codec_put_u64(o, "group", f->group)) &&
               codec_put_text(o, "same_as", f->same_as) &&
               codec_put_text(o, "detail", f->detail) &&
               codec_put_flag(o, "enough", f->enough) &&
               (f->truth == TRUTH_UNKNOWN || codec_put_word(o, "truth", truth_to_string(f->truth)))
                       ? TAKE_PTR(o)
                       : NULL;
}

int codec_read_offer(const CodecNode *at, Offer *ret) {
        _cleanup_offer_ Offer f = { .witness = WITNESS_FEW };
        int r;

        if ((r = codec_get_text(at, "replica", CODEC_REQUIRED, &f.replica)) < 0 ||
            (r = codec_get_enum(at, "state", CODEC_REQUIRED, offer_state_from_string, &f.state)) < 0 ||
            (r = codec_get_proofs(at, "proof", &f.proofs)) < 0 ||
            (r = codec_get_enum(at, "witness", CODEC_OPTIONAL, witness_from_string, &f.witness)) < 0 ||
            (r = codec_get_u64(at, "witness_at", CODEC_OPTIONAL, &f.witness_at)) < 0 ||
            (r = codec_get_bool(at, "untimed", CODEC_OPTIONAL, &f.untimed)) < 0 ||
            (r = codec_get_u32(at, "group", CODEC_OPTIONAL, &f.group)) < 0 ||
            (r = codec_get_text(at, "same_as", CODEC_OPTIONAL, &f.same_as)) < 0 ||
            (r = codec_get_text(at, "detail", CODEC_OPTIONAL, &f.detail)) < 0 ||
            (r = codec_get_bool(at, "enough", CODEC_OPTIONAL, &f.enough)) < 0 ||
            (r = codec_get_enum(at, "truth", CODEC_OPTIONAL, truth_from_string, &f.truth)) < 0)
                return r;
        if (f.state != OFFER_HELD && f.proofs != 0)
                return codec_fail(at, "proof", "there is none without bytes");

        *ret = f;
        f = (Offer) {};
        return 0;
}

static struct json_object *make_mend(const Mend *m) {
        _cleanup_json_ struct json_object *o = json_object_new_object(), *parts = json_object_new_array();

        for (MendPart p = 0; parts && p < _MEND_PART_MAX; p++) {
                struct json_object *word;

                if (!(m->parts & MEND_BIT(p)))
                        continue;
                word = json_object_new_string(mend_part_to_string(p));
                if (!word || json_object_array_add(parts, word) < 0) {
                        json_object_put(word);
                        return NULL;
                }
        }

        return o && parts && codec_put(o, "parts", TAKE_PTR(parts)) &&
               (m->inode ? codec_put_u64(o, "inode", m->inode) &&
                           codec_put_u64(o, "generation", m->generation)
                         : codec_put_u64(o, "group", m->group)) ? TAKE_PTR(o) : NULL;
}

static int read_mend_part(const CodecNode *at, Mend *m) {
        MendPart p = mend_part_from_string(json_object_get_string(at->value));

        if (p < 0 || !json_object_is_type(at->value, json_type_string))
                return codec_fail(at, NULL, "the word is not known");
        m->parts |= MEND_BIT(p);
        return 0;
}

static int get_mend(const CodecNode *at, Mend *ret) {
        CodecNode node = {}, array = {};
        Mend m = {};
        size_t n;
        int r;

        r = codec_get(at, "mend", CODEC_OPTIONAL, json_type_object, &node);
        if (r < 0 || !node.value)
                return r;
        r = codec_get_array(&node, "parts", CODEC_REQUIRED, &array, &n);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                CodecNode item = codec_item(&array, i);

                r = read_mend_part(&item, &m);
        }
        if (r < 0 ||
            (r = codec_get_u32(&node, "group", CODEC_OPTIONAL, &m.group)) < 0 ||
            (r = codec_get_u64(&node, "inode", CODEC_OPTIONAL, &m.inode)) < 0 ||
            (r = codec_get_u32(&node, "generation", CODEC_OPTIONAL, &m.generation)) < 0)
                return r;
        if (m.parts == 0 || !mend_is_sane(&m))
                return codec_fail(at, "mend", "parts of one group, or one of an inode, are wanted");

        *ret = m;
        return 0;
}

struct json_object *codec_make_findings(const void *findings) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const Findings *f = findings;

        return o &&
               codec_put_range(o, "range", f->range) &&
               codec_put_rangeset(o, "bad", &f->bad) &&
               codec_put_vec(o, "owners", &f->owners, codec_make_owner) &&
               codec_put_vec(o, "offers", &f->offers, codec_make_offer) &&
               codec_put_flag(o, "read_only", f->read_only) &&
               (!f->file_size || codec_put_u64(o, "file_size", f->file_size)) &&
               codec_put_text(o, "fs", f->fs) &&
               codec_put_part(o, f->part) &&
               codec_put_flag(o, "absent", f->absent) &&
               codec_put_flag(o, "present", f->present) &&
               codec_put_flag(o, "readable", f->readable) &&
               codec_put_flag(o, "coarse", f->coarse) &&
               codec_put_flag(o, "clonable", f->clonable) &&
               codec_put_flag(o, "freezable", f->freezable) &&
               (f->mend.parts == 0 || codec_put(o, "mend", make_mend(&f->mend))) &&
               codec_put_text(o, "mended", f->mended) &&
               codec_put_flag(o, "held", f->held) ? TAKE_PTR(o) : NULL;
}

int codec_read_findings(const CodecNode *at, Findings *ret) {
        _cleanup_findings_ Findings f = {};
        int r;

        if ((r = codec_get_pages(at, &f.range, &f.bad)) < 0 ||
            (r = codec_get_vec(at, "owners", CODEC_OPTIONAL, &f.owners, codec_read_owner, owner_done)) < 0 ||
            (r = codec_get_vec(at, "offers", CODEC_OPTIONAL, &f.offers, codec_read_offer,
                               offer_done)) < 0 ||
            (r = codec_get_bool(at, "read_only", CODEC_OPTIONAL, &f.read_only)) < 0 ||
            (r = codec_get_u64(at, "file_size", CODEC_OPTIONAL, &f.file_size)) < 0 ||
            (r = codec_get_text(at, "fs", CODEC_OPTIONAL, &f.fs)) < 0 ||
            (r = codec_get_enum(at, "part", CODEC_OPTIONAL, fs_part_from_string, &f.part)) < 0 ||
            (r = codec_get_bool(at, "absent", CODEC_OPTIONAL, &f.absent)) < 0 ||
            (r = codec_get_bool(at, "present", CODEC_OPTIONAL, &f.present)) < 0 ||
            (r = codec_get_bool(at, "readable", CODEC_OPTIONAL, &f.readable)) < 0 ||
            (r = codec_get_bool(at, "coarse", CODEC_OPTIONAL, &f.coarse)) < 0 ||
            (r = codec_get_bool(at, "clonable", CODEC_OPTIONAL, &f.clonable)) < 0 ||
            (r = codec_get_bool(at, "freezable", CODEC_OPTIONAL, &f.freezable)) < 0 ||
            (r = get_mend(at, &f.mend)) < 0 ||
            (r = codec_get_text(at, "mended", CODEC_OPTIONAL, &f.mended)) < 0 ||
            (r = codec_get_bool(at, "held", CODEC_OPTIONAL, &f.held)) < 0)
                return r;

        *ret = f;
        f = (Findings) {};
        return 0;
}
