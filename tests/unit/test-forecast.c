/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/codec.h"
#include "core/forecast.h"

#define REPLY                                                                                            \
        "{\"found\":[{\"range\":{\"start\":4096,\"length\":4096},\"bad\":[{\"start\":4096,\"length\":512}],"\
        "\"owners\":[{\"type\":\"file\",\"start\":4096,\"length\":4096,\"inode\":131,\"generation\":1,"   \
        "\"offset\":0,\"path\":\"/srv/a\"}],\"offers\":[{\"replica\":\"mirror:/m\",\"state\":\"held\","   \
        "\"proof\":\"identity+neighbours\",\"witness\":\"equal\",\"group\":1,\"truth\":\"right\"}],"        \
        "\"file_size\":8192},"                                                                           \
        "{\"range\":{\"start\":8192,\"length\":4096},\"bad\":[{\"start\":8192,\"length\":512}],"          \
        "\"owners\":[{\"type\":\"metadata\",\"start\":8192,\"length\":4096,\"detail\":\"inodes\"}]}]}"

#define POLICY                                                                                        \
        "{\"verb\":\"plan\",\"volume\":{\"device\":\"d\"},\"policy\":{\"mode\":\"observe\","           \
        "\"rescan_usec\":1,\"worker_timeout_usec\":1,\"budget_n\":1,\"budget_usec\":1000000,"         \
        "\"protects\":[{\"name\":\"p\",\"path\":\"/srv\",\"replicas\":[\"mirror:/m\"],"               \
        "\"proof\":\"identity+neighbours\",\"exclusion\":\"lease\",\"writer\":\"auto\"}]},\"ranges\":[]}"

/* Proves that a forecast shows what would be done in repair mode, part by part, that it says which mode
 * is in force all the same, and that a part that would be refused comes with its sentences; and that it
 * can be read back. */
static void test_forecast(void **state) {
        _cleanup_locate_reply_ LocateReply reply = {};
        _cleanup_forecast_ Forecast f = {}, back = {};
        _cleanup_request_ Request q = {};
        _cleanup_free_ char *text = NULL, *again = NULL;

        assert_int_equal(codec_locate_reply_decode(REPLY, &reply, NULL), 0);
        assert_int_equal(codec_request_decode(POLICY, &q, NULL), 0);
        assert_int_equal(forecast_make("/srv/a\n", "/dev/pmem0", &q.policy, &reply, &f), 0);

        assert_int_equal(f.mode, MODE_OBSERVE);
        assert_int_equal(f.parts.n, 2);
        assert_int_equal(f.parts.items[0].plan.verdict, VERDICT_REPAIR);
        assert_int_equal(f.parts.items[0].plan.steps.n, 1);
        assert_true(f.parts.items[0].found.offers.items[0].enough);
        assert_int_equal(f.parts.items[0].found.offers.items[0].truth, TRUTH_RIGHT);
        assert_int_equal(f.parts.items[1].plan.verdict, VERDICT_REFUSE);
        assert_int_equal(f.parts.items[1].plan.reason, REASON_METADATA);

        text = codec_forecast_encode(&f);
        assert_non_null(text);
        assert_non_null(strstr(text, "\"target\":\"/srv/a\\\\x0a\",\"device\":\"/dev/pmem0\","
                                     "\"mode\":\"observe\""));
        assert_non_null(strstr(text, "\"verdict\":\"refuse\",\"reason\":\"metadata\""));
        assert_non_null(strstr(text, "\"explanation\":"));

        assert_int_equal(codec_forecast_decode(text, &back, NULL), 0);
        again = codec_forecast_encode(&back);
        assert_non_null(again);
        assert_string_equal(again, text);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_forecast) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
