/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Every decoder gets every input. It refuses with a sentence, or gives a value whose text it reads again,
 * to the same text. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"
#include "core/replica-uri.h"
#include "fuzz.h"

/* Decodes; true when there is a value. */
#define DECODE(decode, text, value)                                             \
        ({                                                                      \
                char *_error = NULL;                                            \
                int _r = decode((text), (value), &_error);                      \
                                                                                \
                must(_r == 0 ? !_error : _r == -EBADMSG && _error);             \
                free(_error);                                                   \
                _r == 0;                                                        \
        })

#define CHECK(type, decode, encode, done, text)                                 \
        ({                                                                      \
                type _a, _b;                                                    \
                                                                                \
                if (DECODE(decode, text, &_a)) {                                \
                        char *_once = encode(&_a), *_twice;                     \
                                                                                \
                        must(_once && !strchr(_once, '\n'));                    \
                        must(DECODE(decode, _once, &_b));                       \
                        _twice = encode(&_b);                                   \
                        must(_twice && strcmp(_once, _twice) == 0);             \
                        free(_once);                                            \
                        free(_twice);                                           \
                        done(&_a);                                              \
                        done(&_b);                                              \
                }                                                               \
        })

typedef Case *CasePtr;

static char *case_encode(CasePtr *c) {
        return codec_case_encode(*c);
}

static void check_list(const char *text) {
        Cases l;
        char *pretty = NULL;

        if (DECODE(codec_cases_decode, text, &l))
                cases_done(&l);
        if (codec_json_pretty(text, &pretty) == 0)
                free(pretty);
}

static void check_path(const char *text) {
        char *escaped = codec_path_escape(text), *back = NULL, *path = NULL;

        must(escaped);
        must(codec_path_unescape(escaped, &back) == 0);
        must(strcmp(back, text) == 0);
        if (codec_path_unescape(text, &path) == 0)
                must(strlen(path) <= strlen(text));
        free(escaped);
        free(back);
        free(path);
}

static void check_pieces(const char *text) {
        uint64_t length;
        Range range;
        int error;

        if (codec_fetch_range_decode(text, &range) == 0)
                must(range.start < range.end);
        if (codec_fetch_piece_decode(text, &length, &error) == 0)
                must(error <= 0);
}

static void check_word(const char *text) {
        Word w = {}, again = {};
        char *made;

        if (word_parse(text, &w) != 0) {
                must(!w.replica && !w.shown);
                return;
        }
        made = word_format(&w);
        must(made && word_parse(made, &again) == 0 && strcmp(w.replica, again.replica) == 0);
        must(!w.shown == !again.shown && (!w.shown || strcmp(w.shown, again.shown) == 0));
        free(made);
        word_done(&w);
        word_done(&again);
}

/* A value of Replica= in its one form is in that form. */
static void check_uri(const char *text) {
        char *made = NULL, *again = NULL;
        const char *why = NULL;

        if (replica_uri_make(text, &made, &why) != 0) {
                must(why && !made);
                return;
        }
        must(replica_uri_make(made, &again, &why) == 0 && strcmp(made, again) == 0);
        free(made);
        free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = fuzz_string(data, size), *sentence = NULL;

        CHECK(CasePtr, codec_case_decode, case_encode, case_freep, text);
        CHECK(Topology, codec_topology_decode, codec_topology_encode, topology_done, text);
        CHECK(Request, codec_request_decode, codec_request_encode, request_done, text);
        CHECK(LocateReply, codec_locate_reply_decode, codec_locate_reply_encode, locate_reply_done, text);
        CHECK(Result, codec_result_decode, codec_result_encode, result_done, text);
        CHECK(Forecast, codec_forecast_decode, codec_forecast_encode, forecast_done, text);
        CHECK(DimmHealths, codec_health_decode, codec_health_encode, dimm_healths_done, text);
        CHECK(Intent, codec_intent_decode, codec_intent_encode, intent_done, text);
        CHECK(FetchRequest, codec_fetch_request_decode, codec_fetch_request_encode, fetch_request_done,
              text);
        CHECK(FetchReply, codec_fetch_reply_decode, codec_fetch_reply_encode, fetch_reply_done, text);
        check_pieces(text);
        CHECK(Preview, codec_preview_decode, codec_preview_encode, preview_done, text);
        check_uri(text);
        check_word(text);
        check_list(text);
        if (codec_error_decode(text, &sentence) == 0)
                free(sentence);
        check_path(text);

        free(text);
        return 0;
}
