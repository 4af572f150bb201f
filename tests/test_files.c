/* safetensors and .npy files: round trips, NumPy's own files, and hostile files, each refused with
 * one line that names the file and the tensor or the byte at fault. */
#include "autograd/autograd.h"
#include "tensor/core.h"
#include "tests/files.h"
#include "tests/golden/npy.h"
#include "tests/suite.h"

#include <signal.h>
#include <sys/resource.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static tr_scope *scope;

static void setup(void)
{
    enter_folder();
    scope = tr_scope_push();
}

static void teardown(void)
{
    tr_scope_pop(scope);
    tr_error_clear();
    leave_folder();
}

static void ck_same(const tr_tensor *a, const tr_tensor *b)
{
    char one[240], other[240];
    ck_assert_str_eq(tr_describe(a, one, sizeof one), tr_describe(b, other, sizeof other));
    const size_t bytes = (size_t)tr_numel(a) * tr_dtype_size(a->dtype);
    char *x = tr_scope_alloc(bytes + 1), *y = tr_scope_alloc(bytes + 1);
    tr_copy_out(a, x);
    tr_copy_out(b, y);
    ck_assert_int_eq(memcmp(x, y, bytes), 0);
}

static size_t file_size(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (size_t)info.st_size : 0;
}

static char *read_all(const char *path, int64_t *count)
{
    char *bytes = tri_read_file(path, INT64_MAX / 2, count);
    expect_ok();
    return bytes;
}

/* Tensors of every dtype: scalars, empty ones, views with odd strides, the highest rank. */
static tr_named_list samples(void)
{
    static const tr_dtype dtypes[] = { TR_U8, TR_F32, TR_I64, TR_F64 };
    tr_named_list list = { 0 };
    for (int i = 0; i < 4; i++) {
        const tr_dtype d = dtypes[i];
        char name[64];
        tr_tensor *t[] = { tr_scalar(d, 7),
                           tr_full(d, TR_SHAPE(2, 0, 3), 1),
                           tr_arange(d, 11),
                           tri_view(tr_arange(d, 24), TR_SHAPE(3, 2), (int64_t[]){ 2, 12 }, 1),
                           tri_view(tr_arange(d, 3), TR_SHAPE(3, 4), (int64_t[]){ 1, 0 }, 0),
                           tr_full(d, TR_SHAPE(1, 2, 1, 2, 1, 2, 1, 2), 3) };
        for (size_t k = 0; k < COUNT(t); k++) {
            snprintf(name, sizeof name, "%s.%zu", tr_dtype_name(d), k);
            tr_named_push(&list, name, t[k]);
        }
    }
    expect_ok();
    return list;
}

/* --- safetensors: round trips ----------------------------------------------------------------- */

START_TEST(round_trip)
{
    tr_named_list saved = samples(), loaded = { 0 };
    ck_assert_int_eq(tr_save_safetensors("a.safetensors", &saved, NULL), TR_OK);
    ck_assert_int_eq(tr_load_safetensors("a.safetensors", &loaded), TR_OK);
    ck_assert_int_eq(loaded.count, saved.count);
    for (int64_t i = 0; i < saved.count; i++) {
        ck_assert_str_eq(loaded.items[i].name, saved.items[i].name);
        ck_same(loaded.items[i].tensor, saved.items[i].tensor);
    }
    int64_t count;
    const char *bytes = read_all("a.safetensors", &count);
    ck_assert_int_eq(bytes[0] % 8, 0); /* the values are aligned */
    tr_save_safetensors("b.safetensors", &loaded, NULL);
    int64_t again;
    const char *same = read_all("b.safetensors", &again);
    ck_assert_int_eq(again, count);
    ck_assert_int_eq(memcmp(bytes, same, (size_t)count), 0);
}
END_TEST

/* The very bytes, larger elements first. */
START_TEST(exact_bytes)
{
    tr_named_list list = { 0 };
    tr_named_push(&list, "b\"\\\n", tr_full(TR_U8, TR_SHAPE(2), 65));
    tr_named_push(&list, "w", tr_scalar(TR_F64, 2));
    tr_save_safetensors("x", &list, (const char *const[]){ "format", "pt", "k", "\x01", NULL });
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\",\"k\":\"\\u0001\"},"
        "\"b\\\"\\\\\\n\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[8,10]},"
        "\"w\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]}}";
    const size_t length = (strlen(header) + 7) / 8 * 8;
    int64_t count;
    const char *bytes = read_all("x", &count);
    ck_assert_uint_eq(tri_get_little(bytes, 8), length);
    ck_assert_int_eq(memcmp(bytes + 8, header, strlen(header)), 0);
    for (size_t i = strlen(header); i < length; i++) ck_assert_int_eq(bytes[8 + i], ' ');
    ck_assert_int_eq(count, (int64_t)(8 + length + 10));
    ck_assert_int_eq(memcmp(bytes + 8 + length, "\0\0\0\0\0\0\0@AA", 10), 0);
}
END_TEST

