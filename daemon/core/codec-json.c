/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Between json-c and the codecs: the whole text in and out, building, and the sentence of an error.
 * json-c is content with more than JSON, even when strict; what matters of that is refused here before it
 * is asked. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/codec-json.h"
#include "core/codec-text.h"
#include "core/codec.h"
#include "util/strv.h"

/* Far above every value that we write; far below where an int of json-c ends. A list of all cases may take
 * as much as fits in a message of D-Bus. */
#define TEXT_MAX (UINT64_C(16) * 1024 * 1024)
#define LIST_MAX (UINT64_C(128) * 1024 * 1024)

/* A request is 7 deep. */
#define DEPTH_MAX 16

bool codec_put(struct json_object *o, const char *key, struct json_object *value) {
        const unsigned how = JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY;

        if (!value)
                return false;
        if (json_object_object_add_ex(o, key, value, how) < 0) {
                (void) json_object_put(value);
                return false;
        }
        return true;
}

bool codec_put_u64(struct json_object *o, const char *key, uint64_t value) {
        return codec_put(o, key, json_object_new_uint64(value));
}

bool codec_put_id(struct json_object *o, const char *key, uint64_t id) {
        char digits[24];

        (void) snprintf(digits, sizeof(digits), "%" PRIu64, id);
        return codec_put(o, key, json_object_new_string(digits));
}

bool codec_put_flag(struct json_object *o, const char *key, bool value) {
        return !value || codec_put(o, key, json_object_new_boolean(true));
}

bool codec_put_word(struct json_object *o, const char *key, const char *word) {
        return !word || word[0] == '\0' || codec_put(o, key, json_object_new_string(word));
}

static struct json_object *make_text(const char *text) {
        _cleanup_free_ char *escaped = codec_path_escape(text);

        return escaped ? json_object_new_string(escaped) : NULL;
}

bool codec_put_text(struct json_object *o, const char *key, const char *text) {
        return !text || codec_put(o, key, make_text(text));
}

static bool array_add(struct json_object *array, struct json_object *item) {
        if (!item)
                return false;
        if (json_object_array_add(array, item) < 0) {
                (void) json_object_put(item);
                return false;
        }
        return true;
}

bool codec_put_items(
                struct json_object *o,
                const char *key,
                const void *items,
                size_t n,
                size_t item_size,
                CodecMakeFn make) {

        _cleanup_json_ struct json_object *array = json_object_new_array();

        if (!array)
                return false;
        for (size_t i = 0; i < n; i++)
                if (!array_add(array, make((const char *) items + i * item_size)))
                        return false;
        return codec_put(o, key, TAKE_PTR(array));
}

static struct json_object *make_string(const void *item) {
        return make_text(*(char *const *) item);
}

bool codec_put_strv(struct json_object *o, const char *key, char *const *l) {
        return codec_put_items(o, key, l, strv_length(l), sizeof(*l), make_string);
}

bool codec_put_extent(struct json_object *o, Range r) {
        return codec_put_u64(o, "start", r.start) && codec_put_u64(o, "length", range_size(r));
}

static struct json_object *make_range(const void *item) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const Range *r = item;

        return o && codec_put_extent(o, *r) ? TAKE_PTR(o) : NULL;
}

bool codec_put_range(struct json_object *o, const char *key, Range r) {
        return r.start >= r.end || codec_put(o, key, make_range(&r));
}

bool codec_put_rangeset(struct json_object *o, const char *key, const RangeSet *s) {
        return codec_put_vec(o, key, s, make_range);
}

static const char *text_of(struct json_object *o) {
        return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

char *codec_print(struct json_object *o) {
        _cleanup_json_ struct json_object *owned = o;
        const char *text;

        if (!owned)
                return NULL;
        text = text_of(owned);
        return text ? strdup(text) : NULL;
}

static bool print_item(FILE *f, const void *item, CodecMakeFn make) {
        _cleanup_json_ struct json_object *o = make(item);
        const char *text = o ? text_of(o) : NULL;

        return text && fputs(text, f) >= 0;
}

char *codec_print_items(const char *key, const void *items, size_t n, size_t item_size, CodecMakeFn make) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        bool good;

        if (!f)
                return NULL;
        good = fprintf(f, "{\"%s\":[", key) >= 0;
        for (size_t i = 0; good && i < n; i++)
                good = (i == 0 || fputc(',', f) >= 0) &&
                       print_item(f, (const char *) items + i * item_size, make);
        good = good && fputs("]}", f) >= 0;
        return fclose(f) == 0 && good ? TAKE_PTR(text) : NULL;
}

