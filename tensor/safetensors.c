/* safetensors.c: named tensors in a file. Eight bytes hold the header's length; the header is a
 * JSON object that gives each tensor's dtype, shape and place; the values follow, little-endian,
 * without hole.
 *
 * Nothing in a file is believed: see check_layout and read_entry. Where a file and this reader
 * disagree, the message names the file and the tensor, or the byte. Read next: json.c. */
#include "tensor/json.h"

#include "tensor/compute.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, MAX_HEADER = 16 << 20, MAX_TENSORS = 8192, ALIGN = 8 };

static const char metadata_key[] = "__metadata__";

static const struct {
    const char *name;
    tr_dtype dtype;
} dtypes[] = {
    {"F32",  TR_F32},
    { "F64", TR_F64},
    { "I64", TR_I64},
    { "U8",  TR_U8 }
};

enum { DTYPES = sizeof dtypes / sizeof *dtypes };

/* --- Save ------------------------------------------------------------------------------------- */

static bool check_names(const char *path, const tr_named_list *tensors)
{
    if (tensors->count > MAX_TENSORS) {
        tr_fail(TR_ERR_VALUE, "%s: %lld tensors are more than the %d that a file may hold", path,
                (long long)tensors->count, MAX_TENSORS);
        return false;
    }
    for (int64_t i = 0; i < tensors->count; i++) {
        const tr_named *item = &tensors->items[i];
        if (!tri_check_alive(item->tensor, item->name)) return false;
        if (strcmp(item->name, metadata_key) != 0) continue;
        tr_fail(TR_ERR_VALUE, "%s: no tensor may have the name %s", path, metadata_key);
        return false;
    }
    return true;
}

static const char *dtype_label(tr_dtype dtype)
{
    for (int i = 0; i < DTYPES; i++)
        if (dtypes[i].dtype == dtype) return dtypes[i].name;
    return "?";
}

static int64_t byte_count(const tr_tensor *t)
{
    return tr_numel(t) * (int64_t)tr_dtype_size(t->dtype);
}

static void add_entry(tri_text *header, const tr_named *item, int64_t begin)
{
    tri_text_string(header, item->name);
    tri_text_add(header, ":{\"dtype\":\"%s\",\"shape\":[", dtype_label(item->tensor->dtype));
    for (int axis = 0; axis < item->tensor->rank; axis++)
        tri_text_add(header, "%s%lld", axis > 0 ? "," : "", (long long)item->tensor->shape[axis]);
    tri_text_add(header, "],\"data_offsets\":[%lld,%lld]}", (long long)begin,
                 (long long)(begin + byte_count(item->tensor)));
}

static void add_metadata(tri_text *header, const char *const *metadata, bool more)
{
    if (metadata == NULL || metadata[0] == NULL) return;
    tri_text_string(header, metadata_key);
    tri_text_add(header, ":");
    for (int i = 0; metadata[i] != NULL && metadata[i + 1] != NULL; i += 2) {
        tri_text_add(header, i > 0 ? "," : "{");
        tri_text_string(header, metadata[i]);
        tri_text_add(header, ":");
        tri_text_string(header, metadata[i + 1]);
    }
    tri_text_add(header, more ? "}," : "}");
}

/* Indices of the tensors in the order in which their values are written: larger elements first, so
 * that all are aligned. */
static int64_t *file_order(const tr_named_list *tensors)
{
    int64_t *order = tri_scratch((uint64_t)tensors->count * sizeof *order + 1), used = 0;
    for (size_t size = 8; order != NULL && size > 0; size /= 2)
        for (int64_t i = 0; i < tensors->count; i++)
            if (tr_dtype_size(tensors->items[i].tensor->dtype) == size) order[used++] = i;
    return order;
}

/* Entries stand in the order of the list, so that loading gives that order back. */
static void add_entries(tri_text *header, const tr_named_list *tensors, const int64_t *order)
{
    int64_t *begin = tri_scratch((uint64_t)tensors->count * sizeof *begin + 1), offset = 0;
    for (int64_t k = 0; begin != NULL && k < tensors->count; k++) {
        begin[order[k]] = offset;
        offset += byte_count(tensors->items[order[k]].tensor);
    }
    for (int64_t i = 0; !tri_failed() && i < tensors->count; i++) {
        if (i > 0) tri_text_add(header, ",");
        add_entry(header, &tensors->items[i], begin[i]);
    }
}

