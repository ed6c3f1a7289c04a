/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What would be done, for a client: only ever written. */

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
