/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Strict getters: a member is there, of the very type, and in range, or there is an error that names it.
 * Nothing is converted: json-c would make a number of the string "12", and 0 of anything. Members that
 * nobody asks for are ignored, so that an older program understands a newer one. */

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "core/codec-json.h"
#include "core/codec.h"
#include "util/parse.h"
#include "util/strv.h"

static const char *type_name(enum json_type type) {
        switch (type) {

        case json_type_boolean:
                return "true or false";
        case json_type_int:
                return "a whole number";
        case json_type_object:
                return "an object";
        case json_type_array:
                return "an array";
        case json_type_string:
                return "a string";
        case json_type_null:
        case json_type_double:
        default:
                return "something else";
        }
}

/* *ret->value stays NULL for an optional member that is not there. */
int codec_get(const CodecNode *at, const char *key, Presence p, enum json_type type, CodecNode *ret) {
        CodecNode n = { .up = at, .key = key, .error = at->error };

        if (!json_object_is_type(at->value, json_type_object))
                return codec_fail(at, NULL, "an object is wanted");
        if (!json_object_object_get_ex(at->value, key, &n.value)) {
                if (p == CODEC_REQUIRED)
                        return codec_fail(at, key, "it is missing");
                n.value = NULL;
        } else if (!json_object_is_type(n.value, type))
                return codec_fail(at, key, "%s is wanted", type_name(type));

        *ret = n;
        return 0;
}

int codec_get_u64(const CodecNode *at, const char *key, Presence p, uint64_t *ret) {
        CodecNode n;
        int r;

        r = codec_get(at, key, p, json_type_int, &n);
        if (r < 0 || !n.value)
                return r;
        if (json_object_get_int64(n.value) < 0)
                return codec_fail(at, key, "it is negative");

        *ret = json_object_get_uint64(n.value);
        return 0;
}

int codec_get_u32(const CodecNode *at, const char *key, Presence p, uint32_t *ret) {
        uint64_t value = *ret;
        int r;

        r = codec_get_u64(at, key, p, &value);
        if (r < 0)
                return r;
        if (value > UINT32_MAX)
                return codec_fail(at, key, "it is larger than %" PRIu32, UINT32_MAX);

        *ret = (uint32_t) value;
        return 0;
}

int codec_get_id(const CodecNode *at, const char *key, Presence p, uint64_t *ret) {
        const char *word = NULL;
        uint64_t id;
        int r;

        r = codec_get_word(at, key, p, &word);
        if (r < 0 || !word)
                return r;
        if (word[0] < '1' || word[0] > '9' || word[strspn(word, "0123456789")] != '\0' ||
            parse_u64(word, &id) < 0)
                return codec_fail(at, key, "a string of digits that does not begin with 0 is wanted");

        *ret = id;
        return 0;
}

int codec_get_bool(const CodecNode *at, const char *key, Presence p, bool *ret) {
        CodecNode n;
        int r;

        r = codec_get(at, key, p, json_type_boolean, &n);
        if (r < 0 || !n.value)
                return r;

        *ret = json_object_get_boolean(n.value);
        return 0;
}

int codec_get_word(const CodecNode *at, const char *key, Presence p, const char **ret) {
        CodecNode n;
        int r;

        r = codec_get(at, key, p, json_type_string, &n);
        if (r < 0 || !n.value)
                return r;

        *ret = json_object_get_string(n.value);
        return 0;
}

static int unescape(const CodecNode *n, char **ret) {
        int r;

        r = codec_path_unescape(json_object_get_string(n->value), ret);
        if (r == -EBADMSG)
                return codec_fail(n, NULL, "a backslash that does not begin \\xNN (lower-case, not 00)");
        return r;
}

int codec_get_text(const CodecNode *at, const char *key, Presence p, char **ret) {
        char *text;
        CodecNode n;
        int r;

        r = codec_get(at, key, p, json_type_string, &n);
        if (r < 0 || !n.value)
                return r;
        r = unescape(&n, &text);
        if (r < 0)
                return r;

        free(*ret);
        *ret = text;
        return 0;
}

int codec_get_array(const CodecNode *at, const char *key, Presence p, CodecNode *ret, size_t *ret_n) {
        int r;

        r = codec_get(at, key, p, json_type_array, ret);
        if (r < 0)
                return r;

        *ret_n = ret->value ? json_object_array_length(ret->value) : 0;
        return 0;
}

CodecNode codec_item(const CodecNode *array, size_t index) {
        return (CodecNode) {
                .up = array,
                .index = index,
                .value = json_object_array_get_idx(array->value, index),
                .error = array->error,
        };
}

int codec_get_strv(const CodecNode *at, const char *key, Presence p, char ***ret) {
        _cleanup_strv_ char **l = NULL;
        CodecNode array;
        size_t n;
        int r;

        r = codec_get_array(at, key, p, &array, &n);
        if (r < 0 || n == 0)
                return r;

        l = calloc(n + 1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                CodecNode item = codec_item(&array, i);

                if (!json_object_is_type(item.value, json_type_string))
                        return codec_fail(&item, NULL, "a string is wanted");
                r = unescape(&item, &l[i]);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(l);
        return 0;
}

int codec_get_extent(const CodecNode *at, Range *ret) {
        uint64_t start, length;
        int r;

        r = codec_get_u64(at, "start", CODEC_REQUIRED, &start);
        if (r < 0)
                return r;
        r = codec_get_u64(at, "length", CODEC_REQUIRED, &length);
        if (r < 0)
                return r;

        r = range_init(start, length, ret);
        if (r == -EINVAL)
                return codec_fail(at, "length", "it is 0");
        if (r < 0)
                return codec_fail(at, "length", "the range ends above 18446744073709551615");
        return 0;
}

int codec_get_range(const CodecNode *at, const char *key, Presence p, Range *ret) {
        CodecNode n;
        int r;

        r = codec_get(at, key, p, json_type_object, &n);
        if (r < 0 || !n.value)
                return r;
        return codec_get_extent(&n, ret);
}

int codec_get_rangeset(const CodecNode *at, const char *key, Presence p, RangeSet *ret) {
        _cleanup_rangeset_ RangeSet s = {};
        CodecNode array;
        size_t n;
        int r;

        r = codec_get_array(at, key, p, &array, &n);
        if (r < 0 || !array.value)
                return r;
        for (size_t i = 0; i < n; i++) {
                CodecNode item = codec_item(&array, i);
                Range range;

                r = codec_get_extent(&item, &range);
                if (r < 0)
                        return r;
                r = rangeset_add(&s, range);
                if (r < 0)
                        return r;
        }

        rangeset_done(ret);
        *ret = s;
        s = (RangeSet) {};
        return 0;
}

/* The only number that may be negative: a file can be older than 1970. The ends of the type are where
 * json-c puts what does not fit. */
int codec_get_seconds(const CodecNode *at, const char *key, int64_t *ret) {
        int64_t value;
        CodecNode n;
        int r;

        r = codec_get(at, key, CODEC_REQUIRED, json_type_int, &n);
        if (r < 0)
                return r;
        value = json_object_get_int64(n.value);
        if (value == INT64_MIN || value == INT64_MAX)
                return codec_fail(at, key, "it is too large");

        *ret = value;
        return 0;
}