/* The whole header, padded with spaces; incomplete after an error. */
static tri_text make_header(const char *path, const tr_named_list *tensors, const int64_t *order,
                            const char *const *metadata)
{
    tri_text header = { 0 };
    tri_text_add(&header, "{");
    add_metadata(&header, metadata, tensors->count > 0);
    add_entries(&header, tensors, order);
    tri_text_add(&header, "}");
    while (!tri_failed() && header.count % ALIGN != 0) tri_text_add(&header, " ");
    if (header.count > MAX_HEADER)
        tr_fail(TR_ERR_VALUE, "%s: names and metadata fill more than the %d bytes of a header",
                path, MAX_HEADER);
    /* What is written must be readable: names given twice, or not in UTF-8, are found like this. */
    if (!tri_failed()) tri_json_parse(path, header.bytes, (int64_t)header.count, LENGTH_BYTES);
    return header;
}

static void write_values(tri_writer *w, const tr_tensor *t)
{
    tr_scope *scratch = tr_scope_push();
    const void *values = tri_file_values(t);
    if (!tri_failed()) tri_writer_write(w, values, (size_t)byte_count(t));
    tr_scope_pop(scratch);
}

tr_status tr_save_safetensors(const char *path, const tr_named_list *tensors,
                              const char *const *metadata)
{
    if (!tri_given(path, "save_safetensors: the path") ||
        !tri_given(tensors, "save_safetensors: the list"))
        return tr_status_get();
    if (tri_failed() || !check_names(path, tensors)) return tr_status_get();
    tr_scope *scratch = tr_scope_push();
    int64_t *order = file_order(tensors);
    tri_text header = { 0 };
    if (order != NULL) header = make_header(path, tensors, order, metadata);
    if (!tri_failed()) {
        tri_writer w;
        char       length[LENGTH_BYTES];
        tri_put_little(length, LENGTH_BYTES, header.count);
        tri_writer_open(&w, path);
        tri_writer_write(&w, length, LENGTH_BYTES);
        tri_writer_write(&w, header.bytes, header.count);
        for (int64_t k = 0; !tri_failed() && k < tensors->count; k++)
            write_values(&w, tensors->items[order[k]].tensor);
        tri_writer_close(&w);
    }
    tr_scope_pop(scratch);
    return tr_status_get();
}

/* --- Load ------------------------------------------------------------------------------------- */

typedef struct entry {
    const char *name;
    tr_dtype dtype;
    tr_shape shape;
    int64_t begin, end; /* from the first byte after the header */
} entry;

typedef struct contents {
    const char *path;
    const char *values;
    int64_t value_bytes;
    const tri_json *metadata; /* or NULL */
    entry *entries;
    int64_t count;
} contents;

/* A name as it may stand in a message: one line, not too long. */
static const char *shown(const char *name, char text[64])
{
    size_t i = 0;
    for (; name[i] != '\0' && i < 60; i++) text[i] = (unsigned char)name[i] < 0x20 ? '?' : name[i];
    text[i] = '\0';
    if (name[i] != '\0') memcpy(text + 57, "...", 3);
    return text;
}

static bool fail_tensor(const contents *c, const char *name, const char *problem)
{
    char text[64];
    tr_fail(TR_ERR_FILE, "%s: tensor \"%s\": %s", c->path, shown(name, text), problem);
    return false;
}

/* The sizes of a shape or a pair of offsets: whole numbers, not negative. */
static bool read_sizes(const tri_json *array, int64_t max, int64_t *sizes)
{
    if (array == NULL || array->kind != TRI_JSON_ARRAY || array->count > max) return false;
    for (const tri_json *v = array->first; v != NULL; v = v->next) {
        if (v->kind != TRI_JSON_NUMBER || !v->is_integer || v->integer < 0) return false;
        *sizes++ = v->integer;
    }
    return true;
}

/* Bytes of a tensor; false where a product of sizes does not fit, with sizes of 0 left out too. */
static bool shape_bytes(tr_shape shape, tr_dtype dtype, int64_t *bytes)
{
    bool empty = false;
    int64_t n = (int64_t)tr_dtype_size(dtype);
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] == 0)
            empty = true;
        else if (!tri_mul_size(n, shape.dim[i], &n) || n > INT64_MAX / 64)
            return false;
    }
    *bytes = empty ? 0 : n;
    return true;
}

static bool read_dtype(const contents *c, const tri_json *value, entry *e)
{
    if (value == NULL || value->kind != TRI_JSON_STRING)
        return fail_tensor(c, e->name, "its dtype is missing or no string");
    for (int i = 0; i < DTYPES; i++) {
        if (strcmp(dtypes[i].name, value->string) != 0) continue;
        e->dtype = dtypes[i].dtype;
        return true;
    }
    char problem[160], text[64];
    snprintf(problem, sizeof problem, "its dtype is %s; F32, F64, I64 and U8 can be read",
             shown(value->string, text));
    return fail_tensor(c, e->name, problem);
}

