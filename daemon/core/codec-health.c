/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What memory modules say of themselves, as text. */

#include <assert.h>

#include "core/codec-json.h"
#include "core/codec.h"

static struct json_object *make_alarm(const void *alarm) {
        return json_object_new_string(dimm_alarm_to_string(*(const DimmAlarm *) alarm));
}

static struct json_object *make_health(const void *health) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        DimmAlarm alarms[_DIMM_ALARM_MAX];
        const DimmHealth *h = health;
        size_t n = 0;

        for (DimmAlarm a = 0; a < _DIMM_ALARM_MAX; a++)
                if (h->alarms & (UINT32_C(1) << a))
                        alarms[n++] = a;
        return o &&
               codec_put_text(o, "dimm", h->dimm) &&
               codec_put_flag(o, "known", h->known) &&
               codec_put_flag(o, "failed", h->failed) &&
               codec_put_items(o, "alarms", alarms, n, sizeof(alarms[0]), make_alarm) ? TAKE_PTR(o) : NULL;
}

static int get_alarms(const CodecNode *at, DimmAlarmSet *ret) {
        DimmAlarmSet s = 0;
        CodecNode array;
        size_t n;
        int r;

        r = codec_get_array(at, "alarms", CODEC_OPTIONAL, &array, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                CodecNode item = codec_item(&array, i);
                DimmAlarm a;

                if (!json_object_is_type(item.value, json_type_string))
                        return codec_fail(&item, NULL, "a string is wanted");
                a = dimm_alarm_from_string(json_object_get_string(item.value));
                if ((int) a < 0)
                        return codec_fail(&item, NULL, "the word is not known");
                s |= UINT32_C(1) << a;
        }
        *ret = s;
        return 0;
}

static int read_health(const CodecNode *at, DimmHealth *ret) {
        _cleanup_(dimm_health_done) DimmHealth h = {};
        int r;

        if ((r = codec_get_text(at, "dimm", CODEC_REQUIRED, &h.dimm)) < 0 ||
            (r = codec_get_bool(at, "known", CODEC_OPTIONAL, &h.known)) < 0 ||
            (r = codec_get_bool(at, "failed", CODEC_OPTIONAL, &h.failed)) < 0 ||
            (r = get_alarms(at, &h.alarms)) < 0)
                return r;

        *ret = h;
        h = (DimmHealth) {};
        return 0;
}

char *codec_health_encode(const DimmHealths *l) {
        _cleanup_json_ struct json_object *o = json_object_new_object();

        assert(l);

        return o && codec_put_vec(o, "dimms", l, make_health) ? codec_print(TAKE_PTR(o)) : NULL;
}

static int read_list(const CodecNode *at, DimmHealths *ret) {
        _cleanup_dimm_healths_ DimmHealths l = {};
        int r;

        r = codec_get_vec(at, "dimms", CODEC_REQUIRED, &l, read_health, dimm_health_done);
        if (r < 0)
                return r;

        *ret = l;
        l = (DimmHealths) {};
        return 0;
}

int codec_health_decode(const char *text, DimmHealths *ret, char **ret_error) {
        return codec_decode(text, ret_error, read_list, ret);
}
