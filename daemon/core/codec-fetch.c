/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Between a worker and bezoar-fetch. What comes from there comes from a network: it is read as strictly as
 * anything else. */

#include <assert.h>
#include <errno.h>

#include "core/codec-parts.h"
#include "core/codec.h"

static struct json_object *make_credentials(const Credentials *c) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        return o &&
               codec_put_text(o, "for", c->prefix) &&
               codec_put_text(o, "user", c->user) &&
               codec_put_text(o, "password", c->password) &&
               codec_put_text(o, "sigv4", c->sigv4) &&
               codec_put_text(o, "certificate", c->certificate) &&
               codec_put_text(o, "key", c->key) &&
               codec_put_text(o, "ca", c->ca) &&
               codec_put_text(o, "psk", c->psk) ? TAKE_PTR(o) : NULL;
}

static int read_credentials(const CodecNode *at, Credentials *ret) {
        _cleanup_credentials_ Credentials c = {};
        int r;

        if ((r = codec_get_text(at, "for", CODEC_REQUIRED, &c.prefix)) < 0 ||
            (r = codec_get_text(at, "user", CODEC_OPTIONAL, &c.user)) < 0 ||
            (r = codec_get_text(at, "password", CODEC_OPTIONAL, &c.password)) < 0 ||
            (r = codec_get_text(at, "sigv4", CODEC_OPTIONAL, &c.sigv4)) < 0 ||
            (r = codec_get_text(at, "certificate", CODEC_OPTIONAL, &c.certificate)) < 0 ||
            (r = codec_get_text(at, "key", CODEC_OPTIONAL, &c.key)) < 0 ||
            (r = codec_get_text(at, "ca", CODEC_OPTIONAL, &c.ca)) < 0 ||
            (r = codec_get_text(at, "psk", CODEC_OPTIONAL, &c.psk)) < 0)
                return r;

        *ret = c;
        c = (Credentials) {};
        return 0;
}

char *codec_fetch_request_encode(const FetchRequest *r) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        assert(r);

        return o &&
               codec_put_text(o, "replica", r->replica) &&
               codec_put_text(o, "relative", r->relative) &&
               codec_put_u64(o, "size", r->size) &&
               codec_put(o, "mtime_sec", json_object_new_int64(r->mtime_sec)) &&
               codec_put_u64(o, "mtime_nsec", r->mtime_nsec) &&
               codec_put_flag(o, "untimed", r->untimed) &&
               codec_put_u64(o, "timeout_usec", r->timeout_usec) &&
               (!r->credentials.prefix || codec_put(o, "credentials", make_credentials(&r->credentials)))
                       ? codec_print(TAKE_PTR(o)) : NULL;
}

static int read_request(const CodecNode *at, FetchRequest *ret) {
        _cleanup_fetch_request_ FetchRequest q = {};
        CodecNode credentials;
        int r;

        if ((r = codec_get_text(at, "replica", CODEC_REQUIRED, &q.replica)) < 0 ||
            (r = codec_get_text(at, "relative", CODEC_REQUIRED, &q.relative)) < 0 ||
            (r = codec_get_u64(at, "size", CODEC_REQUIRED, &q.size)) < 0 ||
            (r = codec_get_seconds(at, "mtime_sec", &q.mtime_sec)) < 0 ||
            (r = codec_get_u32(at, "mtime_nsec", CODEC_REQUIRED, &q.mtime_nsec)) < 0 ||
            (r = codec_get_bool(at, "untimed", CODEC_OPTIONAL, &q.untimed)) < 0 ||
            (r = codec_get_u64(at, "timeout_usec", CODEC_REQUIRED, &q.timeout_usec)) < 0 ||
            (r = codec_get(at, "credentials", CODEC_OPTIONAL, json_type_object, &credentials)) < 0)
                return r;
        if (credentials.value) {
                r = read_credentials(&credentials, &q.credentials);
                if (r < 0)
                        return r;
        }
        if (q.relative[0] == '/')
                return codec_fail(at, "relative", "it is absolute");
        if (q.mtime_nsec >= 1000000000)
                return codec_fail(at, "mtime_nsec", "it is a second or more");

        *ret = q;
        q = (FetchRequest) {};
        return 0;
}

int codec_fetch_request_decode(const char *text, FetchRequest *ret, char **ret_error) {
        return codec_decode(text, ret_error, read_request, ret);
}

char *codec_fetch_reply_encode(const FetchReply *r) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        assert(r);

        return o &&
               codec_put(o, "offer", codec_make_offer(&r->offer)) &&
               codec_put_u64(o, "size", r->size) ? codec_print(TAKE_PTR(o)) : NULL;
}

static int read_reply(const CodecNode *at, FetchReply *ret) {
        _cleanup_fetch_reply_ FetchReply p = {};
        CodecNode offer;
        int r;

        if ((r = codec_get(at, "offer", CODEC_REQUIRED, json_type_object, &offer)) < 0 ||
            (r = codec_read_offer(&offer, &p.offer)) < 0 ||
            (r = codec_get_u64(at, "size", CODEC_REQUIRED, &p.size)) < 0)
                return r;

        *ret = p;
        p = (FetchReply) {};
        return 0;
}

int codec_fetch_reply_decode(const char *text, FetchReply *ret, char **ret_error) {
        return codec_decode(text, ret_error, read_reply, ret);
}

char *codec_fetch_range_encode(Range r) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        return o && codec_put_extent(o, r) ? codec_print(TAKE_PTR(o)) : NULL;
}

int codec_fetch_range_decode(const char *text, Range *ret) {
        return codec_decode(text, NULL, codec_get_extent, ret);
}

char *codec_fetch_piece_encode(uint64_t length, int error) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        return o &&
               (error < 0 ? codec_put_u64(o, "errno", (uint64_t) -error)
                          : codec_put_u64(o, "length", length)) ? codec_print(TAKE_PTR(o)) : NULL;
}

int codec_fetch_piece_decode(const char *text, uint64_t *ret_length, int *ret_error) {
        _cleanup_json_ struct json_object *o = NULL;
        uint64_t length = 0;
        uint32_t error = 0;
        CodecNode at;
        int r;

        r = codec_parse(text, NULL, &o);
        if (r < 0)
                return r;
        at = (CodecNode) { .value = o };
        r = codec_get_u32(&at, "errno", CODEC_OPTIONAL, &error);
        if (r >= 0)
                r = codec_get_u64(&at, "length", error ? CODEC_OPTIONAL : CODEC_REQUIRED, &length);
        if (r < 0)
                return r;
        if (error > 4095)
                return -EBADMSG;

        *ret_length = length;
        *ret_error = -(int) error;
        return 0;
}