static bool read_entry(const contents *c, const tri_json *value, entry *e)
{
    int64_t offsets[2], bytes;
    const tri_json *shape, *place;
    e->name = value->key;
    if (value->kind != TRI_JSON_OBJECT || value->count != 3)
        return fail_tensor(c, e->name, "an object with dtype, shape and data_offsets was expected");
    if (!read_dtype(c, tri_json_find(value, "dtype"), e)) return false;
    shape = tri_json_find(value, "shape");
    if (shape != NULL && shape->kind == TRI_JSON_ARRAY && shape->count > TR_MAX_RANK)
        return fail_tensor(c, e->name, "its shape has more than 8 axes");
    if (!read_sizes(shape, TR_MAX_RANK, e->shape.dim))
        return fail_tensor(c, e->name, "its shape is no list of sizes");
    e->shape.rank = (int)shape->count;
    place = tri_json_find(value, "data_offsets");
    if (!read_sizes(place, 2, offsets) || place->count != 2)
        return fail_tensor(c, e->name, "its data_offsets are no two sizes");
    e->begin = offsets[0];
    e->end = offsets[1];
    if (!shape_bytes(e->shape, e->dtype, &bytes))
        return fail_tensor(c, e->name, "its shape has too many elements");
    if (e->begin > e->end) return fail_tensor(c, e->name, "its data_offsets are reversed");
    if (e->end > c->value_bytes)
        return fail_tensor(c, e->name, "it ends beyond the end of the file");
    if (e->end - e->begin == bytes) return true;
    char problem[160], text[128];
    snprintf(problem, sizeof problem, "%s%.60s takes %lld bytes, its data_offsets give it %lld",
             tr_dtype_name(e->dtype), tri_describe_shape(e->shape, text, sizeof text),
             (long long)bytes, (long long)(e->end - e->begin));
    return fail_tensor(c, e->name, problem);
}

