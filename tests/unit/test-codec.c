/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/codec-text.h"
#include "core/codec.h"
#include "random.h"
#include "util/strv.h"
#include "util/vec.h"

#define ROUNDS 300

/* One form of every value for the tests that are the same for all of them. */
typedef union Any {
        Case *c;
        Topology topology;
        Request request;
        LocateReply reply;
        Result result;
        Intent intent;
        Preview preview;
} Any;

typedef struct Codec {
        const char *name;
        int (*decode)(const char *text, Any *ret, char **ret_error);
        char *(*encode)(const Any *a);
        void (*done)(Any *a);
        const char *sample;     /* every member, in the form in which it is written */
} Codec;

static int decode_case(const char *text, Any *ret, char **ret_error) {
        return codec_case_decode(text, &ret->c, ret_error);
}

static char *encode_case(const Any *a) {
        return codec_case_encode(a->c);
}

static void done_case(Any *a) {
        case_free(a->c);
}

static int decode_topology(const char *text, Any *ret, char **ret_error) {
        return codec_topology_decode(text, &ret->topology, ret_error);
}

static char *encode_topology(const Any *a) {
        return codec_topology_encode(&a->topology);
}

static void done_topology(Any *a) {
        topology_done(&a->topology);
}

static int decode_request(const char *text, Any *ret, char **ret_error) {
        return codec_request_decode(text, &ret->request, ret_error);
}

static char *encode_request(const Any *a) {
        return codec_request_encode(&a->request);
}

static void done_request(Any *a) {
        request_done(&a->request);
}

static int decode_reply(const char *text, Any *ret, char **ret_error) {
        return codec_locate_reply_decode(text, &ret->reply, ret_error);
}

static char *encode_reply(const Any *a) {
        return codec_locate_reply_encode(&a->reply);
}

static void done_reply(Any *a) {
        locate_reply_done(&a->reply);
}

static int decode_result(const char *text, Any *ret, char **ret_error) {
        return codec_result_decode(text, &ret->result, ret_error);
}

static char *encode_result(const Any *a) {
        return codec_result_encode(&a->result);
}

static void done_result(Any *a) {
        result_done(&a->result);
}

static int decode_intent(const char *text, Any *ret, char **ret_error) {
        return codec_intent_decode(text, &ret->intent, ret_error);
}

static char *encode_intent(const Any *a) {
        return codec_intent_encode(&a->intent);
}

static void done_intent(Any *a) {
        intent_done(&a->intent);
}

static int decode_preview(const char *text, Any *ret, char **ret_error) {
        return codec_preview_decode(text, &ret->preview, ret_error);
}

static char *encode_preview(const Any *a) {
        return codec_preview_encode(&a->preview);
}

static void done_preview(Any *a) {
        preview_done(&a->preview);
}

#define OWNER                                                                                               \
        "{\"type\":\"file\",\"start\":1048576,\"length\":8192,\"inode\":131,\"generation\":4294967295,"     \
        "\"offset\":0,\"path\":\"/srv/pmem/db/a\","                                                         \
        "\"names\":[\"/srv/pmem/b\",\"/srv/pmem/db/a\"],"                                                   \
        "\"shared\":true,\"unwritten\":true,\"detail\":\"so\"}"
#define OFFER                                                                                               \
        "{\"replica\":\"mirror:/m\",\"state\":\"held\",\"proof\":\"identity+neighbours\","                  \
        "\"witness\":\"differ\",\"witness_at\":77,\"detail\":\"so\"}"
#define VOLUME                                                                                              \
        "{\"device\":\"/dev/pmem0\",\"fs\":\"xfs\",\"uuid\":\"u-1\",\"mountpoint\":\"/srv/pmem\","          \
        "\"fs_device\":\"/dev/sda1\",\"part\":\"realtime\",\"part_device\":\"/dev/pmem0p1\"}"
#define RANGE "{\"start\":1048576,\"length\":8192}"
#define BAD "[{\"start\":1048576,\"length\":512},{\"start\":1052672,\"length\":4096}]"
#define FINDINGS                                                                                            \
        "{\"range\":" RANGE ",\"bad\":" BAD ",\"owners\":[" OWNER "],\"offers\":[" OFFER "],"               \
        "\"read_only\":true,\"file_size\":8193,\"part\":\"realtime\",\"coarse\":true," \
        "\"clonable\":true,\"freezable\":true,"                                                             \
        "\"mend\":{\"parts\":[\"bnobt\",\"rmapbt\"],\"group\":1},\"mended\":\"so\",\"held\":true}"
#define POLICY                                                                                              \
        "{\"mode\":\"repair\",\"rescan_usec\":18446744073709551615,\"worker_timeout_usec\":2,"              \
        "\"budget_n\":3,\"budget_usec\":4,\"park_reserve_bytes\":5,\"park_reserve_percent\":6,"           \
        "\"protects\":[{\"name\":\"db\",\"path\":\"/srv\","                                               \
        "\"replicas\":[\"mirror:/m\",\"nbd:x\"],"                                                           \
        "\"proof\":\"seal,identity+neighbours\",\"exclusion\":\"optimistic,lease\",\"writer\":\"pwrite\"}," \
        "{\"device\":\"/dev/dax0.0\",\"replicas\":[],\"writer\":\"auto\"}]}"
#define STEP                                                                                                \
        "{\"range\":{\"start\":1048576,\"length\":4096},\"offset\":0,"                                      \
        "\"bad\":[{\"start\":1048576,\"length\":512}]}"
#define PLAN                                                                                                \
        "{\"verdict\":\"repair\",\"detail\":\"so\",\"replica\":\"mirror:/m\",\"proof\":\"seal\","           \
        "\"writers\":[\"pwrite\",\"revive\"],\"exclusion\":\"lease\",\"steps\":[" STEP "]}"

#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define WORD                                                                                                \
        "{\"verdict\":\"repair\",\"replica\":\"zero:\",\"by_word\":true,"                              \
        "\"shown\":\"" TOKEN "\","                                                                          \
        "\"writers\":[\"pwrite\"],\"exclusion\":\"lease\",\"steps\":[" STEP "]}"

