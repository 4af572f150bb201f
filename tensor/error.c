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

bool tri_function_begin(const tri_function *f)
{
    tri_thread *thread = tri_this_thread();
    if (thread->function != NULL) return false;
    thread->function = f;
    return true;
}

void tri_function_end(const tri_function *f)
{
    if (f->outermost) tri_this_thread()->function = NULL;
}

const char *tri_function_argument(const tr_tensor *t, int skip, int *length)
{
    const tri_function *f = tri_this_thread()->function;
    const char         *name = f != NULL ? f->arguments : "", *found = NULL;
    for (int i = 0; *name != '\0' && skip >= 0; i++) {
        const int size = (int)strcspn(name, ",");
        if (f->given[i] == t) {
            found = name;
            *length = size;
            skip--;
        }
        name += size;
        name += strspn(name, ", ");
    }
    return found;
}

/* Messages begin with "operation: "; the function that the operation is part of replaces that. */
static void write_message(tri_thread *thread, const char *format, va_list arguments)
{
    char text[sizeof thread->message];
    vsnprintf(text, sizeof text, format, arguments);
    const size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789");
    const bool   renamed = thread->function != NULL && length > 0 && text[length] == ':';
    snprintf(thread->message, sizeof thread->message, "%s%s", renamed ? thread->function->name : "",
             renamed ? text + length : text);
    /* Names and bytes of files may stand in it: it stays one line, and moves no cursor. */
    for (char *c = thread->message; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
}

tr_status tr_fail(tr_status kind, const char *format, ...)
{
    tri_thread *thread = tri_this_thread();
    if (thread->status != TR_OK) return thread->status;

    va_list arguments;
    va_start(arguments, format);
    write_message(thread, format, arguments);
    va_end(arguments);
    thread->status = kind == TR_OK ? TR_ERR_VALUE : kind;

    const char *trap = getenv("TENREC_TRAP");
    if (trap != NULL && strcmp(trap, "1") == 0) raise(SIGTRAP);
    return thread->status;
}

bool tri_given(const void *pointer, const char *what)
{
    if (pointer == NULL) tr_fail(TR_ERR_VALUE, "%s is NULL", what);
    return pointer != NULL;
}

void tri_error_in(const char *file)
{
    tri_thread  *thread = tri_this_thread();
    const size_t length = strlen(file);
    if (thread->status == TR_OK || thread->status == TR_ERR_MEMORY) return;
    if (strncmp(thread->message, file, length) == 0) return;
    char text[sizeof thread->message];
    memcpy(text, thread->message, sizeof text);
    const tr_status kind = thread->status;
    thread->status = TR_OK;
    tr_fail(kind, "%s: %s", file, text);
}

int tr_status_print(void)
{
    const char *message = tr_error();
    if (message == NULL) return 0;
    fprintf(stderr, "error: %s\n", message);
    return 1;
}