static int compare_places(const void *a, const void *b)
{
    const entry *x = *(const entry *const *)a, *y = *(const entry *const *)b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* The tensors must fill the rest of the file: one after the other, none sharing a byte. */
static bool check_layout(const contents *c)
{
    const entry **sorted = tri_scratch((uint64_t)c->count * sizeof *sorted + 1);
    if (sorted == NULL) return false;
    for (int64_t i = 0; i < c->count; i++) sorted[i] = &c->entries[i];
    qsort(sorted, (size_t)c->count, sizeof *sorted, compare_places);
    int64_t end = 0;
    for (int64_t i = 0; i < c->count; i++) {
        if (sorted[i]->begin < end)
            return fail_tensor(c, sorted[i]->name, "its values overlap those of another tensor");
        if (sorted[i]->begin > end)
            return fail_tensor(c, sorted[i]->name, "its values leave a hole before them");
        end = sorted[i]->end;
    }
    if (end == c->value_bytes) return true;
    tr_fail(TR_ERR_FILE, "%s: %lld bytes follow the last tensor", c->path,
            (long long)(c->value_bytes - end));
    return false;
}

static bool check_metadata(const contents *c)
{
    const tri_json *m = c->metadata;
    bool good = m == NULL || m->kind == TRI_JSON_OBJECT;
    for (const tri_json *v = good && m != NULL ? m->first : NULL; v != NULL; v = v->next)
        good = good && v->kind == TRI_JSON_STRING;
    if (!good) tr_fail(TR_ERR_FILE, "%s: %s must map strings to strings", c->path, metadata_key);
    return good;
}

static bool read_entries(contents *c, const tri_json *header)
{
    c->metadata = tri_json_find(header, metadata_key);
    if (!check_metadata(c)) return false;
    const int64_t tensors = header->count - (c->metadata != NULL);
    if (tensors > MAX_TENSORS) {
        tr_fail(TR_ERR_FILE, "%s: %lld tensors are more than the %d allowed", c->path,
                (long long)tensors, MAX_TENSORS);
        return false;
    }
    c->entries = tr_scope_alloc((uint64_t)tensors * sizeof *c->entries + 1);
    if (c->entries == NULL) return false;
    for (const tri_json *v = header->first; v != NULL; v = v->next)
        if (v != c->metadata && !read_entry(c, v, &c->entries[c->count++])) return false;
    return check_layout(c);
}

/* Reads and checks everything, into the innermost scope. */
static bool read_contents(contents *c, const char *path)
{
    int64_t     size = 0;
    const char *bytes = tri_read_file(path, INT64_MAX / 2, &size);
    if (bytes == NULL) return false;
    *c = (contents){ .path = path };
    if (size < LENGTH_BYTES) {
        tr_fail(TR_ERR_FILE, "%s: %lld bytes are too few for a safetensors file", path,
                (long long)size);
        return false;
    }
    const uint64_t length = tri_get_little(bytes, LENGTH_BYTES);
    if (length > MAX_HEADER) {
        tr_fail(TR_ERR_FILE, "%s: a header of %llu bytes is longer than the %d allowed", path,
                (unsigned long long)length, MAX_HEADER);
        return false;
    }
    if (length > (uint64_t)(size - LENGTH_BYTES)) {
        tr_fail(TR_ERR_FILE, "%s: the header of %llu bytes ends beyond the end of the file", path,
                (unsigned long long)length);
        return false;
    }
    if (length == 0 || bytes[LENGTH_BYTES] != '{') {
        tr_fail(TR_ERR_FILE, "%s: byte 8: a header begins with '{'", path);
        return false;
    }
    const tri_json *header =
        tri_json_parse(path, bytes + LENGTH_BYTES, (int64_t)length, LENGTH_BYTES);
    if (header == NULL) return false;
    c->values = bytes + LENGTH_BYTES + length;
    c->value_bytes = size - LENGTH_BYTES - (int64_t)length;
    return read_entries(c, header);
}

/* Copies what was read to the innermost scope; the list is as before after an error. */
static void push_tensors(const contents *c, tr_named_list *tensors)
{
    const int64_t before = tensors->count;
    for (int64_t i = 0; i < c->count && !tri_failed(); i++) {
        const entry *e = &c->entries[i];
        tr_tensor *t = tri_new(e->dtype, e->shape);
        if (t == NULL) break;
        if (e->end > e->begin) memcpy(t->data, c->values + e->begin, (size_t)(e->end - e->begin));
        tri_swap_to_little(t->data, tr_numel(t), tr_dtype_size(e->dtype));
        tr_named_push(tensors, e->name, t);
    }
    if (tri_failed()) tensors->count = before;
}

/* key, value, ..., NULL in the innermost scope. */
static const char **copy_metadata(const contents *c)
{
    const int64_t count = c->metadata != NULL ? c->metadata->count : 0;
    const char  **pairs = tr_scope_alloc((uint64_t)(2 * count + 1) * sizeof *pairs);
    int64_t used = 0;
    for (const tri_json *v = count > 0 ? c->metadata->first : NULL; v != NULL; v = v->next) {
        const char *texts[] = { v->key, v->string };
        for (int i = 0; i < 2; i++) {
            const size_t size = strlen(texts[i]) + 1;
            char *copy = tr_scope_alloc(size);
            if (copy == NULL) return NULL;
            memcpy(copy, texts[i], size);
            pairs[used++] = copy;
        }
    }
    return pairs;
}

/* The file is read in a scope of its own; what is kept is made in the caller's, while that one is
 * still open: for this moment the caller's scope is the innermost again. */
static tr_status load(const char *path, tr_named_list *tensors, const char ***metadata)
{
    tri_thread *thread = tri_this_thread();
    tr_scope *callers = thread->scope, *scratch = tr_scope_push();
    contents c;
    if (scratch != NULL && read_contents(&c, path)) {
        thread->scope = callers;
        if (tensors != NULL) push_tensors(&c, tensors);
        if (metadata != NULL) *metadata = copy_metadata(&c);
        thread->scope = scratch;
    }
    tr_scope_pop(scratch);
    return tr_status_get();
}

tr_status tr_load_safetensors(const char *path, tr_named_list *tensors)
{
    if (!tri_given(path, "load_safetensors: the path") ||
        !tri_given(tensors, "load_safetensors: the list"))
        return tr_status_get();
    return tri_failed() ? tr_status_get() : load(path, tensors, NULL);
}

tr_status tr_load_safetensors_metadata(const char *path, const char *const **metadata)
{
    if (!tri_given(path, "load_safetensors_metadata: the path") ||
        !tri_given(metadata, "load_safetensors_metadata: the result"))
        return tr_status_get();
    const char **pairs = NULL;
    if (!tri_failed()) load(path, NULL, &pairs);
    *metadata = pairs;
    return tr_status_get();
}