static const Codec codecs[] = {
        { "case", decode_case, encode_case, done_case,
          "{\"id\":\"18446744073709551615\",\"state\":\"waiting\",\"reason\":\"page-not-present\","
          "\"ignored\":true,\"volume\":" VOLUME ",\"range\":" RANGE ",\"bad\":" BAD ","
          "\"physical\":{\"start\":4294967296,\"length\":8192},"
          "\"dimms\":[\"nmem0\",\"nmem1\"],\"owners\":[" OWNER "],\"replica\":\"mirror:/m\","
          "\"proof\":\"seal+identity+neighbours+quorum\",\"accepted_by\":\"root\",\"writer\":\"revive\","
          "\"frozen_usec\":18446744073709551615,"
          "\"attempts\":4294967295,"
          "\"events\":[{\"time\":1,\"state\":\"detected\",\"detail\":\"so\"},{\"time\":2,"
          "\"state\":\"waiting\"}]}" },
        { "topology", decode_topology, encode_topology, done_topology,
          "{\"regions\":[{\"name\":\"region0\",\"bus\":\"ndbus0\","
          "\"physical\":{\"start\":4294967296,\"length\":1073741824},"
          "\"dimms\":[\"nmem0\"]}],"
          "\"namespaces\":[{\"name\":\"namespace0.0\",\"region\":\"region0\","
          "\"uuid\":\"u\",\"mode\":\"fsdax\",\"disk\":\"pmem0\","
          "\"data\":{\"start\":4305453056,\"length\":1048576}}],"
          "\"disks\":[{\"name\":\"pmem0\",\"node\":\"/dev/pmem0\",\"major\":259,\"minor\":4294967295,"
          "\"size\":1048576,\"logical_block_size\":512,\"badblocks\":true}],"
          "\"links\":[{\"upper\":\"pmem0p1\",\"lower\":\"pmem0\",\"map\":[{\"start\":0,\"length\":4096,"
          "\"to\":1048576},{\"start\":4096,\"length\":4096,\"to\":0}]}],"
          "\"mounts\":[{\"disk\":\"pmem0\","
          "\"mountpoint\":\"/mnt/a\\\\x0ab\",\"root\":\"/\",\"fs\":\"xfs\",\"uuid\":\"u\","
          "\"options\":\"rw,dax=always\",\"read_only\":true}],"
          "\"parts\":[{\"disk\":\"pmem1\",\"part\":\"log\",\"node\":\"/dev/sda1\",\"mountpoint\":\"/mnt\","
          "\"fs\":\"xfs\",\"uuid\":\"u\"}]}" },
        { "request", decode_request, encode_request, done_request,
          "{\"verb\":\"repair\",\"id\":\"7\",\"volume\":" VOLUME ",\"physical_base\":4305453056,"
          "\"namespace\":\"n\",\"state_dir\":\"/var/lib/bezoar\",\"policy\":" POLICY ","
          "\"ranges\":[" FINDINGS "],\"plan\":" PLAN "}" },
        { "locate", decode_request, encode_request, done_request,
          "{\"verb\":\"locate\",\"volume\":{\"device\":\"/dev/pmem0\"},\"policy\":" POLICY ","
          "\"ranges\":[" FINDINGS "]}" },
        { "reply", decode_reply, encode_reply, done_reply, "{\"found\":[" FINDINGS "," FINDINGS "]}" },
        { "result", decode_result, encode_result, done_result,
          "{\"id\":\"7\",\"detail\":\"so\",\"state\":\"failed\",\"reason\":\"write-failed\","
          "\"replica\":\"mirror:/m\",\"proof\":\"seal\",\"writer\":\"pwrite\",\"exclusion\":\"freeze\","
          "\"bytes\":18446744073709551615}" },
        { "progress", decode_result, encode_result, done_result,
          "{\"id\":\"7\",\"progress\":true,\"detail\":\"so\"}" },
        { "intent", decode_intent, encode_intent, done_intent,
          "{\"case\":\"7\",\"boot_id\":\"b\",\"uuid\":\"u\",\"device\":\"/dev/pmem0\","
          "\"namespace\":\"n\",\"part\":\"realtime\","
          "\"range\":{\"start\":1048576,\"length\":4096},\"bad\":[{\"start\":1048576,\"length\":512}],"
          "\"physical\":4306501632,\"inode\":131,\"generation\":0,\"offset\":4096,\"path\":\"/a\","
          "\"file_size\":4097,\"mtime_sec\":-1,\"mtime_nsec\":999999999,\"replica\":\"mirror:/m\","
          "\"proof\":\"seal\",\"alone\":true}" },
        { "word", decode_request, encode_request, done_request,
          "{\"verb\":\"repair\",\"id\":\"7\",\"volume\":" VOLUME ",\"state_dir\":\"/s\","
          "\"policy\":" POLICY ","
          "\"ranges\":[" FINDINGS "],\"plan\":" WORD "}" },
        { "preview", decode_request, encode_request, done_request,
          "{\"verb\":\"preview\",\"id\":\"7\",\"volume\":" VOLUME ",\"policy\":" POLICY ","
          "\"ranges\":[" FINDINGS "],\"plan\":{\"verdict\":\"repair\",\"replica\":\"zero:\","
          "\"by_word\":true,"
          "\"writers\":[\"pwrite\"],\"steps\":[" STEP "]},\"limit\":18446744073709551615}" },
        { "shown", decode_preview, encode_preview, done_preview,
          "{\"id\":\"7\",\"device\":\"/dev/pmem0\",\"path\":\"/a\",\"also\":[\"/b\"],"
          "\"replica\":\"mirror:/m\","
          "\"detail\":\"so\",\"pages\":[{\"range\":{\"start\":1048576,\"length\":4096},\"offset\":4096,"
          "\"lost\":[{\"start\":4096,\"length\":512}]}],\"lost\":512,\"compared\":3584,\"differ\":2,"
          "\"pieces\":[{\"offset\":4096,\"length\":2,\"replica\":\"00ff\"},"
          "{\"offset\":5000,\"length\":3,\"medium\":\"0a1b2c\",\"replica\":\"3d4e5f\"}],\"cut\":true,"
          "\"shown\":\"" TOKEN "\",\"action\":\"accept:x\"}" },
        { "plan", decode_request, encode_request, done_request,
          "{\"verb\":\"plan\",\"volume\":{\"device\":\"/dev/pmem0\"},\"others\":[{\"device\":\"/dev/pmem1\","
          "\"fs_device\":\"/dev/pmem0\",\"part\":\"realtime\"}],\"policy\":" POLICY ","
          "\"ranges\":[],\"path\":\"/srv/a\\\\x0ab\",\"in_file\":{\"start\":1,\"length\":512}}" },
};

