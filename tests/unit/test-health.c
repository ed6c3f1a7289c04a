/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/codec.h"
#include "core/health.h"

#define ALL ((UINT32_C(1) << _DIMM_ALARM_MAX) - 1)

/* Every alarm has a word of its own, all of them fit the buffer, and nothing else is a word. */
static void test_words(void **state) {
        char text[DIMM_ALARM_SET_MAX];

        for (DimmAlarm a = 0; a < _DIMM_ALARM_MAX; a++)
                assert_int_equal(dimm_alarm_from_string(dimm_alarm_to_string(a)), a);
        assert_true((int) dimm_alarm_from_string("") < 0 && (int) dimm_alarm_from_string("Fatal") < 0);
        assert_null(dimm_alarm_to_string(_DIMM_ALARM_MAX));

        assert_true(strlen(dimm_alarm_set_to_string(ALL, text)) < sizeof(text));
        assert_string_equal(dimm_alarm_set_to_string(0, text), "");
        assert_string_equal(dimm_alarm_set_to_string(UINT32_C(1) << DIMM_ALARM_SPARES | 1, text),
                            "fatal,spares");
}

/* A person is woken up where data is lost or will be, and for nothing else. */
static void test_urgent(void **state) {
        for (DimmAlarm a = 0; a < _DIMM_ALARM_MAX; a++) {
                bool can_wait = a == DIMM_ALARM_NON_CRITICAL || a == DIMM_ALARM_SPARES ||
                                a == DIMM_ALARM_MEDIA_TEMPERATURE ||
                                a == DIMM_ALARM_CONTROLLER_TEMPERATURE || a == DIMM_ALARM_SEEN_AT_BOOT;

                assert_int_equal(dimm_alarms_are_urgent(UINT32_C(1) << a), !can_wait);
        }
        assert_false(dimm_alarms_are_urgent(0));
        assert_true(dimm_alarms_are_urgent(ALL));
}

/* No answer is neither an alarm nor the end of one; what the firmware noted is known all the same. */
static void test_no_answer(void **state) {
        DimmAlarmSet spares = UINT32_C(1) << DIMM_ALARM_SPARES;
        DimmAlarmSet unarmed = UINT32_C(1) << DIMM_ALARM_NOT_ARMED;
        DimmHealth answered = { .known = true, .alarms = unarmed };
        DimmHealth failed = { .failed = true, .alarms = unarmed };
        DimmHealth cannot = {};

        assert_int_equal(dimm_alarms_now(&answered, spares), unarmed);
        assert_int_equal(dimm_alarms_now(&failed, spares), spares | unarmed);
        assert_int_equal(dimm_alarms_now(&failed, 0), unarmed);
        failed.alarms = 0;
        assert_int_equal(dimm_alarms_now(&failed, spares | unarmed), spares);
        assert_int_equal(dimm_alarms_now(&cannot, unarmed), 0);
}

/* The text holds all there is to know, and a word that nobody knows is an error that says where it is. */
static void test_text(void **state) {
        static const char good[] = "{\"dimms\":[{\"dimm\":\"nmem0\",\"known\":true,\"alarms\":[\"critical\","
                                   "\"not-armed\"]},{\"dimm\":\"nmem1\",\"failed\":true,\"alarms\":[]}]}";
        static const char *const bad[] = {
                "{}", "{\"dimms\":[{}]}", "{\"dimms\":[{\"dimm\":\"a\",\"alarms\":[\"doom\"]}]}",
                "{\"dimms\":[{\"dimm\":\"a\",\"alarms\":[1]}]}",
                "{\"dimms\":[{\"dimm\":\"a\",\"known\":1}]}",
        };
        _cleanup_dimm_healths_ DimmHealths l = {};
        _cleanup_free_ char *again = NULL;

        assert_int_equal(codec_health_decode(good, &l, NULL), 0);
        assert_int_equal(l.n, 2);
        assert_ptr_equal(dimm_healths_find(&l, "nmem1"), l.items + 1);
        assert_null(dimm_healths_find(&l, "nmem2"));
        assert_true(l.items[0].known && !l.items[0].failed && !l.items[1].known && l.items[1].failed);
        assert_true(dimm_alarms_are_urgent(l.items[0].alarms) && l.items[1].alarms == 0);
        again = codec_health_encode(&l);
        assert_string_equal(again, good);

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                _cleanup_free_ char *error = NULL;
                DimmHealths none;

                assert_int_equal(codec_health_decode(bad[i], &none, &error), -EBADMSG);
                assert_non_null(strstr(error, "dimms"));
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_urgent),
                cmocka_unit_test(test_no_answer),
                cmocka_unit_test(test_text),
        };

        return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
