/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/codec.h"
#include "ctl/bus-json.h"
#include "ctl/metrics.h"
#include "util/cleanup.h"

static char *metrics(const DaemonInfo *i, const Cases *l) {
        char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);

        assert_non_null(f);
        metrics_print(i, l, f);
        assert_int_equal(fclose(f), 0);
        return text;
}

/* Proves that a daemon that is not running is an answer, whole. */
static void test_down(void **state) {
        _cleanup_free_ char *text = metrics(NULL, NULL);

        assert_string_equal(text,
                            "# TYPE bezoar_up gauge\n"
                            "# HELP bezoar_up 1: bezoard answers.\n"
                            "bezoar_up 0\n"
                            "# EOF\n");
}

#define CASE(id, state, reason)                                                                         \
        "{\"id\":\"" id "\",\"state\":\"" state "\"," reason "\"volume\":{\"device\":\"/dev/pmem0\"},"   \
        "\"range\":{\"start\":0,\"length\":4096},"                                                       \
        "\"bad\":[{\"start\":0,\"length\":512},{\"start\":1024,\"length\":512}]}"

/* Proves that cases are counted by state and reason, each state at least once, that bytes are those of the
 * bad sectors, and that a label cannot break out of its quotation marks. */
static void test_figures(void **state) {
        _cleanup_daemon_info_ DaemonInfo i = {
                .version = strdup("1\"\\\n"),
                .mode = strdup("observe"),
                .devices = 2,
                .open = 3,
                .refused = 2,
                .healed = 7,
                .last_scan = 1700000000000042,
        };
        _cleanup_cases_ Cases l = {};
        _cleanup_free_ char *text = NULL;
        static const char *const expected[] = {
                "bezoar_up 1\n",
                "bezoar_build_info{version=\"1\\\"\\\\\\n\"} 1\n",
                "bezoar_observing 1\n",
                "bezoar_devices 2\n",
                "bezoar_open_cases 3\n",
                "bezoar_refused_cases 2\n",
                "bezoar_healed_cases_total 7\n",
                "bezoar_last_scan_timestamp_seconds 1700000000.000042\n",
                "bezoar_cases{state=\"refused\",reason=\"replica-stale\"} 2\n",
                "bezoar_cases{state=\"refused\",reason=\"\"} 0\n",
                "bezoar_cases{state=\"healed\",reason=\"\"} 1\n",
                "bezoar_cases{state=\"in-doubt\",reason=\"\"} 0\n",
                "bezoar_restored_bytes 1024\n",
                "bezoar_lost_bytes 2048\n",
        };

        assert_int_equal(codec_cases_decode("[" CASE("1", "healed", "") ","
                                            CASE("2", "refused", "\"reason\":\"replica-stale\",") ","
                                            CASE("3", "refused", "\"reason\":\"replica-stale\",") ","
                                            CASE("4", "harmless", "\"reason\":\"free\",") ","
                                            CASE("5", "gone", "\"reason\":\"cleared\",") "]", &l, NULL), 0);
        text = metrics(&i, &l);
        for (size_t k = 0; k < sizeof(expected) / sizeof(expected[0]); k++)
                if (!strstr(text, expected[k]))
                        fail_msg("not there: %s\n%s", expected[k], text);
        assert_string_equal(text + strlen(text) - 6, "# EOF\n");
}

/* Proves that each replica and each alarm is a line of its own, whatever its name is, and that none is
 * none. */
static void test_lists(void **state) {
        InfoReplica replicas[] = { { (char *) "mirror:/a\"b\\c\n", (char *) "stale", 1700000000000042 },
                                   { (char *) "mirror:/b", (char *) "unasked", 0 } };
        InfoAlarm alarms[] = { { (char *) "nmem0", (char *) "spares" } };
        InfoScore scores[] = { { (char *) "mirror:/b", 10, 7, 1 } };
        DaemonInfo i = { .replicas = { replicas, 2, 2 }, .scores = { scores, 1, 1 },
                         .alarms = { alarms, 1, 1 } }, none = {};
        _cleanup_free_ char *text = NULL, *empty = NULL;
        Cases l = {};

        text = metrics(&i, &l);
        assert_non_null(strstr(text, "\nbezoar_replica_answer{replica=\"mirror:/a\\\"b\\\\c\\n\","
                                     "answer=\"stale\"} 1\n"
                                     "bezoar_replica_answer{replica=\"mirror:/b\",answer=\"unasked\"} 1\n"));
        assert_non_null(strstr(text, "{replica=\"mirror:/a\\\"b\\\\c\\n\"} 1700000000.000042\n"
                                     "bezoar_replica_asked_timestamp_seconds{replica=\"mirror:/b\"} "
                                     "0.000000\n"));
        assert_non_null(strstr(text, "_rehearsed_total{replica=\"mirror:/b\",outcome=\"good\"} 7\n"));
        assert_non_null(strstr(text, "_rehearsed_total{replica=\"mirror:/b\",outcome=\"wrong\"} 1\n"));
        assert_non_null(strstr(text, "_rehearsed_total{replica=\"mirror:/b\",outcome=\"failed\"} 2\n"));
        assert_non_null(strstr(text, "\nbezoar_dimm_alarm{dimm=\"nmem0\",alarm=\"spares\"} 1\n"));

        empty = metrics(&none, &l);
        assert_null(strstr(empty, "bezoar_replica_answer{"));
        assert_null(strstr(empty, "bezoar_dimm_alarm{"));
}

