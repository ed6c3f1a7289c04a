/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What would be done, for a client. The sentences in it are for those who have no table of reasons. */

#include <assert.h>

#include "core/codec-parts.h"
#include "core/codec.h"

static struct json_object *make_part(const void *part) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        const ForecastPart *p = part;
        bool reason = p->plan.reason != REASON_NONE;

        return o &&
               codec_put(o, "found", codec_make_findings(&p->found)) &&
               codec_put(o, "plan", codec_make_plan(&p->plan)) &&
               codec_put_text(o, "explanation", reason ? reason_explain(p->plan.reason) : NULL) &&
               codec_put_text(o, "advice", reason ? reason_advice(p->plan.reason) : NULL)
                       ? TAKE_PTR(o)
                       : NULL;
}

char *codec_forecast_encode(const Forecast *f) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        assert(f);

        if (!o ||
            !codec_put_text(o, "target", f->target) ||
            !codec_put_text(o, "device", f->device) ||
            !codec_put_word(o, "mode", mode_to_string(f->mode)) ||
            !codec_put_vec(o, "parts", &f->parts, make_part))
                return NULL;
        return codec_print(TAKE_PTR(o));
}

static void part_done(ForecastPart *p) {
        findings_done(&p->found);
        plan_done(&p->plan);
}

static int read_part(const CodecNode *at, ForecastPart *ret) {
        _cleanup_(part_done) ForecastPart p = {};
        CodecNode found, plan;
        int r;

        if ((r = codec_get(at, "found", CODEC_REQUIRED, json_type_object, &found)) < 0 ||
            (r = codec_read_findings(&found, &p.found)) < 0 ||
            (r = codec_get(at, "plan", CODEC_REQUIRED, json_type_object, &plan)) < 0 ||
            (r = codec_read_plan(&plan, &p.plan)) < 0)
                return r;

        *ret = p;
        p = (ForecastPart) {};
        return 0;
}

static int read_forecast(const CodecNode *at, Forecast *ret) {
        _cleanup_forecast_ Forecast f = {};
        int r;

        if ((r = codec_get_text(at, "target", CODEC_REQUIRED, &f.target)) < 0 ||
            (r = codec_get_text(at, "device", CODEC_REQUIRED, &f.device)) < 0 ||
            (r = codec_get_enum(at, "mode", CODEC_REQUIRED, mode_from_string, &f.mode)) < 0 ||
            (r = codec_get_vec(at, "parts", CODEC_OPTIONAL, &f.parts, read_part, part_done)) < 0)
                return r;

        *ret = f;
        f = (Forecast) {};
        return 0;
}

int codec_forecast_decode(const char *text, Forecast *ret, char **ret_error) {
        return codec_decode(text, ret_error, read_forecast, ret);
}