#define CODECS (sizeof(codecs) / sizeof(codecs[0]))

/* What is read is written again, member by member, in the form that the header and the manual promise. */
static void test_samples(void **state) {
        for (size_t i = 0; i < CODECS; i++) {
                _cleanup_free_ char *error = NULL, *text = NULL;
                Any a;
                int r;

                r = codecs[i].decode(codecs[i].sample, &a, &error);
                if (r < 0)
                        fail_msg("%s: %s", codecs[i].name, error ? error : strerror(-r));
                assert_null(error);
                text = codecs[i].encode(&a);
                assert_non_null(text);
                assert_string_equal(text, codecs[i].sample);
                codecs[i].done(&a);
        }
}

/* Wherever a text is cut off it is no value, and nothing is left behind (the sanitizer looks). */
static void test_cut_off(void **state) {
        for (size_t i = 0; i < CODECS; i++)
                for (size_t n = 0; n < strlen(codecs[i].sample); n++) {
                        _cleanup_free_ char *text = strndup(codecs[i].sample, n), *error = NULL;
                        Any a;

                        assert_non_null(text);
                        assert_int_equal(codecs[i].decode(text, &a, &error), -EBADMSG);
                        assert_non_null(error);
                }
}

/* A byte changed anywhere gives a refusal with a sentence, or a value that can be written and read again;
 * never anything else. */
static void test_changed_bytes(void **state) {
        static const char bytes[] = "\"{}[],:0-9.e\\u \x01\x80n";
        Random random = { RANDOM_SEED };

        for (size_t i = 0; i < CODECS; i++)
                for (size_t at = 0; at < strlen(codecs[i].sample); at++) {
                        _cleanup_free_ char *text = strdup(codecs[i].sample);
                        _cleanup_free_ char *error = NULL, *once = NULL, *twice = NULL;
                        Any a, b;
                        int r;

                        assert_non_null(text);
                        text[at] = bytes[random_below(&random, sizeof(bytes) - 1)];
                        r = codecs[i].decode(text, &a, &error);
                        check(r == 0 || r == -EBADMSG, at);
                        check((r == 0) == !error, at);
                        if (r < 0)
                                continue;

                        once = codecs[i].encode(&a);
                        check(once, at);
                        check(codecs[i].decode(once, &b, NULL) == 0, at);
                        twice = codecs[i].encode(&b);
                        check(twice && strcmp(once, twice) == 0, at);
                        codecs[i].done(&a);
                        codecs[i].done(&b);
                }
}

/* `sample` with `from` replaced by `to`, once. */
static char *replaced(const char *sample, const char *from, const char *to) {
        const char *at = strstr(sample, from);
        char *text = NULL;

        assert_non_null(at);
        assert_true(asprintf(&text, "%.*s%s%s", (int) (at - sample), sample, to, at + strlen(from)) >= 0);
        return text;
}