#define EVENT(time, state) "{\"time\":" time ",\"state\":\"" state "\"}"
#define REPAIR(id, state, events)                                                                       \
        "{\"id\":\"" id "\",\"state\":\"" state "\",\"volume\":{\"device\":\"/dev/pmem0\"},"             \
        "\"range\":{\"start\":0,\"length\":4096},\"bad\":[{\"start\":0,\"length\":512}],"                  \
        "\"events\":[" events "]}"

/* Proves that a repair lasts from its first try to its end, failures included, that a limit belongs to its
 * bucket, that a clock that was set back counts as nothing, and that only what was repaired and healed
 * counts. */
static void test_repairs(void **state) {
        _cleanup_daemon_info_ DaemonInfo i = {};
        _cleanup_cases_ Cases l = {};
        _cleanup_free_ char *text = NULL;

        assert_int_equal(codec_cases_decode(
                "[" REPAIR("1", "healed", EVENT("5", "repairing") "," EVENT("100005", "healed")) ","
                REPAIR("2", "healed", EVENT("1000000", "repairing") "," EVENT("2000000", "failed") ","
                                      EVENT("30000000", "repairing") "," EVENT("31000001", "healed")) ","
                REPAIR("3", "healed", EVENT("9000000", "repairing") "," EVENT("8000000", "healed")) ","
                REPAIR("4", "healed", EVENT("1", "detected") "," EVENT("8000000", "healed")) ","
                REPAIR("5", "gone", EVENT("1", "repairing") "," EVENT("8000000", "gone")) ","
                REPAIR("6", "failed", EVENT("1", "repairing") "," EVENT("8000000", "failed")) "]",
                &l, NULL), 0);
        text = metrics(&i, &l);
        assert_non_null(strstr(text, "bezoar_repair_seconds_bucket{le=\"0.1\"} 2\n"
                                     "bezoar_repair_seconds_bucket{le=\"1.0\"} 2\n"
                                     "bezoar_repair_seconds_bucket{le=\"10.0\"} 2\n"
                                     "bezoar_repair_seconds_bucket{le=\"60.0\"} 3\n"
                                     "bezoar_repair_seconds_bucket{le=\"600.0\"} 3\n"
                                     "bezoar_repair_seconds_bucket{le=\"3600.0\"} 3\n"
                                     "bezoar_repair_seconds_bucket{le=\"+Inf\"} 3\n"
                                     "bezoar_repair_seconds_count 3\n"
                                     "bezoar_repair_seconds_sum 30.100001\n"));
}

#define FROZEN(id, usec)                                                                                \
        "{\"id\":\"" id "\",\"state\":\"healed\",\"frozen_usec\":" usec ","                                \
        "\"volume\":{\"device\":\"/dev/pmem0\"},"                                                          \
        "\"range\":{\"start\":0,\"length\":4096},\"bad\":[{\"start\":0,\"length\":512}],\"events\":[]}"

/* Proves that time frozen is counted for those cases that had any, and that a limit belongs to its
 * bucket. */
static void test_frozen(void **state) {
        _cleanup_daemon_info_ DaemonInfo i = {};
        _cleanup_cases_ Cases l = {};
        _cleanup_free_ char *text = NULL;

        assert_int_equal(codec_cases_decode("[" FROZEN("1", "0") "," FROZEN("2", "10000") ","
                                            FROZEN("3", "10001") "," FROZEN("4", "2000001") "]", &l,
                                            NULL), 0);
        text = metrics(&i, &l);
        assert_non_null(strstr(text, "bezoar_frozen_seconds_bucket{le=\"0.01\"} 1\n"
                                     "bezoar_frozen_seconds_bucket{le=\"0.1\"} 2\n"
                                     "bezoar_frozen_seconds_bucket{le=\"0.5\"} 2\n"
                                     "bezoar_frozen_seconds_bucket{le=\"1.0\"} 2\n"
                                     "bezoar_frozen_seconds_bucket{le=\"2.0\"} 2\n"
                                     "bezoar_frozen_seconds_bucket{le=\"+Inf\"} 3\n"
                                     "bezoar_frozen_seconds_count 3\n"
                                     "bezoar_frozen_seconds_sum 2.020002\n"));
}

/* Proves that a string is JSON whatever is in it. */
static void test_json_string(void **state) {
        char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);

        assert_non_null(f);
        bus_json_string("a\"\\\n\x01\x7f\xc3\xa4", f);
        assert_int_equal(fclose(f), 0);
        assert_string_equal(text, "\"a\\\"\\\\\\u000a\\u0001\x7f\xc3\xa4\"");
        free(text);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_down),
                cmocka_unit_test(test_figures),
                cmocka_unit_test(test_lists),
                cmocka_unit_test(test_repairs),
                cmocka_unit_test(test_frozen),
                cmocka_unit_test(test_json_string),
        };

        return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