START_TEST(metadata)
{
    tr_named_list list = { 0 }, loaded = { 0 };
    const char *const *m;
    static const char *const given[] = { "model", "vae", "note", "a\tb \xc3\xa9", NULL };
    tr_save_safetensors("x", &list, given);
    ck_assert_int_eq(tr_load_safetensors_metadata("x", &m), TR_OK);
    for (int i = 0; i < 4; i++) ck_assert_str_eq(m[i], given[i]);
    ck_assert_ptr_null(m[4]);
    ck_assert_int_eq(tr_load_safetensors("x", &loaded), TR_OK);
    ck_assert_int_eq(loaded.count, 0);
    tr_save_safetensors("y", &list, NULL);
    ck_assert_int_eq(tr_load_safetensors_metadata("y", &m), TR_OK);
    ck_assert_ptr_null(m[0]);
    ck_assert_int_ne(tr_load_safetensors_metadata("z", &m), TR_OK);
    ck_assert_ptr_null(m);
    expect_error(TR_ERR_FILE, "z: cannot open: No such file or directory");
}
END_TEST

START_TEST(many_tensors)
{
    tr_named_list list = { 0 }, loaded = { 0 };
    tr_tensor *t = tr_scalar(TR_F32, 1);
    char name[32];
    for (int i = 0; i < 8192; i++) {
        snprintf(name, sizeof name, "layer.%d", i);
        tr_named_push(&list, name, t);
    }
    ck_assert_int_eq(tr_save_safetensors("x", &list, NULL), TR_OK);
    ck_assert_int_eq(tr_load_safetensors("x", &loaded), TR_OK);
    ck_assert_int_eq(loaded.count, 8192);
    tr_named_push(&list, "one more", t);
    tr_save_safetensors("x", &list, NULL);
    expect_error(TR_ERR_VALUE, "x: 8193 tensors are more than the 8192 that a file may hold");
}
END_TEST

START_TEST(save_errors)
{
    tr_named_list list = { 0 };
    tr_named_push(&list, "w", tr_scalar(TR_F32, 1));
    tr_save_safetensors("good", &list, NULL);
    const size_t size = file_size("good");
    tr_save_safetensors("no/where", &list, NULL);
    expect_error(TR_ERR_FILE, "no/where: cannot create the file: No such file or directory");
    tr_named_push(&list, "w", tr_scalar(TR_F32, 1));
    tr_save_safetensors("good", &list, NULL);
    expect_error(TR_ERR_FILE, "good: byte 65: the key \"w\" is named twice");
    list.items[1].name = "not \xff UTF-8";
    tr_save_safetensors("good", &list, NULL);
    expect_error(TR_ERR_FILE, "good: byte 66: the string is not UTF-8");
    list.items[1].name = "__metadata__";
    tr_save_safetensors("good", &list, NULL);
    expect_error(TR_ERR_VALUE, "good: no tensor may have the name __metadata__");
    list.items[1] = (tr_named){ "gone", NULL };
    tr_save_safetensors("good", &list, NULL);
    expect_error(TR_ERR_VALUE, "gone: the tensor is NULL");
    ck_assert_uint_eq(file_size("good"), size); /* the old file is still there */
}
END_TEST

/* A full disk: the old file stays, and nothing else is left in the folder. */
START_TEST(full_disk)
{
    tr_named_list list = { 0 };
    tr_named_push(&list, "w", tr_scalar(TR_F32, 1));
    tr_save_safetensors("x", &list, NULL);
    const size_t size = file_size("x");
    struct rlimit limit, small;
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    tr_tensor *large = tr_zeros(TR_F64, TR_SHAPE(100000));
    tr_named_push(&list, "large", large);
    tr_save_safetensors("x", &list, NULL);
    expect_error(TR_ERR_FILE, "x: cannot write: File too large");
    tr_save_npy("x", large);
    expect_error(TR_ERR_FILE, "x: cannot write: File too large");
    setrlimit(RLIMIT_FSIZE, &limit);
    ck_assert_uint_eq(file_size("x"), size);
    ck_assert_int_eq(system("test \"$(ls)\" = x"), 0);
}
END_TEST

/* --- Out of memory ------------------------------------------------------------------------------
 */

static int64_t fuse; /* allocations until one fails */

static void *failing_alloc(void *context, size_t alignment, size_t bytes)
{
    (void)context;
    return fuse-- > 0 ? aligned_alloc(alignment, bytes) : NULL;
}

