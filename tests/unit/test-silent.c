/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "replica/replica.h"
#include "replica/silent.h"

/* What was silent is so until the next request; what hangs, until it has ended. */
static void test_silent(void **state) {
        assert_false(silent_is("mirror:/a"));
        assert_true(silent_add("mirror:/a", false));
        assert_true(silent_add("mirror:/b", true));
        assert_true(silent_is("mirror:/a") && silent_is("mirror:/b") && !silent_is("mirror:/"));

        silent_forget();
        assert_true(!silent_is("mirror:/a") && silent_is("mirror:/b"));
        silent_ended("mirror:/a");
        silent_ended("mirror:/b");
        assert_false(silent_is("mirror:/b"));
}

/* Two calls that hang in the same replica are two: it is asked again when both have ended. */
static void test_twice(void **state) {
        assert_true(silent_add("mirror:/a", true));
        assert_true(silent_add("mirror:/a", true));
        silent_ended("mirror:/a");
        assert_true(silent_is("mirror:/a"));
        silent_ended("mirror:/a");
        assert_false(silent_is("mirror:/a"));
}

/* There is an end to what may hang. */
static void test_full(void **state) {
        char uri[32];
        unsigned n;

        for (n = 0; !silent_is_full(); n++) {
                (void) snprintf(uri, sizeof(uri), "mirror:/%u", n);
                assert_true(silent_add(uri, true));
        }
        assert_in_range(n, 2, 64);
        assert_false(silent_add("mirror:/one-more", true));
        while (n-- > 0) {
                (void) snprintf(uri, sizeof(uri), "mirror:/%u", n);
                silent_ended(uri);
                assert_false(silent_is_full() || silent_is(uri));
        }
}

/* The front does not ask it, and says so. */
static void test_front(void **state) {
        const Subject subject = { .relative = "f" };
        Replica *r = NULL;

        for (int again = 0; again < 2; again++) {
                _cleanup_offer_ Offer offer = {};

                assert_int_equal(replica_open("mirror:/dev", &subject, &r, &offer), REPLICA_E_NONE);
                assert_int_equal(offer.state, again ? OFFER_UNREACHABLE : OFFER_MISSING);
                assert_non_null(offer.detail);
                assert_true(silent_add("mirror:/dev", false));
        }
        replica_new_request();
        assert_false(silent_is("mirror:/dev"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_silent),
                cmocka_unit_test(test_twice),
                cmocka_unit_test(test_full),
                cmocka_unit_test(test_front),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
