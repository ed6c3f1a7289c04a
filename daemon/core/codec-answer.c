/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Answers of the worker: what it found, how it goes, and how it ended. */

#include <assert.h>

#include "core/codec-parts.h"
#include "core/codec.h"

char *codec_locate_reply_encode(const LocateReply *r) {
        assert(r);

        return codec_print_vec("found", &r->found, codec_make_findings);
}

static int read_reply(const CodecNode *at, LocateReply *ret) {
        _cleanup_locate_reply_ LocateReply reply = {};
        int r;

        r = codec_get_vec(at, "found", CODEC_REQUIRED, &reply.found, codec_read_findings, findings_done);
        if (r < 0)
                return r;

        *ret = reply;
        reply = (LocateReply) {};
        return 0;
}

int codec_locate_reply_decode(const char *text, LocateReply *ret, char **ret_error) {
        return codec_decode(text, ret_error, read_reply, ret);
}

/* How a repair or a settlement can end. */
static bool state_is_result(CaseState s) {
        return s == CASE_HEALED || s == CASE_FAILED || s == CASE_WAITING || s == CASE_REFUSED ||
               s == CASE_IN_DOUBT || s == CASE_GONE || s == CASE_DETECTED || s == CASE_HARMLESS;
}

static bool put_end(struct json_object *o, const Result *r) {
        return codec_put_word(o, "state", case_state_to_string(r->state)) &&
               codec_put_word(o, "reason", reason_to_string(r->reason)) &&
               codec_put_text(o, "replica", r->replica) &&
               codec_put_proofs(o, "proof", r->proofs) &&
               (r->writer == WRITER_AUTO || codec_put_word(o, "writer", writer_to_string(r->writer))) &&
               codec_put_word(o, "exclusion", exclusion_to_string(r->exclusion)) &&
               codec_put_u64(o, "bytes", r->bytes) &&
               (!r->frozen_usec || codec_put_u64(o, "frozen_usec", r->frozen_usec));
}

char *codec_result_encode(const Result *r) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        assert(r);

        return o &&
               (!r->id || codec_put_id(o, "id", r->id)) &&
               codec_put_flag(o, "progress", r->progress) &&
               codec_put_text(o, "detail", r->detail) &&
               (r->progress || put_end(o, r)) ? codec_print(TAKE_PTR(o)) : NULL;
}

static int get_end(const CodecNode *at, Result *q) {
        int r;

        if ((r = codec_get_enum(at, "state", CODEC_REQUIRED, case_state_from_string, &q->state)) < 0 ||
            (r = codec_get_enum(at, "reason", CODEC_OPTIONAL, reason_from_string, &q->reason)) < 0 ||
            (r = codec_get_text(at, "replica", CODEC_OPTIONAL, &q->replica)) < 0 ||
            (r = codec_get_proofs(at, "proof", &q->proofs)) < 0 ||
            (r = codec_get_enum(at, "writer", CODEC_OPTIONAL, writer_from_string, &q->writer)) < 0 ||
            (r = codec_get_enum(at, "exclusion", CODEC_OPTIONAL, exclusion_from_string,
                                &q->exclusion)) < 0 ||
            (r = codec_get_u64(at, "bytes", CODEC_REQUIRED, &q->bytes)) < 0 ||
            (r = codec_get_u64(at, "frozen_usec", CODEC_OPTIONAL, &q->frozen_usec)) < 0)
                return r;
        if (!state_is_result(q->state))
                return codec_fail(at, "state", "no repair ends in it");
        return 0;
}

static int read_result(const CodecNode *at, Result *ret) {
        _cleanup_result_ Result q = {
                .state = CASE_REPAIRING,
                .writer = WRITER_AUTO,
                .exclusion = _EXCLUSION_INVALID,
        };
        int r;

        if ((r = codec_get_id(at, "id", CODEC_OPTIONAL, &q.id)) < 0 ||
            (r = codec_get_bool(at, "progress", CODEC_OPTIONAL, &q.progress)) < 0 ||
            (r = codec_get_text(at, "detail", CODEC_OPTIONAL, &q.detail)) < 0 ||
            (!q.progress && (r = get_end(at, &q)) < 0))
                return r;

        *ret = q;
        q = (Result) {};
        return 0;
}

int codec_result_decode(const char *text, Result *ret, char **ret_error) {
        return codec_decode(text, ret_error, read_result, ret);
}

char *codec_error_encode(const char *sentence) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        assert(sentence);

        return o && codec_put_text(o, "error", sentence) ? codec_print(TAKE_PTR(o)) : NULL;
}

static int read_error(const CodecNode *at, char **ret) {
        _cleanup_free_ char *sentence = NULL;
        int r = codec_get_text(at, "error", CODEC_REQUIRED, &sentence);

        if (r >= 0)
                *ret = TAKE_PTR(sentence);
        return r;
}

int codec_error_decode(const char *text, char **ret) {
        return codec_decode(text, NULL, read_error, ret);
}

char *codec_searching_encode(void) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        return o && codec_put_flag(o, "searching", true) ? codec_print(TAKE_PTR(o)) : NULL;
}

bool codec_searching_decode(const char *text) {
        _cleanup_json_ struct json_object *o = NULL;
        bool searching = false;

        return codec_parse(text, NULL, &o) >= 0 &&
               codec_get_bool(&(CodecNode) { .value = o }, "searching", CODEC_REQUIRED, &searching) >= 0 &&
               searching;
}