static const struct Wrong {
        const char *codec, *from, *to;
        const char *error;      /* how the sentence begins: the member; NULL: it is fine */
} wrongs[] = {
        /* the whole text */
        { "result", "{\"id\"", "[{\"id\"", "the value: it is not JSON" },
        { "result", "51615}", "51615} {}", "the value: it is not JSON" },
        { "result", "51615}", "51615}  ", NULL },
        { "result", "\"so\"", "\"s\\u0000o\"", "the value: a string has a NUL" },
        { "result", "\"detail\"", "\"detail\\u0000x\"", "the value: a string has a NUL" },
        { "result", "\"so\"", "\"s\\\\\\\\u0000o\"", "detail: a backslash" },
        { "result", "\"detail\":\"so\"", "'detail':\"so\"", "the value: single quotes" },
        { "result", "\"detail\":\"so\"", "\"detail\":\"s'o\"", NULL },
        { "result", "\"so\"", "\"\xff\"", "the value: it is not UTF-8" },
        { "result", "\"so\"", "\"s\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", NULL },
        { "result", "\"so\"", "\"s\\\xc3\xa9\"", "the value: there is no such escape" },
        { "result", "\"so\"", "\xc3\xa9", "the value: it is not JSON" },
        { "result", "\"detail\":\"so\"", "\"detail\":\"so\",\"new\":{\"deep\":[1,2.5,null,-3]}", NULL },
        { "result", "\"detail\":\"so\"", "\"new\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]",
          "the value: it is not JSON" },
        { "result", "\"detail\":\"so\"", "\"bytes\":[],\"detail\":\"so\"",
          NULL },       /* the last one counts */

        /* numbers */
        { "result", "18446744073709551615", "18446744073709551616", "the value: a number is larger" },
        { "result", "18446744073709551615", "99999999999999999999999", "the value: a number is larger" },
        { "result", "18446744073709551615", "0", NULL },
        { "result", "18446744073709551615", "-1", "bytes: it is negative" },
        { "result", "18446744073709551615", "-9223372036854775808", "bytes: it is negative" },
        { "result", "18446744073709551615", "-9223372036854775809", "the value: a number is smaller" },
        { "result", "18446744073709551615", "1.0", "bytes: a whole number is wanted" },
        { "result", "18446744073709551615", "1e3", "bytes: a whole number is wanted" },
        { "result", "18446744073709551615", "NaN", "bytes: a whole number is wanted" },
        { "result", "18446744073709551615", "\"1\"", "bytes: a whole number is wanted" },
        { "result", "18446744073709551615", "null", "bytes: a whole number is wanted" },
        { "result", "18446744073709551615", "true", "bytes: a whole number is wanted" },
        { "case", "4294967295,\"offset\"", "4294967296,\"offset\"", "owners[0].generation: it is larger" },
        { "case", "\"attempts\":4294967295", "\"attempts\":4294967296", "attempts: it is larger" },

        /* words, strings, ids */
        { "case", "\"18446744073709551615\"", "\"18446744073709551616\"", "id: a string of digits" },
        { "case", "\"18446744073709551615\"", "\"0\"", "id: a string of digits" },
        { "case", "\"18446744073709551615\"", "\"01\"", "id: a string of digits" },
        { "case", "\"18446744073709551615\"", "\"1x\"", "id: a string of digits" },
        { "case", "\"18446744073709551615\"", "1", "id: a string is wanted" },
        { "case", "\"waiting\"", "\"Waiting\"", "state: the word is not known" },
        { "case", "\"waiting\"", "\"\"", "state: the word is not known" },
        { "case", "\"page-not-present\"", "\"because\"", "reason: the word is not known" },
        { "case", "\"state\":\"detected\"", "\"state\":\"lost\"", "events[0].state: the word is not known" },
        { "case", "\"seal+identity+neighbours+quorum\"", "\"seal+seal\"", "proof: proofs joined by +" },
        { "case", "/srv/pmem/db/a", "/srv/\\\\x00", "owners[0].path: a backslash" },
        { "case", "/srv/pmem/db/a", "/srv/\\\\xAB", "owners[0].path: a backslash" },
        { "case", "/srv/pmem/db/a", "/srv/\\\\xa", "owners[0].path: a backslash" },
        { "case", "/srv/pmem/db/a", "/srv/\\\\n", "owners[0].path: a backslash" },
        { "case", "\"nmem1\"", "7", "dimms[1]: a string is wanted" },
        { "case", "[\"nmem0\",\"nmem1\"]", "{}", "dimms: an array is wanted" },

        /* ranges */
        { "case", "\"range\":" RANGE, "\"range\":{\"start\":0}", "range.length: it is missing" },
        { "case", "\"range\":" RANGE, "\"range\":{\"start\":0,\"length\":0}", "range.length: it is 0" },
        { "case", "\"range\":" RANGE, "\"range\":{\"start\":18446744073709551615,\"length\":1}",
          "range.length: the range ends" },
        { "case", "\"range\":" RANGE, "\"range\":{\"start\":18446744073709547520,\"length\":4096}",
          "range.length: the range ends" },
        { "case", "\"range\":" RANGE, "\"range\":{\"start\":1048577,\"length\":4096}",
          "range: it is not in whole pages" },
        { "case", "\"range\":" RANGE, "\"range\":{\"start\":1048576,\"length\":4096}",
          "bad: it is not within" },
        { "case", "\"range\":" RANGE, "\"range\":[]", "range: an object is wanted" },
        { "case", "\"volume\":" VOLUME, "\"volume\":{}", "volume.device: it is missing" },
        { "case", "\"offset\":0", "\"offset\":18446744073709551615",
          "owners[0].offset: the file would end" },
        { "case", "\"inode\":131,", "", "owners[0].inode: it is missing" },
        { "reply", "\"state\":\"held\"", "\"state\":\"missing\"",
          "found[0].offers[0].proof: there is none" },
        { "reply", "\"found\"", "\"lost\"", "found: it is missing" },

        /* topology */
        { "topology", "\"length\":4096,\"to\":0", "\"length\":4096,\"to\":1048576",
          "links[0].map[1]: it overlaps" },
        { "topology", "\"to\":0", "\"to\":18446744073709551615", "links[0].map[1].to: the segment ends" },
        { "topology", "\"mode\":\"fsdax\"", "\"mode\":\"dax\"",
          "namespaces[0].mode: the word is not known" },

        /* a request to write must be whole */
        { "request", "\"verb\":\"repair\"", "\"verb\":\"write\"", "verb: the word is not known" },
        { "request", ",\"plan\":" PLAN, "", "plan: it is missing" },
        { "request", "[" FINDINGS "]", "[]", "ranges: a plan is for one range" },
        { "request", "[" FINDINGS "]", "[" FINDINGS "," FINDINGS "]", "ranges: a plan is for one range" },
        { "request", "\"verdict\":\"repair\"", "\"verdict\":\"wait\"", "plan.steps: there are some" },
        { "request", "\"steps\":[" STEP "]", "\"steps\":[]", "plan.steps: there are none" },
        { "request", "\"writers\":[\"pwrite\",\"revive\"]", "\"writers\":[]", "plan: a repair needs" },
        { "request", "[\"pwrite\",\"revive\"]", "[\"pwrite\",\"auto\"]",
          "plan.writers[1]: the word is not known" },
        { "request", "[\"pwrite\",\"revive\"]",
          "[\"pwrite\",\"revive\",\"block\",\"clone\",\"punch\",\"clear\"]",
          "plan.writers: there are too many" },
        { "request", "\"replica\":\"mirror:/m\",\"proof\":\"seal\"", "\"proof\":\"seal\"",
          "plan: a repair needs" },
        { "request", "\"replica\":\"mirror:/m\",\"proof\":\"seal\"", "\"replica\":\"mirror:/m\"",
          "plan.proof: a repair has a proof" },
        { "request", "\"proof\":\"seal\",\"writers\"", "\"proof\":\"none\",\"writers\"",
          "plan.proof: a repair has a proof" },
        { "request", "\"proof\":\"seal\",\"writers\"", "\"proof\":\"seal\",\"by_word\":true,\"writers\"",
          "plan.proof: a repair has a proof" },
        { "request", "\"proof\":\"seal\",\"writers\"",
          "\"proof\":\"seal\",\"shown\":\"" TOKEN "\",\"writers\"", "plan.shown: it is no token" },
        { "word", "\"shown\":\"" TOKEN "\",", "", "plan.shown: what is to be shown" },
        { "word", TOKEN, "abc", "plan.shown: it is no token" },
        { "word", "\"by_word\":true,", "", "plan.proof: a repair has" },
        { "word", "\"verb\":\"repair\"", "\"limit\":0,\"verb\":\"preview\"",
          "plan.shown: what is to be shown" },
        { "preview", "\"verb\":\"preview\"", "\"state_dir\":\"/s\",\"verb\":\"repair\"",
          "plan.shown: what is to be shown" },
        { "preview", "\"by_word\":true", "\"proof\":\"seal\"", "plan: it is not by the word" },
        { "preview", ",\"limit\":18446744073709551615", "", "limit: it is missing" },
        { "shown", "\"00ff\"", "\"00f\"", "pieces[0].replica: it is not as long" },
        { "shown", "\"00ff\"", "\"00FF\"", "pieces[0].replica: hexadecimal" },
        { "shown", "\"length\":2", "\"length\":0", "pieces[0].length: it is out" },
        { "shown", "\"replica\":\"00ff\"", "\"medium\":\"00ff\"", "pieces[0].replica: it is missing" },
        { "shown", TOKEN, "x", "shown: it is no token" },
        { "request", "\"steps\":[{\"range\":{\"start\":1048576,\"length\":4096}",
          "\"steps\":[{\"range\":{\"start\":1048576,\"length\":8192}",
          "plan.steps[0].range: it is not one page" },
        { "request", STEP,
          "{\"range\":{\"start\":0,\"length\":4096},\"offset\":0,\"bad\":[{\"start\":0,\"length\":512}]}",
          "plan.steps: one is outside" },
        { "request", "\"offset\":0,\"bad\"", "\"offset\":1,\"bad\"",
          "plan.steps[0].offset: it is not that of a page" },
        { "request", "\"offset\":0,\"bad\"", "\"offset\":9223372036854775808,\"bad\"",
          "plan.steps[0].offset: it is not" },
        { "request", "\"offset\":0,\"bad\":[{\"start\":1048576,\"length\":512}]", "\"offset\":0,\"bad\":[]",
          "plan.steps[0].bad: a step without" },
        { "request", "\"mode\":\"repair\",", "", "policy.mode: it is missing" },
        { "request", "\"park_reserve_percent\":6", "\"park_reserve_percent\":101",
          "policy.park_reserve_percent: it is more" },
        { "request", "\"verb\":\"repair\"", "\"verb\":\"park\"", "plan.verdict: it is not what this verb" },
        { "request", "\"verb\":\"repair\"", "\"verb\":\"mend\"", "plan.verdict: it is not what this verb" },
        { "request", "\"verdict\":\"repair\"", "\"verdict\":\"mend\"",
          "plan.verdict: it is not what this verb" },
        { "request", "\"bnobt\"", "\"btree\"", "ranges[0].mend.parts[0]: the word is not known" },
        { "request", "[\"bnobt\",\"rmapbt\"]", "[]", "ranges[0].mend: parts of one group" },
        { "request", "\"group\":1}", "\"inode\":1}", "ranges[0].mend: parts of one group" },
        { "request", "[\"bnobt\",\"rmapbt\"],\"group\":1", "[\"directory\"]",
          "ranges[0].mend: parts of one group" },
        { "request", "[\"bnobt\",\"rmapbt\"],\"group\":1",
          "[\"directory\"],\"inode\":131,\"generation\":7", NULL },
        { "request", "[\"bnobt\",\"rmapbt\"],\"group\":1",
          "[\"directory\",\"data-map\"],\"inode\":131", "ranges[0].mend: parts of one group" },
        { "request", "\"verdict\":\"repair\"", "\"verdict\":\"park\"",
          "plan.verdict: it is not what this verb" },
        { "request", "\"budget_n\":3", "\"budget_n\":0", "policy.budget_n: it is not between" },
        { "request", "\"path\":\"/srv\",", "", "policy.protects[0]: either path or device" },
        { "request", "\"optimistic,lease\"", "\"lease,lease\"", "policy.protects[0].exclusion: some of" },
        { "request", "\"seal,identity+neighbours\"", "\"none\"", "policy.protects[0].proof: alternatives" },
        { "request", "\"state_dir\":\"/var/lib/bezoar\",", "", "state_dir: it is missing" },
        { "plan", "\"path\":\"/srv/a", "\"path\":\"srv/a", "path: an absolute path" },
        { "plan", "\"ranges\":[]", "\"ranges\":[" FINDINGS "]", "path: an absolute path, and no ranges" },
        { "plan", ",\"in_file\":{\"start\":1,\"length\":512}", "", "in_file: it is missing" },

        /* an answer ends somewhere; an intent is whole */
        { "result", "\"state\":\"failed\"", "\"state\":\"repairing\"", "state: no repair ends in it" },
        { "result", "\"state\":\"failed\"", "\"state\":\"located\"", "state: no repair ends in it" },
        { "progress", "\"progress\":true", "\"progress\":1", "progress: true or false is wanted" },
        { "progress", "\"progress\":true", "\"progress\":false", "state: it is missing" },
        { "intent", "\"part\":\"realtime\"", "\"part\":\"tail\"", "part: " },
        { "intent", "\"length\":4096", "\"length\":8192", "range: it is not one page" },
        { "intent", "[{\"start\":1048576,\"length\":512}]", "[]", "bad: there is nothing bad" },
        { "intent", "\"mtime_sec\":-1", "\"mtime_sec\":9223372036854775808", "mtime_sec: it is too large" },
        { "intent", "\"mtime_sec\":-1", "\"mtime_sec\":-9223372036854775809",
          "the value: a number is smaller" },
        { "intent", "\"offset\":4096", "\"offset\":4095", "offset: it is not that of a page" },
};