static void failing_release(void *context, void *block, size_t bytes)
{
    (void)context;
    (void)bytes;
    free(block);
}

/* Saves and loads both kinds of file. */
static bool use_files(void)
{
    tr_named_list list = { 0 }, loaded = { 0 };
    tr_tensor *t = tri_view(tr_arange(TR_F32, 600), TR_SHAPE(20, 30), (int64_t[]){ 1, 20 }, 0);
    if (tr_named_push(&list, "w", t) == TR_OK) {
        tr_save_safetensors("x", &list, (const char *const[]){ "k", "v", NULL });
        tr_save_npy("x.npy", t);
    }
    const char *const *m;
    tr_load_safetensors("x", &loaded);
    tr_load_safetensors_metadata("x", &m);
    ck_assert_int_eq(loaded.count > 0, tr_named_find(&loaded, "w") != NULL);
    return tr_load_npy("x.npy") != NULL;
}

START_TEST(out_of_memory)
{
    bool done = false;
    tr_scope_pop(scope);
    for (int64_t n = 0; !done; n++) {
        ck_assert_int_lt(n, 500);
        tr_memory_trim();
        tr_set_allocator(&(tr_allocator){ failing_alloc, failing_release, NULL });
        fuse = n;
        tr_scope *inner = tr_scope_push();
        done = inner != NULL && use_files();
        if (!done) ck_assert_int_eq(tr_status_get(), TR_ERR_MEMORY);
        tr_error_clear();
        tr_scope_pop(inner);
        tr_memory_trim();
        tr_set_allocator(NULL);
    }
    ck_assert_int_eq(system("ls | grep -q tmp"), 256); /* no temporary file is left */
    scope = tr_scope_push();
}
END_TEST

/* Numbers have the low byte first in files; 1.5f and -1 are 3FC00000 and BF800000 in
 * IEEE 754. */
START_TEST(byte_order)
{
    const uint8_t want[] = { 0, 0, 0xC0, 0x3F, 0, 0, 0x80, 0xBF };
    const float values[] = { 1.5f, -1 };
    const tr_tensor *t = tr_from(TR_F32, TR_SHAPE(2), values);
    ck_assert_mem_eq(tri_file_values(t), want, sizeof want);
    ck_assert_float_eq(((const float *)t->data)[0], 1.5f);
    float read[2];
    memcpy(read, want, sizeof want);
    tri_swap_to_little(read, 2, sizeof *read);
    ck_assert_mem_eq(read, values, sizeof values);
    uint8_t bytes[8];
    tri_put_little(bytes, 8, 0x0123456789ABCDEF);
    ck_assert_int_eq(bytes[0], 0xEF);
    ck_assert_int_eq(bytes[7], 0x01);
    ck_assert_uint_eq(tri_get_little(bytes, 8), 0x0123456789ABCDEF);
    ck_assert_uint_eq(tri_get_little(bytes, 2), 0xCDEF);
}
END_TEST

/* --- safetensors: hostile files --------------------------------------------------------------- */

static void write_safetensors(const char *path, const char *header, size_t length, size_t values)
{
    char *bytes = tr_scope_alloc(8 + length + values + 1);
    tri_put_little(bytes, 8, length);
    memcpy(bytes + 8, header, length);
    write_file(path, bytes, 8 + length + values);
}

/* One tensor's entry, "a", with the members given. */
#define A(members) "{\"a\":{" members "}}"
#define GOOD       "\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"
#define ENTRY      "an object with dtype, shape and data_offsets was expected"

