/* error.c: the first error of a thread is kept until it is cleared; later ones are dropped, because
 * they follow from it. Nothing here prints or exits, except tr_status_print, which is asked to.
 *
 * Every function of the library that can fail goes through tr_fail, so one breakpoint there (or
 * TENREC_TRAP=1) catches each error at its origin.                                              */
#include "tensor/core.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

tr_status tr_status_get(void)
{
    return tri_this_thread()->status;
}

bool tri_failed(void)
{
    return tri_this_thread()->status != TR_OK;
}

const char *tr_error(void)
{
    const tri_thread *thread = tri_this_thread();
    return thread->status == TR_OK ? NULL : thread->message;
}

void tr_error_clear(void)
{
    tri_this_thread()->status = TR_OK;
}

tr_status tr_fail(tr_status kind, const char *format, ...)
{
    tri_thread *thread = tri_this_thread();
    if (thread->status != TR_OK) return thread->status;

    va_list arguments;
    va_start(arguments, format);
    vsnprintf(thread->message, sizeof thread->message, format, arguments);
    va_end(arguments);
    thread->status = kind == TR_OK ? TR_ERR_VALUE : kind;

    const char *trap = getenv("TENREC_TRAP");
    if (trap != NULL && strcmp(trap, "1") == 0) raise(SIGTRAP);
    return thread->status;
}

int tr_status_print(void)
{
    const char *message = tr_error();
    if (message == NULL) return 0;
    fprintf(stderr, "error: %s\n", message);
    return 1;
}