/* What is wrong is refused, with a sentence that begins with the way to the member; what only looks wrong
 * is not. */
static void test_wrong(void **state) {
        for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
                const struct Wrong *w = wrongs + i;
                _cleanup_free_ char *text = NULL, *error = NULL;
                const Codec *c = codecs;
                Any a;
                int r;

                while (strcmp(c->name, w->codec) != 0)
                        c++;
                text = replaced(c->sample, w->from, w->to);
                r = c->decode(text, &a, &error);
                if (!w->error) {
                        if (r < 0)
                                fail_msg("%s with %s: %s", w->codec, w->to, error ? error : strerror(-r));
                        c->done(&a);
                        continue;
                }
                if (r != -EBADMSG || !error || strncmp(error, w->error, strlen(w->error)) != 0)
                        fail_msg("%s with %s: '%s', not '%s'", w->codec, w->to,
                                 error ? error : "no error", w->error);
                assert_int_equal(c->decode(text, &a, NULL), -EBADMSG);
        }
}

/* A failure leaves *ret alone. */
static void test_untouched(void **state) {
        Any a, before;

        memset(&a, 0x5a, sizeof(a));
        before = a;
        for (size_t i = 0; i < CODECS; i++) {
                assert_int_equal(codecs[i].decode("{\"disks\":[{}],\"id\":\"1\"}", &a, NULL), -EBADMSG);
                assert_memory_equal(&a, &before, sizeof(a));
        }
}

