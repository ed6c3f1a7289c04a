/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/codec.h"
#include "service/engine-answer.h"

/* A repair ends with its first result, a settlement with one that belongs to no case. */
static int read_result(Verb verb, const char *line, EngineTellFn tell, void *userdata, char **ret_error) {
        _cleanup_result_ Result result = {};
        EngineAnswer a = { .result = &result };
        int r;

        r = codec_result_decode(line, &result, ret_error);
        if (r >= 0)
                tell(&a, !result.progress && (verb != VERB_SETTLE || result.id == 0), userdata);
        return r;
}

/* All other answers are one line. `member` of the answer is what `decode` reads of it. */
#define read_whole(type, done, decode, member)                          \
        ({                                                              \
                __attribute__((cleanup(done))) type _value = {};        \
                int _r = decode(line, &_value, ret_error);              \
                                                                        \
                a.member = &_value;                                     \
                if (_r >= 0)                                            \
                        tell(&a, true, userdata);                       \
                _r;                                                     \
        })

int engine_answer_read(Verb verb, const char *line, int *holds, size_t n_holds, EngineTellFn tell,
                       void *userdata, char **ret_error) {
        EngineAnswer a = { .holds = holds, .n_holds = n_holds };

        switch (verb) {
        case VERB_LOCATE:
        case VERB_PLAN:
                return read_whole(LocateReply, locate_reply_done, codec_locate_reply_decode, located);
        case VERB_TOPOLOGY:
                return read_whole(Topology, topology_done, codec_topology_decode, topology);
        case VERB_HEALTH:
                return read_whole(DimmHealths, dimm_healths_done, codec_health_decode, health);
        case VERB_PREVIEW:
                return read_whole(Preview, preview_done, codec_preview_decode, preview);
        case VERB_REPAIR:
        case VERB_PARK:
        case VERB_MEND:
        case VERB_SETTLE:
        case VERB_SCRUB:
        case _VERB_MAX:
        case _VERB_INVALID:
        default:
                return read_result(verb, line, tell, userdata, ret_error);
        }
}