/* The way to a node: "found[0].owners[2]". NULL: no memory. */
static char *node_path(const CodecNode *n, const char *key) {
        _cleanup_free_ char *up = NULL;
        const CodecNode *above = key ? n : n->up;
        char *path = NULL;
        int r;

        if (!key)
                key = n->key;
        if (!above)
                return strdup("");

        up = node_path(above, NULL);
        if (!up)
                return NULL;
        if (key)
                r = asprintf(&path, "%s%s%s", up, up[0] ? "." : "", key);
        else
                r = asprintf(&path, "%s[%zu]", up, n->index);
        return r < 0 ? NULL : path;
}

int codec_fail(const CodecNode *at, const char *key, const char *format, ...) {
        _cleanup_free_ char *path = NULL, *what = NULL;
        va_list ap;
        int r;

        if (!at->error)
                return -EBADMSG;

        path = node_path(at, key);
        va_start(ap, format);
        r = vasprintf(&what, format, ap);
        va_end(ap);
        if (r < 0) {
                what = NULL;
                return -ENOMEM;
        }
        if (!path || asprintf(at->error, "%s: %s", path[0] ? path : "the value", what) < 0) {
                *at->error = NULL;
                return -ENOMEM;
        }
        return -EBADMSG;
}

static void tokener_freep(struct json_tokener **t) {
        if (*t)
                json_tokener_free(*t);
}

/* Any value, at most `max` bytes of text. */
static int parse_value(const char *text, uint64_t max, char **ret_error, struct json_object **ret) {
        _cleanup_(tokener_freep) struct json_tokener *tokener = NULL;
        _cleanup_json_ struct json_object *o = NULL;
        const CodecNode whole = { .error = ret_error };
        _cleanup_free_ char *ascii = NULL;
        enum json_tokener_error e;
        const char *wrong;
        size_t n;
        int r;

        assert(text);
        assert(ret);

        n = strlen(text);
        if (n > max)
                return codec_fail(&whole, NULL, "it is longer than %" PRIu64 " bytes", max);
        r = codec_text_scan(text, &ascii, &wrong);
        if (r < 0)
                return r == -EBADMSG ? codec_fail(&whole, NULL, "%s", wrong) : r;

        tokener = json_tokener_new_ex(DEPTH_MAX);
        if (!tokener)
                return -ENOMEM;
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);

        if (ascii) {
                text = ascii;
                n = strlen(ascii);
        }
        /* with its NUL: that ends a number */
        o = json_tokener_parse_ex(tokener, text, (int) n + 1);
        e = json_tokener_get_error(tokener);
        if (e != json_tokener_success)
                return codec_fail(&whole, NULL, "it is not JSON: %s at byte %zu", json_tokener_error_desc(e),
                                  json_tokener_get_parse_end(tokener));

        *ret = TAKE_PTR(o);
        return 0;
}

int codec_parse(const char *text, char **ret_error, struct json_object **ret) {
        _cleanup_json_ struct json_object *o = NULL;
        int r;

        assert(ret);

        r = parse_value(text, TEXT_MAX, ret_error, &o);
        if (r < 0)
                return r;
        if (!json_object_is_type(o, json_type_object))
                return codec_fail(&(CodecNode) { .error = ret_error }, NULL, "it is not an object");

        *ret = TAKE_PTR(o);
        return 0;
}

int codec_parse_list(const char *text, char **ret_error, struct json_object **ret) {
        _cleanup_json_ struct json_object *o = NULL;
        int r;

        assert(ret);

        r = parse_value(text, LIST_MAX, ret_error, &o);
        if (r < 0)
                return r;
        if (!json_object_is_type(o, json_type_array))
                return codec_fail(&(CodecNode) { .error = ret_error }, NULL, "it is not an array");

        *ret = TAKE_PTR(o);
        return 0;
}

int codec_json_pretty(const char *text, char **ret) {
        const int how = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE;
        _cleanup_json_ struct json_object *o = NULL;
        const char *pretty;
        char *copy;
        int r;

        assert(ret);

        r = parse_value(text, LIST_MAX, NULL, &o);
        if (r < 0)
                return r;
        pretty = json_object_to_json_string_ext(o, how);
        copy = pretty ? strdup(pretty) : NULL;
        if (!copy)
                return -ENOMEM;

        *ret = copy;
        return 0;
}
