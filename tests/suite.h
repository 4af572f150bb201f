/* suite.h: runs the tests of a program, each in a process of its own, so that one that crashes is
 * named and the others go on. The presets of ctest limit the time. */
#ifndef TENREC_TESTS_SUITE_H
#define TENREC_TESTS_SUITE_H

#include "tensor/tensor.h"

#include <check.h>
#include <string.h>

typedef struct test_entry {
    const TTest *test;
    int          times; /* with _i = 0 .. times - 1; 0: once */
} test_entry;

/* Setup and teardown are called around each test, in its process; NULL for none. { 0 } ends the
 * list. Returns the program's exit status. */
static inline int run_tests(const char *name, void (*setup)(void), void (*teardown)(void),
                            const test_entry *tests)
{
    TCase *all = tcase_create(name);
    tcase_set_timeout(all, 0);
    tcase_add_checked_fixture(all, tr_error_clear, NULL); /* of a test before, with CK_FORK=no */
    tcase_add_checked_fixture(all, setup, teardown);
    for (; tests->test != NULL; tests++) {
        if (tests->times > 0)
            tcase_add_loop_test(all, tests->test, 0, tests->times);
        else
            tcase_add_test(all, tests->test);
    }
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

static inline void expect_ok(void)
{
    ck_assert_msg(tr_error() == NULL, "%s", tr_error());
}

/* The pending error is this one, word for word; forgets it. */
static inline void expect_error(tr_status kind, const char *message)
{
    ck_assert_msg(tr_error() != NULL, "no error, expected: %s", message);
    ck_assert_str_eq(tr_error(), message);
    ck_assert_int_eq(tr_status_get(), kind);
    tr_error_clear();
}

/* It has this in it, and is one line. */
static inline void expect_error_with(tr_status kind, const char *part)
{
    ck_assert_msg(tr_error() != NULL, "no error, expected: %s", part);
    ck_assert_msg(strstr(tr_error(), part) != NULL, "\"%s\" is not in: %s", part, tr_error());
    ck_assert_msg(strchr(tr_error(), '\n') == NULL, "more than one line: %s", tr_error());
    ck_assert_int_eq(tr_status_get(), kind);
    tr_error_clear();
}

/* A call that gave nothing, and an error word for word. */
static inline void expect_null(const void *result, const char *message)
{
    ck_assert_ptr_null(result);
    ck_assert_msg(tr_error() != NULL, "no error, expected: %s", message);
    ck_assert_str_eq(tr_error(), message);
    tr_error_clear();
}

#endif
