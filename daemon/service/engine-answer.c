/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/codec.h"
#include "service/engine-answer.h"

static int read_located(const char *line, int *holds, size_t n_holds, EngineTellFn tell, void *userdata,
                        char **ret_error) {
        _cleanup_locate_reply_ LocateReply reply = {};
        EngineAnswer a = { .located = &reply, .holds = holds, .n_holds = n_holds };
        int r;

        r = codec_locate_reply_decode(line, &reply, ret_error);
        if (r >= 0)
                tell(&a, true, userdata);
        return r;
}

static int read_topology(const char *line, EngineTellFn tell, void *userdata,
                         char **ret_error) {
        _cleanup_topology_ Topology t = {};
        EngineAnswer a = { .topology = &t };
        int r;

        r = codec_topology_decode(line, &t, ret_error);
        if (r >= 0)
                tell(&a, true, userdata);
        return r;
}

static int read_health(const char *line, EngineTellFn tell, void *userdata,
                       char **ret_error) {
        _cleanup_dimm_healths_ DimmHealths health = {};
        EngineAnswer a = { .health = &health };
        int r;

        r = codec_health_decode(line, &health, ret_error);
        if (r >= 0)
                tell(&a, true, userdata);
        return r;
}

static int read_preview(const char *line, EngineTellFn tell, void *userdata,
                        char **ret_error) {
        _cleanup_preview_ Preview p = {};
        EngineAnswer a = { .preview = &p };
        int r;

        r = codec_preview_decode(line, &p, ret_error);
        if (r >= 0)
                tell(&a, true, userdata);
        return r;
}

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

int engine_answer_read(Verb verb, const char *line, int *holds, size_t n_holds, EngineTellFn tell,
                       void *userdata, char **ret_error) {
        switch (verb) {
        case VERB_LOCATE:
        case VERB_PLAN:
                return read_located(line, holds, n_holds, tell, userdata, ret_error);
        case VERB_TOPOLOGY:
                return read_topology(line, tell, userdata, ret_error);
        case VERB_HEALTH:
                return read_health(line, tell, userdata, ret_error);
        case VERB_PREVIEW:
                return read_preview(line, tell, userdata, ret_error);
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