/* What a text leaves out allows nothing. */
static void test_left_out(void **state) {
        static const char request[] = "{\"verb\":\"locate\",\"volume\":{\"device\":\"d\"},\"policy\":"
                                      "{\"mode\":\"observe\",\"protects\":[{\"path\":\"/\"}]}}";
        _cleanup_request_ Request q = {};
        _cleanup_result_ Result r = {};

        assert_int_equal(codec_request_decode(request, &q, NULL), 0);
        assert_int_equal(q.id, 0);
        assert_false(q.physical_known);
        assert_int_equal(q.policy.mode, MODE_OBSERVE);
        assert_int_equal(q.policy.budget_n, BUDGET_DEFAULT_N);
        assert_int_equal(q.policy.protects.items[0].proof.n, 0);
        assert_int_equal(q.policy.protects.items[0].exclusion.n, 0);

        assert_int_equal(codec_result_decode("{\"state\":\"gone\",\"bytes\":0}", &r, NULL), 0);
        assert_int_equal(r.id, 0);
        assert_int_equal(r.exclusion, _EXCLUSION_INVALID);
        assert_int_equal(r.writer, WRITER_AUTO);
        assert_int_equal(r.reason, REASON_NONE);
}

/* That a search goes on is no answer, and no answer says that. */
static void test_searching(void **state) {
        _cleanup_free_ char *text = codec_searching_encode();
        _cleanup_locate_reply_ LocateReply reply = {};

        assert_string_equal(text, "{\"searching\":true}");
        assert_true(codec_searching_decode(text));
        assert_int_equal(codec_locate_reply_decode(text, &reply, NULL), -EBADMSG);
        assert_false(codec_searching_decode("{\"searching\":false}"));
        assert_false(codec_searching_decode("{\"searching\":1}"));
        assert_false(codec_searching_decode("{\"found\":[]}"));
        assert_false(codec_searching_decode("{\"error\":\"so\"}"));
        assert_false(codec_searching_decode("searching"));
}

/* An error is an error and no answer. */
static void test_error(void **state) {
        _cleanup_free_ char *text = codec_error_encode("no \x1b[31m such\n"), *sentence = NULL;
        _cleanup_result_ Result r = {};

        assert_string_equal(text, "{\"error\":\"no \\\\x1b[31m such\\\\x0a\"}");
        assert_int_equal(codec_error_decode(text, &sentence), 0);
        assert_string_equal(sentence, "no \x1b[31m such\n");
        assert_int_equal(codec_result_decode(text, &r, NULL), -EBADMSG);
        assert_int_equal(codec_error_decode("{\"state\":\"gone\",\"bytes\":0}", &sentence), -EBADMSG);
}

static const struct { const char *path, *text; } escapes[] = {
        { "", "" },
        { "/srv/a b", "/srv/a b" },
        { "/a\\b", "/a\\x5cb" },
        { "/a\nb\x7f", "/a\\x0ab\\x7f" },
        { "/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
        { "/\xc2\x85\xc2\xa0", "/\\xc2\\x85\xc2\xa0" },                 /* a C1 control; no-break space */
        { "/\xc0\x80\xe0\x9f\xbf", "/\\xc0\\x80\\xe0\\x9f\\xbf" },      /* overlong */
        { "/\xed\xa0\x80", "/\\xed\\xa0\\x80" },                        /* a surrogate */
        { "/\xf4\x90\x80\x80\xf5", "/\\xf4\\x90\\x80\\x80\\xf5" },      /* above U+10FFFF */
        { "/\xe2\x82", "/\\xe2\\x82" },                                 /* cut off */
        { "/\xff\xc3", "/\\xff\\xc3" },
};

/* Examples of the escape, both ways. */
static void test_escape(void **state) {
        for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
                _cleanup_free_ char *text = codec_path_escape(escapes[i].path), *path = NULL;

                assert_string_equal(text, escapes[i].text);
                assert_int_equal(codec_path_unescape(text, &path), 0);
                assert_string_equal(path, escapes[i].path);
        }
}

/* What json-c is given is ASCII, and the same value. */
static void test_text(void **state) {
        static const char text[] = "[\"\xc3\xa9\\n\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf/\"]";
        _cleanup_free_ char *ascii = NULL, *same = NULL;
        const char *wrong;

        assert_int_equal(codec_text_scan(text, &ascii, &wrong), 0);
        assert_string_equal(ascii, "[\"\\u00e9\\n\\u20ac\\ud83d\\ude00\\udbff\\udfff/\"]");
        assert_int_equal(codec_text_scan("[\"\\u00e9\"]", &same, &wrong), 0);
        assert_null(same);
}

/* 0 to 19 bytes, none of them 0. */
static char *random_string(Random *random) {
        size_t n = random_below(random, 20);
        char *s = calloc(1, n + 1);

        assert_non_null(s);
        for (size_t i = 0; i < n; i++)
                s[i] = (char) (1 + random_below(random, 255));
        return s;
}

static char *maybe_string(Random *random) {
        return random_below(random, 3) ? random_string(random) : NULL;
}

static char **random_strv(Random *random) {
        char **l = NULL;

        for (size_t n = random_below(random, 3); n > 0; n--) {
                _cleanup_free_ char *s = random_string(random);

                assert_int_equal(strv_extend(&l, s), 0);
        }
        return l;
}

/* Every byte string survives, and what is written is printable. */
static void test_escape_random(void **state) {
        Random random = { RANDOM_SEED };

        for (size_t round = 0; round < 5000; round++) {
                _cleanup_free_ char *path = random_string(&random), *back = NULL;
                _cleanup_free_ char *text = codec_path_escape(path);

                check(text, round);
                for (const char *s = text; *s; s++)
                        check((unsigned char) *s >= 0x20 && *s != 0x7f, round);
                check(codec_path_unescape(text, &back) == 0, round);
                check(strcmp(back, path) == 0, round);
        }
}

