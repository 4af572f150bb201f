/* print.c: a tensor as text, in the manner of NumPy: nested brackets, long axes shortened to three
 * values at both ends. */
#include "tensor/core.h"

enum { EDGE = 3, LONGEST = 8 };

static void print_value(const tr_tensor *t, int64_t offset, FILE *out)
{
    switch (t->dtype) {
    case TR_F32: fprintf(out, "%.6g", (double)((const float *)t->data)[offset]); break;
    case TR_F64: fprintf(out, "%.10g", ((const double *)t->data)[offset]); break;
    case TR_I64: fprintf(out, "%lld", (long long)((const int64_t *)t->data)[offset]); break;
    case TR_U8: fprintf(out, "%u", (unsigned)((const uint8_t *)t->data)[offset]); break;
    }
}

static void print_axis(const tr_tensor *t, int axis, int64_t offset, FILE *out)
{
    if (axis == t->rank) {
        print_value(t, offset, out);
        return;
    }
    const int64_t n = t->shape[axis];
    const bool    innermost = axis == t->rank - 1;
    fputc('[', out);
    for (int64_t i = 0; i < n; i++) {
        if (i > 0 && innermost) fputs(", ", out);
        if (i > 0 && !innermost) fprintf(out, ",\n%*s", axis + 1, "");
        if (n > LONGEST && i == EDGE) {
            fputs("...", out);
            i = n - EDGE - 1;
            continue;
        }
        print_axis(t, axis + 1, offset + i * t->stride[axis], out);
    }
    fputc(']', out);
}

tr_status tr_print(const tr_tensor *t, void *stream)
{
    if (!tri_given(stream, "print: the stream")) return tr_status_get();
    if (tri_failed() || !tri_check_alive(t, "print")) return tr_status_get();
    FILE *out = stream;
    char  text[240];
    fprintf(out, "%s\n", tr_describe(t, text, sizeof text));
    print_axis(t, 0, 0, out);
    fputc('\n', out);
    return ferror(out) ? tr_fail(TR_ERR_FILE, "print: the stream cannot be written") : TR_OK;
}
