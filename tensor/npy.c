/* npy.c: one tensor in a file of NumPy's. Eight bytes of magic and version, the header's length, a
 * header that spells a Python dictionary with the keys descr, fortran_order and shape, then the
 * values. The header's grammar is read as NumPy writes it: anything else is refused.
 *
 * Values in column-major order are read through a view with such strides and stored row-major. */
#include "tensor/compute.h"

#include <stdlib.h>
#include <string.h>

enum { MAGIC_BYTES = 6, MAX_HEADER = 1 << 20, ALIGN = 64, HEADER = 512 };

static const char magic[] = "\x93NUMPY";

static const struct {
    const char *descr;
    tr_dtype dtype;
} dtypes[] = {
    {"<f4",  TR_F32},
    { "<f8", TR_F64},
    { "<i8", TR_I64},
    { "|u1", TR_U8 }
};

enum { DTYPES = sizeof dtypes / sizeof *dtypes };

/* --- Save ------------------------------------------------------------------------------------- */

/* Magic, version 1.0, length, dictionary, spaces up to a multiple of 64, newline; returns its size.
 */
static size_t make_header(const tr_tensor *t, char bytes[HEADER])
{
    const char *descr = "";
    for (int i = 0; i < DTYPES; i++)
        if (dtypes[i].dtype == t->dtype) descr = dtypes[i].descr;
    memset(bytes, ' ', HEADER);
    memcpy(bytes, magic, MAGIC_BYTES);
    bytes[6] = 1;
    bytes[7] = 0;
    char *text = bytes + 10;
    size_t used = (size_t)snprintf(text, HEADER - 10,
                                   "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int i = 0; i < t->rank; i++)
        used += (size_t)snprintf(text + used, HEADER - 10 - used, i > 0 ? ", %lld" : "%lld",
                                 (long long)t->shape[i]);
    used += (size_t)snprintf(text + used, HEADER - 10 - used, t->rank == 1 ? ",), }" : "), }");
    text[used] = ' ';
    const size_t size = (10 + used + 1 + ALIGN - 1) / ALIGN * ALIGN;
    tri_put_little(bytes + 8, 2, size - 10);
    bytes[size - 1] = '\n';
    return size;
}

tr_status tr_save_npy(const char *path, const tr_tensor *t)
{
    if (!tri_given(path, "save_npy: the path")) return tr_status_get();
    if (tri_failed() || !tri_check_alive(t, "save_npy")) return tr_status_get();
    tr_scope *scratch = tr_scope_push();
    const void *values = tri_file_values(t);
    if (!tri_failed()) {
        char header[HEADER];
        const size_t size = make_header(t, header);
        tri_writer w;
        tri_writer_open(&w, path);
        tri_writer_write(&w, header, size);
        tri_writer_write(&w, values, (size_t)tr_numel(t) * tr_dtype_size(t->dtype));
        tri_writer_close(&w);
    }
    tr_scope_pop(scratch);
    return tr_status_get();
}

/* --- Load ------------------------------------------------------------------------------------- */

typedef struct reader {
    const char *path;
    const char *bytes, *at, *end; /* the header's text */
    tr_dtype dtype;
    tr_shape shape;
    bool fortran;
} reader;

static bool fail_at(const reader *r, const char *problem)
{
    tr_fail(TR_ERR_FILE, "%s: byte %lld: %s", r->path, (long long)(r->at - r->bytes), problem);
    return false;
}

static void skip_space(reader *r)
{
    while (r->at < r->end && *r->at == ' ') r->at++;
}

/* Takes the word, after spaces, if it is there. */
static bool accept(reader *r, const char *word)
{
    skip_space(r);
    const size_t length = strlen(word);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length) != 0) return false;
    r->at += length;
    return true;
}

static bool read_descr(reader *r)
{
    for (int i = 0; i < DTYPES; i++) {
        char quoted[8];
        snprintf(quoted, sizeof quoted, "'%s'", dtypes[i].descr);
        if (!accept(r, quoted)) continue;
        r->dtype = dtypes[i].dtype;
        return true;
    }
    return fail_at(r, "the dtype is not '<f4', '<f8', '<i8' or '|u1'");
}

static bool read_order(reader *r)
{
    r->fortran = accept(r, "True");
    return r->fortran || accept(r, "False") || fail_at(r, "True or False was expected");
}

static bool read_size(reader *r, int64_t *size)
{
    skip_space(r);
    const char *start = r->at;
    *size = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
        if (__builtin_mul_overflow(*size, 10, size) ||
            __builtin_add_overflow(*size, *r->at - '0', size))
            return fail_at(r, "a size too large");
    return r->at > start || fail_at(r, "a size was expected");
}

/* "()", "(3,)", "(2, 3)" */
static bool read_shape(reader *r)
{
    if (!accept(r, "(")) return fail_at(r, "'(' was expected");
    while (!accept(r, ")")) {
        if (r->shape.rank == TR_MAX_RANK) return fail_at(r, "more than 8 axes");
        if (!read_size(r, &r->shape.dim[r->shape.rank++])) return false;
        if (accept(r, ",")) continue;
        if (r->shape.rank == 1 || !accept(r, ")")) return fail_at(r, "',' or ')' was expected");
        return true;
    }
    return true;
}