static uint64_t random_number(Random *random) {
        return random_next(random) >> random_below(random, 64);
}

static Range random_range(Random *random) {
        uint64_t start = random_number(random) >> 1;

        return (Range) { start, start + 1 + (random_number(random) >> 1) };
}

static void random_pages(Random *random, uint64_t max, Range *ret, RangeSet *ret_bad) {
        uint64_t page = random_below(random, 1 << 20), n = 1 + random_below(random, max);

        *ret = (Range) { page * REPAIR_UNIT, (page + n) * REPAIR_UNIT };
        for (size_t i = 1 + random_below(random, 3); i > 0; i--) {
                uint64_t at = ret->start + random_below(random, n * SECTORS_PER_UNIT) * SECTOR_SIZE;

                assert_int_equal(rangeset_add(ret_bad, (Range) { at, at + SECTOR_SIZE }), 0);
        }
}

static Owner random_owner(Random *random) {
        return (Owner) {
                .type = (OwnerType) random_below(random, _OWNER_TYPE_MAX),
                .range = random_range(random),
                .inode = random_number(random),
                .generation = (uint32_t) random_number(random),
                .offset = random_number(random) >> 8,
                .shared = random_below(random, 2),
                .unwritten = random_below(random, 2),
                .path = maybe_string(random),
                .detail = maybe_string(random),
        };
}

static Volume random_volume(Random *random) {
        return (Volume) {
                .device = random_string(random),
                .fs = maybe_string(random),
                .uuid = maybe_string(random),
                .mountpoint = maybe_string(random),
        };
}

static Case *random_case(Random *random) {
        Case *c = calloc(1, sizeof(*c));

        assert_non_null(c);
        *c = (Case) {
                .id = 1 + (random_number(random) >> 1),
                .state = (CaseState) random_below(random, _CASE_STATE_MAX),
                .reason = (Reason) random_below(random, _REASON_MAX),
                .volume = random_volume(random),
                .dimms = random_strv(random),
                .replica = maybe_string(random),
                .proofs = (ProofSet) random_below(random, 1 << _PROOF_MAX),
                .writer = (WriterKind) random_below(random, _WRITER_MAX),
                .attempts = (unsigned) random_number(random),
        };
        if (random_below(random, 2))
                c->physical = random_range(random);
        random_pages(random, 4, &c->range, &c->bad);
        for (size_t n = random_below(random, 3); n > 0; n--)
                assert_int_equal(vec_push(&c->owners, random_owner(random)), 0);
        for (size_t n = random_below(random, 3); n > 0; n--) {
                CaseEvent e = {
                        .time = random_number(random),
                        .state = (CaseState) random_below(random, _CASE_STATE_MAX),
                        .detail = maybe_string(random),
                };

                assert_int_equal(vec_push(&c->events, e), 0);
        }
        return c;
}

static Findings random_findings(Random *random) {
        Findings f = {
                .read_only = random_below(random, 2),
                .file_size = random_number(random),
                .held = random_below(random, 2),
        };

        random_pages(random, 4, &f.range, &f.bad);
        for (size_t n = random_below(random, 3); n > 0; n--)
                assert_int_equal(vec_push(&f.owners, random_owner(random)), 0);
        for (size_t n = random_below(random, 3); n > 0; n--) {
                Offer o = {
                        .replica = random_string(random),
                        .state = (OfferState) random_below(random, _OFFER_STATE_MAX),
                        .witness = (Witness) random_below(random, 4),
                        .witness_at = random_number(random),
                        .untimed = random_number(random) % 2 == 0,
                        .same_as = maybe_string(random),
                        .detail = maybe_string(random),
                };

                if (o.state == OFFER_HELD)
                        o.proofs = (ProofSet) random_below(random, 1 << _PROOF_MAX);
                assert_int_equal(vec_push(&f.offers, o), 0);
        }
        return f;
}

static Protect random_protect(Random *random) {
        bool device = random_below(random, 2);
        Protect p = {
                .name = maybe_string(random),
                .path = device ? NULL : random_string(random),
                .device = device ? random_string(random) : NULL,
                .replicas = random_strv(random),
                .writer = (WriterKind) random_below(random, _WRITER_MAX),
        };

        if (random_below(random, 2))
                p.proof = PROOF_POLICY_DEFAULT;
        if (random_below(random, 2))
                p.exclusion = (ExclusionList) {
                        .items = { EXCLUSION_FREEZE, EXCLUSION_LEASE },
                        .n = 1 + random_below(random, 2),
                };
        return p;
}

static void random_plan(Random *random, const Findings *f, Plan *p) {
        p->verdict = VERDICT_REPAIR;
        p->detail = maybe_string(random);
        p->replica = random_string(random);
        p->proofs = (ProofSet) (1 + random_below(random, (1 << _PROOF_MAX) - 1));
        p->means.n_writers = 1 + random_below(random, MEANS_WRITERS_MAX);
        for (size_t i = 0; i < p->means.n_writers; i++)
                p->means.writers[i] = (WriterKind) (1 + random_below(random, _WRITER_MAX - 1));
        for (uint64_t at = f->range.start; at < f->range.end; at += REPAIR_UNIT) {
                Step s = {
                        .range = { at, at + REPAIR_UNIT },
                        .offset = random_below(random, 1 << 20) * REPAIR_UNIT,
                };

                assert_int_equal(rangeset_add(&s.bad, (Range) { at, at + SECTOR_SIZE }), 0);
                assert_int_equal(vec_push(&p->steps, s), 0);
        }
}

static Request random_request(Random *random) {
        Request q = {
                .verb = random_below(random, 4) ? (Verb) random_below(random, VERB_TOPOLOGY) : VERB_PREVIEW,
                .limit = random_number(random),
                .id = random_below(random, 2) ? random_number(random) : 0,
                .volume = random_volume(random),
                .state_dir = random_string(random),
                .no_path = random_below(random, 2),
        };

        q.physical_known = random_below(random, 2);
        q.physical = q.physical_known ? random_number(random) : 0;
        policy_init(&q.policy);
        q.policy.mode = (Mode) random_below(random, _MODE_MAX);
        q.policy.rescan_usec = random_number(random);
        q.policy.budget_n = 1 + random_below(random, BUDGET_MAX_N);
        for (size_t n = random_below(random, 3); n > 0; n--)
                assert_int_equal(vec_push(&q.policy.protects, random_protect(random)), 0);
        const bool planned = q.verb == VERB_REPAIR || q.verb == VERB_PREVIEW;

        for (size_t n = planned ? 1 : random_below(random, 3); n > 0; n--)
                assert_int_equal(vec_push(&q.ranges, random_findings(random)), 0);
        if (planned)
                random_plan(random, q.ranges.items, &q.plan);
        if (q.verb == VERB_PREVIEW) {
                q.plan.proofs = 0;
                q.plan.by_word = true;
        }
        return q;
}