/* clang-format off */
static const struct {
    const char *header;
    size_t values;
    const char *message; /* after "x: " */
} hostile[] = {
    { "", 0, "byte 8: a header begins with '{'" },
    { "[]", 0, "byte 8: a header begins with '{'" },
    { " {}", 0, "byte 8: a header begins with '{'" },
    { "{", 0, "byte 9: the text ends too early" },
    { "{}}", 0, "byte 10: something follows the value" },
    { "{} x", 0, "byte 11: something follows the value" },
    { "{\"a\"}", 0, "byte 12: ':' was expected" },
    { "{a:1}", 0, "byte 9: a string was expected" },
    { "{\"a\":1,}", 0, "byte 15: a string was expected" },
    { "{,}", 0, "byte 9: a string was expected" },
    { "{\"a\" 1}", 0, "byte 13: ':' was expected" },
    { "{\"a\":1 \"b\":2}", 0, "byte 15: ',' or '}' was expected" },
    { "{\"a\":[1 2]}", 0, "byte 16: ',' or ']' was expected" },
    { "{\"a\":[1,]}", 0, "byte 16: a value was expected" },
    { "{\"a\":NaN}", 0, "byte 13: a value was expected" },
    { "{\"a\":nul}", 0, "byte 13: a value was expected" },
    { "{\"a\":01}", 0, "byte 13: a number that begins with 0" },
    { "{\"a\":+1}", 0, "byte 13: a value was expected" },
    { "{\"a\":1.}", 0, "byte 15: a digit was expected after the point" },
    { "{\"a\":1e}", 0, "byte 15: a digit was expected in the exponent" },
    { "{\"a\":1e999}", 0, "byte 13: a number too large" },
    { "{\"a\":'b'}", 0, "byte 13: a value was expected" },
    { "{\"a", 0, "byte 11: the text ends too early" },
    { "{\"a\n\":1}", 0, "byte 11: a control character in a string" },
    { "{\"\\q\":1}", 0, "byte 11: an unknown escape in a string" },
    { "{\"\\u12g4\":1}", 0, "byte 14: \\u needs four hexadecimal digits" },
    { "{\"\\u0000\":1}", 0, "byte 10: a zero byte in a string" },
    { "{\"\\ud800\":1}", 0, "byte 10: half of a surrogate pair" },
    { "{\"\\udc00\":1}", 0, "byte 10: half of a surrogate pair" },
    { "{\"\\ud800\\u0041\":1}", 0, "byte 10: half of a surrogate pair" },
    { "{\"\xff\":1}", 0, "byte 10: the string is not UTF-8" },
    { "{\"\xc0\x80\":1}", 0, "byte 10: the string is not UTF-8" },
    { "{\"\xed\xa0\x80\":1}", 0, "byte 10: the string is not UTF-8" },
    { "{\"\xf4\x90\x80\x80\":1}", 0, "byte 10: the string is not UTF-8" },
    { "{\"a\":{},\"a\":{}}", 0, "byte 20: the key \"a\" is named twice" },
    { A(GOOD ",\"dtype\":\"F32\""), 8, "byte 69: the key \"dtype\" is named twice" },
    { "{\"a\":1}", 0, "tensor \"a\": " ENTRY },
    { "{\"a\":[]}", 0, "tensor \"a\": " ENTRY },
    { "{\"a\":null}", 0, "tensor \"a\": " ENTRY },
    { A(""), 0, "tensor \"a\": " ENTRY },
    { A("\"dtype\":\"F32\",\"shape\":[2]"), 8, "tensor \"a\": " ENTRY },
    { A(GOOD ",\"more\":1"), 8, "tensor \"a\": " ENTRY },
    { A("\"type\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"), 8,
      "tensor \"a\": its dtype is missing or no string" },
    { A("\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]"), 8,
      "tensor \"a\": its dtype is missing or no string" },
    { A("\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]"), 4,
      "tensor \"a\": its dtype is BF16; F32, F64, I64 and U8 can be read" },
    { A("\"dtype\":\"f32\",\"shape\":[2],\"data_offsets\":[0,8]"), 8,
      "tensor \"a\": its dtype is f32; F32, F64, I64 and U8 can be read" },
    { A("\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]"), 8,
      "tensor \"a\": its shape is no list of sizes" },
    { A("\"dtype\":\"F32\",\"form\":[2],\"data_offsets\":[0,8]"), 8,
      "tensor \"a\": its shape is no list of sizes" },
    { A("\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]"), 8,
      "tensor \"a\": its shape is no list of sizes" },
    { A("\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,8]"), 8,
      "tensor \"a\": its shape is no list of sizes" },
    { A("\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]"), 8,
      "tensor \"a\": its shape is no list of sizes" },
    { A("\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]"), 8,
      "tensor \"a\": its shape is no list of sizes" },
    { A("\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]"), 8,
      "tensor \"a\": its shape is no list of sizes" },
    { A("\"dtype\":\"F32\",\"shape\":[2,1,1,1,1,1,1,1,1],\"data_offsets\":[0,8]"), 8,
      "tensor \"a\": its shape has more than 8 axes" },
    { A("\"dtype\":\"U8\",\"shape\":[4194305,4194305,211106198978564],\"data_offsets\":[0,16]"), 16,
      "tensor \"a\": its shape has too many elements" },
    { A("\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]"), 0,
      "tensor \"a\": its shape has too many elements" },
    { A("\"dtype\":\"F32\",\"shape\":[0,4294967296,4294967296],\"data_offsets\":[0,0]"), 0,
      "tensor \"a\": its shape has too many elements" },
    { A("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]"), 8,
      "tensor \"a\": its data_offsets are reversed" },
    { A("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]"), 8,
      "tensor \"a\": its data_offsets are no two sizes" },
    { A("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]"), 8,
      "tensor \"a\": its data_offsets are no two sizes" },
    { A("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]"), 8,
      "tensor \"a\": its data_offsets are no two sizes" },
    { A("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0.0,8]"), 8,
      "tensor \"a\": its data_offsets are no two sizes" },
    { A("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":{}"), 8,
      "tensor \"a\": its data_offsets are no two sizes" },
    { A(GOOD), 7, "tensor \"a\": it ends beyond the end of the file" },
    { A("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,9223372036854775807]"), 8,
      "tensor \"a\": it ends beyond the end of the file" },
    { A("\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]"), 8,
      "tensor \"a\": f32[3] takes 12 bytes, its data_offsets give it 8" },
    { A("\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,4]"), 4,
      "tensor \"a\": f64[] takes 8 bytes, its data_offsets give it 4" },
    { A(GOOD), 9, "1 bytes follow the last tensor" },
    { "{}", 3, "3 bytes follow the last tensor" },
    { A("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]"), 12,
      "tensor \"a\": its values leave a hole before them" },
    { "{\"a\":{" GOOD "},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[6,10]}}", 10,
      "tensor \"b\": its values overlap those of another tensor" },
    { "{\"a\":{" GOOD "},\"b\":{" GOOD "}}", 8,
      "tensor \"b\": its values overlap those of another tensor" },
    { "{\"a\":{" GOOD "},\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[4,4]}}", 8,
      "tensor \"b\": its values overlap those of another tensor" },
    { "{\"a\":{" GOOD "},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[9,11]}}", 11,
      "tensor \"b\": its values leave a hole before them" },
    { "{\"__metadata__\":1}", 0, "__metadata__ must map strings to strings" },
    { "{\"__metadata__\":[\"a\"]}", 0, "__metadata__ must map strings to strings" },
    { "{\"__metadata__\":{\"a\":1}}", 0, "__metadata__ must map strings to strings" },
    { "{\"__metadata__\":{\"a\":\"b\",\"c\":null}}", 0,
      "__metadata__ must map strings to strings" },
    { "{\"two\\nlines\":1}", 0, "tensor \"two?lines\": " ENTRY },
    { "{\"123456789 123456789 123456789 123456789 123456789 123456789 123456789\":1}", 0,
      "tensor \"123456789 123456789 123456789 123456789 123456789 1234567...\": " ENTRY },
};
/* clang-format on */

START_TEST(hostile_safetensors)
{
    tr_named_list list = { 0 };
    char message[512];
    for (size_t i = 0; i < COUNT(hostile); i++) {
        write_safetensors("x", hostile[i].header, strlen(hostile[i].header), hostile[i].values);
        tr_load_safetensors("x", &list);
        snprintf(message, sizeof message, "x: %s", hostile[i].message);
        expect_error(TR_ERR_FILE, message);
        ck_assert_int_eq(list.count, 0);
    }
    write_safetensors("x", A(GOOD), strlen(A(GOOD)), 8); /* what they were made of is sound */
    ck_assert_int_eq(tr_load_safetensors("x", &list), TR_OK);
}
END_TEST

static void ck_header_length(uint64_t length, size_t count, const char *message)
{
    tr_named_list list = { 0 };
    char bytes[16] = { 0 };
    tri_put_little(bytes, 8, length);
    bytes[8] = '{';
    bytes[9] = '}';
    write_file("x", bytes, count);
    tr_load_safetensors("x", &list);
    expect_error(TR_ERR_FILE, message);
}

START_TEST(header_lengths)
{
    ck_header_length(2, 0, "x: 0 bytes are too few for a safetensors file");
    ck_header_length(2, 7, "x: 7 bytes are too few for a safetensors file");
    ck_header_length(2, 8, "x: the header of 2 bytes ends beyond the end of the file");
    ck_header_length(3, 10, "x: the header of 3 bytes ends beyond the end of the file");
    ck_header_length(0, 10, "x: byte 8: a header begins with '{'");
    ck_header_length(
        UINT64_MAX, 10,
        "x: a header of 18446744073709551615 bytes is longer than the 16777216 allowed");
    ck_header_length(
        (uint64_t)INT64_MAX, 10,
        "x: a header of 9223372036854775807 bytes is longer than the 16777216 allowed");
    ck_header_length(16777217, 10,
                     "x: a header of 16777217 bytes is longer than the 16777216 allowed");
    tr_named_list list = { 0 };
    tr_load_safetensors(".", &list);
    expect_error(TR_ERR_FILE, ".: is a folder; a file was expected");
    tr_load_safetensors("missing", &list);
    expect_error(TR_ERR_FILE, "missing: cannot open: No such file or directory");
}
END_TEST

/* Bombs: deep nesting, very many values, very many tensors, a NUL in the header. */
START_TEST(bombs)
{
    tr_named_list list = { 0 };
    const size_t size = 16 << 20;
    char *header = tr_scope_alloc(size);
    memset(header, '[', size);
    memcpy(header, "{\"a\":", 5);
    write_safetensors("x", header, size, 0);
    tr_load_safetensors("x", &list);
    expect_error(TR_ERR_FILE, "x: byte 76: values are nested more than 64 deep");

    memcpy(header, "{\"a\":[", 6);
    for (size_t i = 6; i < size; i++) header[i] = i % 2 == 0 ? '0' : ',';
    write_safetensors("x", header, size, 0);
    const int64_t before = tr_memory().live_bytes;
    tr_load_safetensors("x", &list);
    ck_assert_int_le(tr_memory().peak_bytes - before, 4 * (int64_t)size + (16 << 20));
    expect_error(TR_ERR_FILE, "x: byte 262154: more than 131072 values");

    tri_writer w;
    tri_writer_open(&w, "x");
    const char *entry = ":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";
    char length[8];
    tri_put_little(length, 8, 2 + 8193 * (8 + strlen(entry)) - 1);
    tri_writer_write(&w, length, 8);
    for (int i = 0; i <= 8192; i++)
        tri_writer_printf(&w, "%s\"%05d\"%s", i == 0 ? "{" : ",", i, entry);
    tri_writer_printf(&w, "}");
    tri_writer_close(&w);
    tr_load_safetensors("x", &list);
    expect_error(TR_ERR_FILE, "x: 8193 tensors are more than the 8192 allowed");

    write_safetensors("x", "{\"a\0\":1}", 8, 0);
    tr_load_safetensors("x", &list);
    expect_error(TR_ERR_FILE, "x: byte 11: a control character in a string");
    write_safetensors("x", "{}\0", 3, 0);
    tr_load_safetensors("x", &list);
    expect_error(TR_ERR_FILE, "x: byte 10: something follows the value");
}
END_TEST

/* A file cut anywhere is refused; one with a byte changed anywhere in its header is refused or
 * read, but never more than that. */
START_TEST(cut_and_changed)
{
    tr_named_list list = { 0 };
    tr_named_push(&list, "w", tr_arange(TR_F32, 5));
    tr_named_push(&list, "b.\xc3\xa9", tr_arange(TR_I64, 2));
    tr_save_safetensors("x", &list, (const char *const[]){ "k", "v", NULL });
    int64_t count;
    char *bytes = read_all("x", &count);
    for (int64_t cut = 0; cut < count; cut++) {
        write_file("y", bytes, (size_t)cut);
        tr_named_list loaded = { 0 };
        ck_assert_int_eq(tr_load_safetensors("y", &loaded), TR_ERR_FILE);
        ck_assert_int_eq(strncmp(tr_error(), "y: ", 3), 0);
        ck_assert_ptr_null(strchr(tr_error(), '\n'));
        tr_error_clear();
    }
    static const char replacements[] = "\0\"{}[],:0-9.e\\ \xff";
    int refused = 0;
    for (int64_t i = 0; i < count - 36; i++) {
        for (size_t k = 0; k < sizeof replacements; k++) {
            const char before = bytes[i];
            bytes[i] = replacements[k];
            write_file("y", bytes, (size_t)count);
            bytes[i] = before;
            tr_scope *inner = tr_scope_push();
            tr_named_list loaded = { 0 };
            const tr_status status = tr_load_safetensors("y", &loaded);
            ck_assert(status == TR_OK || status == TR_ERR_FILE);
            refused += status != TR_OK;
            tr_error_clear();
            tr_scope_pop(inner);
        }
    }
    ck_assert_int_gt(refused, 1000);
}
END_TEST

/* --- .npy
 * ------------------------------------------------------------------------------------------------
 */

START_TEST(npy_round_trip)
{
    tr_named_list list = samples();
    for (int64_t i = 0; i < list.count; i++) {
        ck_assert_int_eq(tr_save_npy("x.npy", list.items[i].tensor), TR_OK);
        ck_same(tr_load_npy("x.npy"), list.items[i].tensor);
    }
    tr_save_npy("no/where", list.items[0].tensor);
    expect_error(TR_ERR_FILE, "no/where: cannot create the file: No such file or directory");
    tr_save_npy("x", NULL);
    expect_error(TR_ERR_VALUE, "save_npy: the tensor is NULL");
}
END_TEST

/* NumPy's file is read, and written byte for byte the same. */
static void ck_numpy(const unsigned char *bytes, size_t count, tr_tensor *expected, bool same_bytes)
{
    write_file("x.npy", bytes, count);
    tr_tensor *t = tr_load_npy("x.npy");
    expect_ok();
    ck_same(t, expected);
    tr_save_npy("y.npy", expected);
    int64_t size;
    const char *ours = read_all("y.npy", &size);
    if (!same_bytes) return;
    ck_assert_int_eq(size, (int64_t)count);
    ck_assert_int_eq(memcmp(ours, bytes, count), 0);
}

START_TEST(npy_from_numpy)
{
    const float halves[] = { 0, 0.5F, 1, 1.5F, 2, 2.5F };
    const double six[] = { 0, 1, 2, 3, 4, 5 };
    tr_tensor *f4 = tr_from(TR_F32, TR_SHAPE(2, 3), halves);
    tr_tensor *i8 = tr_from(TR_I64, TR_SHAPE(3), (int64_t[]){ -1, 1099511627776, 7 });
    tr_tensor *u1 = tr_from(TR_U8, TR_SHAPE(2, 2, 2), (uint8_t[]){ 0, 1, 2, 3, 4, 5, 6, 7 });
    ck_numpy(npy_f4_2x3, sizeof npy_f4_2x3, f4, true);
    ck_numpy(npy_f8_scalar, sizeof npy_f8_scalar, tr_scalar(TR_F64, -1.25), true);
    ck_numpy(npy_i8_3, sizeof npy_i8_3, i8, true);
    ck_numpy(npy_u1_2x2x2, sizeof npy_u1_2x2x2, u1, true);
    ck_numpy(npy_f4_0x5, sizeof npy_f4_0x5, tr_zeros(TR_F32, TR_SHAPE(0, 5)), true);
    ck_numpy(npy_f8_fortran_2x3, sizeof npy_f8_fortran_2x3, tr_from(TR_F64, TR_SHAPE(2, 3), six),
             false);
    ck_numpy(npy_f4_2x3_version_2, sizeof npy_f4_2x3_version_2, f4, false);

    write_file("x", npy_i2_2, sizeof npy_i2_2);
    ck_assert_ptr_null(tr_load_npy("x"));
    expect_error(TR_ERR_FILE, "x: byte 20: the dtype is not '<f4', '<f8', '<i8' or '|u1'");
    write_file("x", npy_big_endian_2, sizeof npy_big_endian_2);
    ck_assert_ptr_null(tr_load_npy("x"));
    expect_error(TR_ERR_FILE, "x: byte 20: the dtype is not '<f4', '<f8', '<i8' or '|u1'");
}
END_TEST

#define NPY_F4   "{'descr':'<f4','fortran_order':False,"
#define NPY_KEYS "'descr', 'fortran_order' or 'shape'"

/* clang-format off */
static const struct {
    const char *header;
    size_t values;
    const char *message; /* after "x: "; NULL: sound */
} hostile_npy[] = {
    { NPY_F4 "'shape':(2,)}", 8, NULL },
    { "{ 'shape': (2, ), 'descr': '<f4', 'fortran_order': True }  \n", 8, NULL },
    { NPY_F4 "'shape':()}", 4, NULL },
    { "", 0, "byte 10: '{' was expected" },
    { "[]", 0, "byte 10: '{' was expected" },
    { "{", 0, "byte 11: " NPY_KEYS " was expected, each once" },
    { "{}", 0, "byte 12: " NPY_KEYS " is missing" },
    { NPY_F4 "}", 0, "byte 48: " NPY_KEYS " is missing" },
    { NPY_F4 "'shape':(2,)", 8, "byte 59: ',' or '}' was expected" },
    { NPY_F4 "'shape':(2,),'shape':(2,)}", 8, "byte 60: " NPY_KEYS " was expected, each once" },
    { NPY_F4 "'shape':(2,)} x", 8, "byte 61: something follows the header's dictionary" },
    { NPY_F4 "'shape':(2,)}\n\n", 8, "byte 61: something follows the header's dictionary" },
    { NPY_F4 "'shape':(2)}", 8, "byte 57: ',' or ')' was expected" },
    { NPY_F4 "'shape':2}", 8, "byte 55: '(' was expected" },
    { NPY_F4 "'shape':[2]}", 8, "byte 55: '(' was expected" },
    { NPY_F4 "'shape':(-2,)}", 8, "byte 56: a size was expected" },
    { NPY_F4 "'shape':(,)}", 8, "byte 56: a size was expected" },
    { NPY_F4 "'shape':(2.0,)}", 8, "byte 57: ',' or ')' was expected" },
    { NPY_F4 "'shape':(1,1,1,1,1,1,1,1,2)}", 8, "byte 72: more than 8 axes" },
    { NPY_F4 "'shape':(99999999999999999999,)}", 8, "byte 74: a size too large" },
    { NPY_F4 "'shape':(4294967296,4294967296)}", 8, "byte 79: the shape has too many elements" },
    { NPY_F4 "'shape':(0,4294967296,4294967296)}", 0, "byte 81: the shape has too many elements" },
    { NPY_F4 "'shape':(2,)}", 7, "f32[2] takes 8 bytes, but 7 follow the header" },
    { NPY_F4 "'shape':(2,)}", 9, "f32[2] takes 8 bytes, but 9 follow the header" },
    { "{'descr':'<f4','fortran_order':false,'shape':(2,)}", 8,
      "byte 41: True or False was expected" },
    { "{'descr':'<f2','fortran_order':False,'shape':(2,)}", 4,
      "byte 19: the dtype is not '<f4', '<f8', '<i8' or '|u1'" },
    { "{'descr':[('a','<f4')],'fortran_order':False,'shape':(2,)}", 8,
      "byte 19: the dtype is not '<f4', '<f8', '<i8' or '|u1'" },
    { "{'descr':'|O','fortran_order':False,'shape':(2,)}", 8,
      "byte 19: the dtype is not '<f4', '<f8', '<i8' or '|u1'" },
};
/* clang-format on */

static size_t make_npy(char *bytes, const char *header, size_t values)
{
    const size_t length = strlen(header);
    memset(bytes, 0, 512);
    memcpy(bytes, "\x93NUMPY\1\0", 8);
    tri_put_little(bytes + 8, 2, length);
    memcpy(bytes + 10, header, length);
    return 10 + length + values;
}

START_TEST(hostile_npy_files)
{
    char bytes[512], message[512];
    for (size_t i = 0; i < COUNT(hostile_npy); i++) {
        write_file("x", bytes, make_npy(bytes, hostile_npy[i].header, hostile_npy[i].values));
        const tr_tensor *t = tr_load_npy("x");
        if (hostile_npy[i].message == NULL) {
            expect_ok();
            ck_assert_ptr_nonnull(t);
            continue;
        }
        snprintf(message, sizeof message, "x: %s", hostile_npy[i].message);
        expect_error(TR_ERR_FILE, message);
        ck_assert_ptr_null(t);
    }
    const size_t count = make_npy(bytes, NPY_F4 "'shape':(2,)}", 8);
    bytes[6] = 3;
    write_file("x", bytes, count);
    tr_load_npy("x");
    expect_error(TR_ERR_FILE, "x: byte 6: a version other than 1.0 and 2.0");
    bytes[6] = 1;
    bytes[0] = 'N';
    write_file("x", bytes, count);
    tr_load_npy("x");
    expect_error(TR_ERR_FILE, "x: byte 0: no .npy file");
    memcpy(bytes, "\x93NUMPY\2\0\xff\xff\xff\xff", 12);
    write_file("x", bytes, count);
    tr_load_npy("x");
    expect_error(TR_ERR_FILE, "x: byte 12: a header of more than 1048576 bytes");
}
END_TEST

START_TEST(npy_cut)
{
    for (size_t cut = 0; cut < sizeof npy_f4_2x3_version_2; cut++) {
        for (int version = 1; version <= 2; version++) {
            write_file("y", version == 1 ? npy_f4_2x3 : npy_f4_2x3_version_2, cut);
            ck_assert_ptr_null(tr_load_npy("y"));
            ck_assert_int_eq(tr_status_get(), TR_ERR_FILE);
            ck_assert_int_eq(strncmp(tr_error(), "y: ", 3), 0);
            tr_error_clear();
        }
    }
}
END_TEST

/* What a load leaves behind is what it loaded: the file's bytes go with its own scope. */
START_TEST(memory)
{
    tr_named_list list = { 0 }, loaded = { 0 };
    tr_named_push(&list, "w", tr_zeros(TR_F32, TR_SHAPE(1000000)));
    tr_save_safetensors("x", &list, NULL);
    tr_save_npy("x.npy", list.items[0].tensor);
    const int64_t before = tr_memory().live_bytes;
    tr_load_safetensors("x", &loaded);
    tr_tensor *t = tr_load_npy("x.npy");
    ck_assert_ptr_nonnull(t);
    ck_assert_int_lt(tr_memory().live_bytes - before, 9500000);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { round_trip },
        { byte_order },
        { exact_bytes },
        { metadata },
        { many_tensors },
        { save_errors },
        { full_disk },
        { out_of_memory },
        { hostile_safetensors },
        { header_lengths },
        { bombs },
        { cut_and_changed },
        { npy_round_trip },
        { npy_from_numpy },
        { hostile_npy_files },
        { npy_cut },
        { memory },
        { 0 },
    };
    return run_tests("files", setup, teardown, tests);
}