static bool read_dictionary(reader *r)
{
    static const struct {
        const char *key;
        bool (*read)(reader *r);
    } members[] = {
        {"'descr':",          read_descr},
        { "'fortran_order':", read_order},
        { "'shape':",         read_shape}
    };
    bool seen[3] = { false };
    if (!accept(r, "{")) return fail_at(r, "'{' was expected");
    while (!accept(r, "}")) {
        int k = 0;
        while (k < 3 && (seen[k] || !accept(r, members[k].key))) k++;
        if (k == 3)
            return fail_at(r, "'descr', 'fortran_order' or 'shape' was expected, each once");
        seen[k] = true;
        if (!members[k].read(r)) return false;
        if (accept(r, ",")) continue;
        if (!accept(r, "}")) return fail_at(r, "',' or '}' was expected");
        break;
    }
    if (!seen[0] || !seen[1] || !seen[2])
        return fail_at(r, "'descr', 'fortran_order' or 'shape' is missing");
    skip_space(r);
    if (r->at < r->end && *r->at == '\n') r->at++;
    return r->at == r->end || fail_at(r, "something follows the header's dictionary");
}

/* Finds the header's text: sets at and end. */
static bool find_header(reader *r, int64_t size)
{
    int64_t length = 0;
    if (size < 10 || memcmp(r->bytes, magic, MAGIC_BYTES) != 0) return fail_at(r, "no .npy file");
    const int version = (unsigned char)r->bytes[6];
    if (version < 1 || version > 2 || r->bytes[7] != 0) {
        r->at += MAGIC_BYTES;
        return fail_at(r, "a version other than 1.0 and 2.0");
    }
    r->at = r->bytes + (version == 1 ? 10 : 12);
    if (size >= 12 || version == 1)
        length = (int64_t)tri_get_little(r->bytes + 8, version == 1 ? 2 : 4);
    if (length > MAX_HEADER) return fail_at(r, "a header of more than 1048576 bytes");
    r->end = r->at + length;
    if (r->at - r->bytes + length > size) {
        r->at = r->bytes + size;
        return fail_at(r, "the file ends within its header");
    }
    return true;
}

static bool read_header(reader *r, int64_t size)
{
    if (!find_header(r, size) || !read_dictionary(r)) return false;
    int64_t bytes = (int64_t)tr_dtype_size(r->dtype);
    bool empty = false;
    for (int i = 0; i < r->shape.rank; i++) {
        if (r->shape.dim[i] == 0)
            empty = true;
        else if (!tri_mul_size(bytes, r->shape.dim[i], &bytes) || bytes > INT64_MAX / 64)
            return fail_at(r, "the shape has too many elements");
    }
    if (empty) bytes = 0;
    const int64_t there = size - (r->end - r->bytes);
    if (there == bytes) return true;
    char text[200];
    tr_fail(TR_ERR_FILE, "%s: %s%s takes %lld bytes, but %lld follow the header", r->path,
            tr_dtype_name(r->dtype), tri_describe_shape(r->shape, text, sizeof text),
            (long long)bytes, (long long)there);
    return false;
}

/* Makes the tensor and fills it from the file's values. */
static tr_tensor *make_tensor(const reader *r)
{
    tr_tensor *t = tri_new(r->dtype, r->shape);
    if (t == NULL) return NULL;
    const int64_t count = tr_numel(t);
    if (count > 0) memcpy(t->data, r->end, (size_t)count * tr_dtype_size(r->dtype));
    tri_swap_to_little(t->data, count, tr_dtype_size(r->dtype));
    if (!r->fortran || r->shape.rank < 2) return t;
    int64_t stride[TR_MAX_RANK], step = 1;
    for (int i = 0; i < r->shape.rank; i++) {
        stride[i] = step;
        step *= r->shape.dim[i];
    }
    tr_tensor *columns = tri_view(t, r->shape, stride, 0);
    tr_tensor *rows = tri_new(r->dtype, r->shape);
    return columns != NULL && rows != NULL && tri_copy(rows, columns) == TR_OK ? rows : NULL;
}

tr_tensor *tr_load_npy(const char *path)
{
    if (!tri_given(path, "load_npy: the path")) return NULL;
    if (tri_failed()) return NULL;
    tr_scope *scratch = tr_scope_push();
    int64_t size = 0;
    const char *bytes = scratch != NULL ? tri_read_file(path, INT64_MAX / 2, &size) : NULL;
    tr_tensor *t = NULL;
    if (bytes != NULL) {
        reader r = { .path = path, .bytes = bytes, .at = bytes };
        if (read_header(&r, size)) t = make_tensor(&r);
    }
    if (t != NULL) t = tr_scope_keep(t);
    tr_scope_pop(scratch);
    return t;
}
