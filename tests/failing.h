/* failing.h: every allocation of a piece of work fails in turn, once, and then with all that follow
 * it: each time the status must be TR_ERR_MEMORY, no byte and no open file left over. One program
 * includes it once. */
#ifndef TENREC_TESTS_FAILING_H
#define TENREC_TESTS_FAILING_H

#include "autograd/autograd.h"

#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

typedef struct failing {
    int64_t until;   /* allocations that succeed before the first failure */
    bool    forever; /* all later ones fail too */
    int64_t failures, held;
} failing;

static void *failing_alloc(void *context, size_t alignment, size_t bytes)
{
    failing   *f = context;
    const bool fails = f->until == 0 || (f->until < 0 && f->forever);
    f->until--;
    f->failures += fails;
    if (fails) return NULL;
    f->held += (int64_t)bytes;
    return aligned_alloc(alignment, bytes);
}

static void failing_release(void *context, void *block, size_t bytes)
{
    ((failing *)context)->held -= (int64_t)bytes;
    free(block);
}

static int open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int  count = 0;
    while (folder != NULL && readdir(folder) != NULL) count++;
    if (folder != NULL) closedir(folder);
    return count;
}

typedef void (*work)(const void *what);

/* Does the work with one failure; false where there were fewer allocations. */
static bool fail_at(const char *name, work does, const void *what, int64_t n, bool forever)
{
    failing f = { .until = -1 };
    tr_memory_trim();
    tr_set_allocator(&(tr_allocator){ failing_alloc, failing_release, &f });
    const int  files = open_files();
    tr_scope  *scope = tr_scope_push();
    const bool recording = tr_set_recording(true);
    f.until = n;
    f.forever = forever;
    does(what);
    f.forever = false;
    f.until = -1;
    const tr_status expected = f.failures > 0 ? TR_ERR_MEMORY : TR_OK;
    ck_assert_msg(tr_status_get() == expected, "%s, allocation %d%s: %s", name, (int)n,
                  forever ? " and all later" : "", tr_error() != NULL ? tr_error() : "no error");
    ck_assert(expected == TR_OK || strstr(tr_error(), "out of memory") != NULL);
    tr_error_clear();
    ck_assert_msg(tr_set_recording(recording), "%s, allocation %d: recording is off", name, (int)n);
    tr_scope_pop(scope);
    tr_memory_trim();
    ck_assert_msg(f.held == 0, "%s, allocation %d: %d bytes leak", name, (int)n, (int)f.held);
    ck_assert_msg(open_files() == files, "%s, allocation %d: a file stays open", name, (int)n);
    tr_set_allocator(NULL);
    return f.failures > 0;
}

static int64_t places; /* where an allocation failed, of all works together */

static void fail_everywhere(const char *name, work does, const void *what)
{
    for (int forever = 0; forever < 2; forever++) {
        int64_t n = 0;
        while (fail_at(name, does, what, n, forever)) n++; /* the last one succeeds */
        places += n;
    }
}

#endif