static void check_round_trip(const Codec *c, Any *a, size_t round) {
        _cleanup_free_ char *once = c->encode(a), *twice = NULL, *error = NULL;
        Any b;

        check(once && !strchr(once, '\n'), round);
        if (c->decode(once, &b, &error) < 0)
                fail_msg("seed %#llx, round %zu: %s: %s", (unsigned long long) RANDOM_SEED, round, once,
                         error ? error : "?");
        twice = c->encode(&b);
        check(twice && strcmp(once, twice) == 0, round);
        c->done(&b);
        c->done(a);
}

/* Whatever is written is read, and is written in the same way again. That no member is dropped on both
 * ways is shown by the samples. */
static void test_random_values(void **state) {
        Random random = { RANDOM_SEED };

        for (size_t round = 0; round < ROUNDS; round++) {
                Any a = { .c = random_case(&random) };

                check_round_trip(&codecs[0], &a, round);
                a = (Any) { .request = random_request(&random) };
                check_round_trip(&codecs[2], &a, round);
                a = (Any) {};
                for (size_t n = random_below(&random, 4); n > 0; n--)
                        assert_int_equal(vec_push(&a.reply.found, random_findings(&random)), 0);
                check_round_trip(&codecs[4], &a, round);
        }
}

/* The numbers of a request arrive as they were, up to the last bit. */
static void test_values_arrive(void **state) {
        _cleanup_(case_freep) Case *c = NULL;
        _cleanup_request_ Request q = {};

        assert_int_equal(codec_case_decode(codecs[0].sample, &c, NULL), 0);
        assert_true(c->id == UINT64_MAX);
        assert_int_equal(c->state, CASE_WAITING);
        assert_int_equal(c->reason, REASON_PAGE_NOT_PRESENT);
        assert_true(range_equal(c->range, (Range) { 1048576, 1056768 }));
        assert_int_equal(rangeset_size(&c->bad), 512 + 4096);
        assert_int_equal(c->owners.items[0].generation, UINT32_MAX);
        assert_true(c->owners.items[0].shared && c->owners.items[0].unwritten);
        assert_int_equal(c->proofs, (1 << _PROOF_MAX) - 1);
        assert_int_equal(c->writer, WRITER_REVIVE);
        assert_int_equal(c->events.items[1].time, 2);

        assert_int_equal(codec_request_decode(codecs[2].sample, &q, NULL), 0);
        assert_int_equal(q.verb, VERB_REPAIR);
        assert_int_equal(q.id, 7);
        assert_true(q.physical_known && q.physical == 4305453056);
        assert_true(q.policy.rescan_usec == UINT64_MAX);
        assert_int_equal(q.policy.protects.items[0].exclusion.items[0], EXCLUSION_OPTIMISTIC);
        assert_int_equal(q.ranges.items[0].offers.items[0].witness, WITNESS_DIFFER);
        assert_int_equal(q.ranges.items[0].offers.items[0].witness_at, 77);
        assert_true(q.ranges.items[0].read_only && q.ranges.items[0].held);
        assert_int_equal(q.plan.means.writers[1], WRITER_REVIVE);
        assert_true(range_equal(q.plan.steps.items[0].range, (Range) { 1048576, 1052672 }));
}

/* Proves that an array of cases is read in its order, and that what is wrong in it is named. */
static void test_case_list(void **state) {
#define CASE_TEXT(id) "{\"id\":\"" id "\",\"state\":\"detected\",\"volume\":{\"device\":\"/dev/pmem0\"}," \
                      "\"range\":{\"start\":0,\"length\":4096},\"bad\":[{\"start\":0,\"length\":512}]}"
        _cleanup_cases_ Cases l = {};
        char *error = NULL;

        assert_int_equal(codec_cases_decode("[]", &l, NULL), 0);
        assert_int_equal(l.n, 0);
        assert_int_equal(codec_cases_decode("[" CASE_TEXT("7") "," CASE_TEXT("3") "]", &l, NULL), 0);
        assert_int_equal(l.n, 2);
        assert_int_equal(l.items[0]->id, 7);
        assert_int_equal(l.items[1]->id, 3);

        assert_int_equal(codec_cases_decode(CASE_TEXT("7"), &(Cases) {}, NULL), -EBADMSG);
        assert_int_equal(codec_cases_decode("[" CASE_TEXT("7") "," CASE_TEXT("0") "]", &(Cases) {}, &error),
                         -EBADMSG);
        assert_non_null(strstr(error, "[1].id"));
        free(error);
}

/* Proves that what is indented for a person is the same value, also where numbers are large. */
static void test_pretty(void **state) {
        char *text = NULL;

        assert_int_equal(codec_json_pretty("{\"a\":18446744073709551615,\"b\":[\"/x\"]}", &text), 0);
        assert_string_equal(text, "{\n  \"a\": 18446744073709551615,\n  \"b\": [\n    \"/x\"\n  ]\n}");
        free(text);
        text = NULL;
        assert_int_equal(codec_json_pretty("[", &text), -EBADMSG);
        assert_null(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_samples),
                cmocka_unit_test(test_values_arrive),
                cmocka_unit_test(test_cut_off),
                cmocka_unit_test(test_changed_bytes),
                cmocka_unit_test(test_wrong),
                cmocka_unit_test(test_untouched),
                cmocka_unit_test(test_left_out),
                cmocka_unit_test(test_searching),
                cmocka_unit_test(test_error),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_escape),
                cmocka_unit_test(test_escape_random),
                cmocka_unit_test(test_random_values),
                cmocka_unit_test(test_case_list),
                cmocka_unit_test(test_pretty),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
