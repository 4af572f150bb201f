/* test_docs.c: generated pages of docs/ are not stale. */
#include "autograd/registry.h"
#include "tests/files.h"
#include "tests/numeric.h"
#include "tests/suite.h"

START_TEST(ops_page_is_what_the_descriptors_say)
{
    const char *path = "ops.md";
    int64_t     count, written;
    ck_assert_msg(tri_write_ops_markdown(path) == TR_OK, "%s", tr_error());
    const char *fresh = tri_read_file(path, 1 << 20, &written);
    const char *committed = tri_read_file(TENREC_SOURCE_DIR "/docs/ops.md", 1 << 20, &count);
    ck_assert_msg(fresh != NULL && committed != NULL, "%s", tr_error());
    int line = 1;
    for (int64_t i = 0; i < count && i < written && fresh[i] == committed[i]; i++)
        line += fresh[i] == '\n';
    ck_assert_msg(count == written && memcmp(fresh, committed, (size_t)count) == 0,
                  "docs/ops.md differs from line %d on: cmake --build build/release --target docs",
                  line);
}
END_TEST

START_TEST(an_unwritable_page_is_an_error)
{
    ck_assert_int_eq(tri_write_ops_markdown("/no/such/folder/ops.md"), TR_ERR_FILE);
    tr_error_clear();
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { ops_page_is_what_the_descriptors_say },
        { an_unwritable_page_is_an_error },
        { 0 },
    };
    return run_tests("docs", enter_folder, leave_folder, tests);
}
