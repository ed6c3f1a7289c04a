/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <assert.h>
#include <json-c/json.h>

#include "core/owner.h"
#include "core/rangeset.h"
#include "util/cleanup.h"
#include "util/vec.h"

/* Internal to core/codec*: what the codecs are made of. */

static inline void json_putp(struct json_object **o) {
        (void) json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(json_putp)

/* Building. Each adds a member to an object and says whether there was memory for it, so that a value is one
 * chain of &&. What is "left out" (NULL, the empty range, a false flag) is a success that adds nothing. */

/* Takes `value` over, also on failure; NULL is the failure of who made it. `key`, here and below: a constant
 * that lives as long as the program, once in an object. */
bool codec_put(struct json_object *o, const char *key, struct json_object *value);

bool codec_put_u64(struct json_object *o, const char *key, uint64_t value);

/* As a string of digits. */
bool codec_put_id(struct json_object *o, const char *key, uint64_t id);

/* Left out when false. */
bool codec_put_flag(struct json_object *o, const char *key, bool value);

/* A word of an enum. Left out when NULL or empty. */
bool codec_put_word(struct json_object *o, const char *key, const char *word);

/* Any bytes, escaped. Left out when NULL. */
bool codec_put_text(struct json_object *o, const char *key, const char *text);
bool codec_put_strv(struct json_object *o, const char *key, char *const *l);

/* The members `start` and `length` in `o` itself; an object of these, left out when empty; an array of
 * such. */
bool codec_put_extent(struct json_object *o, Range r);
bool codec_put_range(struct json_object *o, const char *key, Range r);
bool codec_put_rangeset(struct json_object *o, const char *key, const RangeSet *s);

/* An array of what `make` makes of each item. */
typedef struct json_object *(*CodecMakeFn)(const void *item);
bool codec_put_items(struct json_object *o, const char *key, const void *items, size_t n, size_t item_size,
                     CodecMakeFn make);
#define codec_put_vec(o, key, v, make) \
        codec_put_items((o), (key), (v)->items, (v)->n, sizeof(*(v)->items), (make))

/* The text of `o`, which it takes over. NULL, also for a NULL: no memory. */
char *codec_print(struct json_object *o);

/* The text of an object with this one member, an array of what `make` makes of each item. Item by item: long
 * lists take the memory of their text, and not that of all values in it. NULL: no memory. */
char *codec_print_items(const char *key, const void *items, size_t n, size_t item_size, CodecMakeFn make);
#define codec_print_vec(key, v, make) \
        codec_print_items((key), (v)->items, (v)->n, sizeof(*(v)->items), (make))

/* Reading. A node is a value and the way to it, which the error names. */
typedef struct CodecNode {
        const struct CodecNode *up;     /* NULL: the whole */
        const char *key;                /* member of `up`; NULL: item `index` of it */
        size_t index;
        struct json_object *value;      /* belongs to the whole */
        char **error;                   /* where the sentence goes; may be NULL */
} CodecNode;

typedef enum Presence {
        CODEC_REQUIRED,
        CODEC_OPTIONAL,                 /* a member that is not there leaves *ret as it is */
} Presence;

/* The value that is in `text`, alone. 0, -EBADMSG and *ret_error, -ENOMEM. */
int codec_parse(const char *text, char **ret_error, struct json_object **ret);

/* The same for an array, which may be longer. */
int codec_parse_list(const char *text, char **ret_error, struct json_object **ret);

/* Reads all of `text` by `read`, a function of a node and where to. 0, -EBADMSG and *ret_error (which may be
 * NULL), -ENOMEM, or what else `read` returns. */
#define codec_decode(text, ret_error, read, ret)                                                \
        ({                                                                                      \
                _cleanup_json_ struct json_object *_whole = NULL;                               \
                char **_error = (ret_error);                                                    \
                int _dr;                                                                        \
                                                                                                \
                assert(ret);                                                                    \
                _dr = codec_parse((text), _error, &_whole);                                     \
                if (_dr >= 0)                                                                   \
                        _dr = read(&(CodecNode) { .value = _whole, .error = _error }, (ret));   \
                _dr;                                                                            \
        })

/* -EBADMSG, having said why in *at->error: "found[0].range.length: it is 0". key NULL: the node. -ENOMEM. */
__attribute__((format(printf, 3, 4)))
int codec_fail(const CodecNode *at, const char *key, const char *format, ...);

/* Each gets the member `key` of an object: 0, -EBADMSG, -ENOMEM; *ret is untouched on failure. */
int codec_get(const CodecNode *at, const char *key, Presence p, enum json_type type, CodecNode *ret);
int codec_get_u64(const CodecNode *at, const char *key, Presence p, uint64_t *ret);
int codec_get_u32(const CodecNode *at, const char *key, Presence p, uint32_t *ret);
int codec_get_seconds(const CodecNode *at, const char *key, int64_t *ret);              /* required */
int codec_get_id(const CodecNode *at, const char *key, Presence p, uint64_t *ret);      /* never 0 */
int codec_get_bool(const CodecNode *at, const char *key, Presence p, bool *ret);
int codec_get_word(const CodecNode *at, const char *key, Presence p, const char **ret); /* not to be freed */
int codec_get_text(const CodecNode *at, const char *key, Presence p, char **ret);       /* frees *ret */
int codec_get_strv(const CodecNode *at, const char *key, Presence p, char ***ret);
int codec_get_extent(const CodecNode *at, Range *ret);
int codec_get_range(const CodecNode *at, const char *key, Presence p, Range *ret);
int codec_get_rangeset(const CodecNode *at, const char *key, Presence p, RangeSet *ret);

/* The array `key` (a member that is not there is an empty one) and its items. */
int codec_get_array(const CodecNode *at, const char *key, Presence p, CodecNode *ret, size_t *ret_n);
CodecNode codec_item(const CodecNode *array, size_t index);

/* A member that is one word of an enum. */
#define codec_get_enum(at, key, presence, from_string, ret)                             \
        ({                                                                              \
                const char *_ew = NULL;                                                 \
                int _er = codec_get_word((at), (key), (presence), &_ew);                \
                if (_er == 0 && _ew) {                                                  \
                        int _ev = (int) from_string(_ew);                               \
                        if (_ev < 0)                                                    \
                                _er = codec_fail((at), (key), "the word is not known"); \
                        else                                                            \
                                *(ret) = (typeof(*(ret))) _ev;                          \
                }                                                                       \
                _er;                                                                    \
        })

/* Appends to the growable array `v` what `read` reads from each item; on failure the caller frees what is
 * in it. */
#define codec_get_vec(at, key, presence, v, read, done)                                 \
        ({                                                                              \
                CodecNode _array = {};                                                  \
                size_t _n = 0;                                                          \
                int _ar = codec_get_array((at), (key), (presence), &_array, &_n);       \
                for (size_t _i = 0; _ar == 0 && _i < _n; _i++) {                        \
                        typeof(*(v)->items) _item = {};                                 \
                        CodecNode _node = codec_item(&_array, _i);                      \
                        _ar = read(&_node, &_item);                                     \
                        if (_ar < 0)                                                    \
                                break;                                                  \
                        _ar = vec_push((v), _item);                                     \
                        if (_ar < 0)                                                    \
                                done(&_item);                                           \
                }                                                                       \
                _ar;                                                                    \
        })
