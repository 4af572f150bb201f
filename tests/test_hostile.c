/* test_hostile.c: runs whose files a stranger wrote. A small run is trained, then one thing in its
 * checkpoint or its weights is changed and the run is resumed or opened for use: each change is
 * refused in one line that names the file and the tensor or the byte. The changes are to the
 * header, whose length is set to fit; then every file is cut at every byte. See also test_files.c
 * and fuzz/targets.c. */
#include "tests/files.h"
#include "train/run.h"
#include "tests/suite.h"

#include <math.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char checkpoint[] = "run/checkpoint/checkpoint.safetensors";
static const char weights[] = "run/model.safetensors", config[] = "run/config.json";

static tr_scope   *scope;

/* --- The run ---------------------------------------------------------------------------------- */

static void train(void)
{
    static const float pixels[] = { 0, 0.25F, 0.5F, 1 };
    tr_save_npy("x.npy", tr_from(TR_F32, TR_SHAPE(4, 1, 1), pixels));
    tr_dataset  *data = tr_dataset_open("npy:x.npy", &(tr_dataset_options){ .test_fraction = 0.5 });
    tr_settings *s = tr_settings_new(tr_model_find("undercomplete")->options);
    tr_settings_set(s, "latent", "1");
    tr_model *m = tr_model_new(tr_model_find("undercomplete"), s, TR_SHAPE(1, 1, 1), 0, 7);
    tr_run   *run = tr_run_new("run", m, data, &(tr_train_options){ .epochs = 3, .early_stop = 2 });
    tr_run_train(run, NULL);
    ck_assert_msg(tr_error() == NULL, "%s", tr_error());
}

static void setup(void)
{
    enter_folder();
    tr_set_threads(1);
    scope = tr_scope_push();
    train();
    tr_scope_pop(scope);
    scope = tr_scope_push();
}

static void teardown(void)
{
    tr_error_clear();
    tr_scope_pop(scope);
    leave_folder();
}

static char *read_all(const char *path, int64_t *count)
{
    char *bytes = tri_read_file(path, 1 << 20, count);
    ck_assert_msg(bytes != NULL, "%s", tr_error());
    return bytes;
}

/* Opens the run as `train --resume` does, or as `eval` does. */
static tr_run *open_run(bool resume)
{
    return tr_run_open("run", NULL, resume ? TR_OPEN_RESUME : TR_OPEN_WEIGHTS);
}

/* The run is refused with exactly this message, which begins with the file. */
static void ck_refused(bool resume, const char *file, const char *message)
{
    char      expected[600];
    tr_scope *inner = tr_scope_push();
    snprintf(expected, sizeof expected, "%s: %s", file, message);
    ck_assert_ptr_null(open_run(resume));
    ck_assert_str_eq(tr_error(), expected);
    tr_error_clear();
    tr_scope_pop(inner);
}

/* --- Changed headers -------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    char file; /* c: the checkpoint, w: the weights */
    const char *find, *replace, *message;
} changes[] = {
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[4194305,4194305,211106198978564],\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": its shape has too many elements" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[4294967296,4294967296],\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": its shape has too many elements" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[9223372036854775807],\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": its shape has too many elements" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[0,9223372036854775807,2],\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": its shape has too many elements" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[-1,-1],\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": its shape is no list of sizes" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": its shape has more than 8 axes" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[1.0,1],\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": its shape is no list of sizes" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[1e0,1],\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": its shape is no list of sizes" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[1],\"data_offsets\":[688,692]",
      "tensor \"encoder.0.weight\" is f32[1], the model needs f32[1, 1]" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[1,2],\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": f32[1, 2] takes 8 bytes, its data_offsets give it 4" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[],\"data_offsets\":[688,692]",
      "tensor \"encoder.0.weight\" is f32[], the model needs f32[1, 1]" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[1,null],\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": its shape is no list of sizes" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":{\"0\":1},\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": its shape is no list of sizes" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":\"1,1\",\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": its shape is no list of sizes" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[[1,1]],\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": its shape is no list of sizes" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[1,1,\"data_offsets\":[688,692]",
      "byte 148: ',' or ']' was expected" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[0,1],\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": f32[0, 1] takes 0 bytes, its data_offsets give it 4" },
    { 'c', "\"shape\":[1,1],\"data_offsets\":[688,692]",
      "\"shape\":[99999999999999999999,1],\"data_offsets\":[688,692]",
      "tensor \"model.encoder.0.weight\": its shape is no list of sizes" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":[692,688]",
      "tensor \"model.encoder.0.weight\": its data_offsets are reversed" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":[684,688]",
      "tensor \"model.encoder.0.weight\": its values overlap those of another tensor" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":[688,696]",
      "tensor \"model.encoder.0.weight\": f32[1, 1] takes 4 bytes, its data_offsets give it 8" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":[0,4]",
      "tensor \"adam.lr\": its values overlap those of another tensor" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":[688,9223372036854775807]",
      "tensor \"model.encoder.0.weight\": it ends beyond the end of the file" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":[-4,0]",
      "tensor \"model.encoder.0.weight\": its data_offsets are no two sizes" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":[812,820]",
      "tensor \"model.encoder.0.weight\": it ends beyond the end of the file" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":[688]",
      "tensor \"model.encoder.0.weight\": its data_offsets are no two sizes" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":[688,692,692]",
      "tensor \"model.encoder.0.weight\": its data_offsets are no two sizes" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":[688,692.0]",
      "tensor \"model.encoder.0.weight\": its data_offsets are no two sizes" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":[1e2,1e3]",
      "tensor \"model.encoder.0.weight\": its data_offsets are no two sizes" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":[692,696]",
      "tensor \"model.encoder.0.bias\": its values leave a hole before them" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":null",
      "tensor \"model.encoder.0.weight\": its data_offsets are no two sizes" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":\"688,692\"",
      "tensor \"model.encoder.0.weight\": its data_offsets are no two sizes" },
    { 'c', "\"data_offsets\":[688,692]",
      "\"data_offsets\":[690,694]",
      "tensor \"model.encoder.0.weight\": its values leave a hole before them" },
    { 'c', "\"model.encoder.0.weight\":{\"dtype\":\"F32\"",
      "\"model.encoder.0.weight\":{\"dtype\":\"F64\"",
      "tensor \"model.encoder.0.weight\": f64[1, 1] takes 8 bytes, its data_offsets give it 4" },
    { 'c', "\"model.encoder.0.weight\":{\"dtype\":\"F32\"",
      "\"model.encoder.0.weight\":{\"dtype\":\"I64\"",
      "tensor \"model.encoder.0.weight\": i64[1, 1] takes 8 bytes, its data_offsets give it 4" },
    { 'c', "\"model.encoder.0.weight\":{\"dtype\":\"F32\"",
      "\"model.encoder.0.weight\":{\"dtype\":\"U8\"",
      "tensor \"model.encoder.0.weight\": u8[1, 1] takes 1 bytes, its data_offsets give it 4" },
    { 'c', "\"model.encoder.0.weight\":{\"dtype\":\"F32\"",
      "\"model.encoder.0.weight\":{\"dtype\":\"BF16\"",
      "tensor \"model.encoder.0.weight\": its dtype is BF16; F32, F64, I64 and U8 can be read" },
    { 'c', "\"model.encoder.0.weight\":{\"dtype\":\"F32\"",
      "\"model.encoder.0.weight\":{\"dtype\":\"F16\"",
      "tensor \"model.encoder.0.weight\": its dtype is F16; F32, F64, I64 and U8 can be read" },
    { 'c', "\"model.encoder.0.weight\":{\"dtype\":\"F32\"",
      "\"model.encoder.0.weight\":{\"dtype\":\"f32\"",
      "tensor \"model.encoder.0.weight\": its dtype is f32; F32, F64, I64 and U8 can be read" },
    { 'c', "\"model.encoder.0.weight\":{\"dtype\":\"F32\"",
      "\"model.encoder.0.weight\":{\"dtype\":\"\"",
      "tensor \"model.encoder.0.weight\": its dtype is ; F32, F64, I64 and U8 can be read" },
    { 'c', "\"model.encoder.0.weight\":{\"dtype\":\"F32\"",
      "\"model.encoder.0.weight\":{\"dtype\":null",
      "tensor \"model.encoder.0.weight\": its dtype is missing or no string" },
    { 'c', "\"model.encoder.0.weight\":{\"dtype\":\"F32\"",
      "\"model.encoder.0.weight\":{\"dtype\":32",
      "tensor \"model.encoder.0.weight\": its dtype is missing or no string" },
    { 'c', "\"model.encoder.0.weight\":{\"dtype\":\"F32\"",
      "\"model.encoder.0.weight\":{\"dtype\":\"F32\\u0000\"",
      "byte 119: a zero byte in a string" },
    { 'c', "\"model.encoder.0.weight\":{\"dtype\":\"F32\"",
      "\"model.encoder.0.weight\":{\"dtype\":\"F32\\n\"",
      "tensor \"model.encoder.0.weight\": its dtype is F32?; F32, F64, I64 and U8 can be read" },
    { 'c', "\"model.encoder.0.bias\"",
      "\"model.encoder.0.weight\"",
      "byte 186: the key \"model.encoder.0.weight\" is named twice" },
    { 'c', "\"model.encoder.0.bias\"",
      "\"model.encoder.0.biaz\"",
      "tensor \"encoder.0.bias\" is missing; the model needs f32[1]" },
    { 'c', "\"best.encoder.0.weight\"",
      "\"best.encoder.1.weight\"",
      "tensor \"encoder.0.weight\" is missing; the model needs f32[1, 1]" },
    { 'c', "\"adam.lr\"", "\"adam.rl\"", "adam: the saved state has no adam.lr" },
    { 'c', "\"adam.m.encoder.0.weight\"",
      "\"adam.w.encoder.0.weight\"",
      "adam: the saved state has no adam.m.encoder.0.weight" },
    { 'c', "\"adam.lr\":{\"dtype\":\"F64\"",
      "\"adam.lr\":{\"dtype\":\"I64\"",
      "adam: the saved adam.lr is i64[]; f64[] was expected" },
    { 'c', "\"adam.step.encoder.0.bias\":{\"dtype\":\"I64\"",
      "\"adam.step.encoder.0.bias\":{\"dtype\":\"F64\"",
      "adam: the saved adam.step.encoder.0.bias is f64[]; i64[] was expected" },
    { 'c', "\"adam.m.encoder.0.weight\":{\"dtype\":\"F32\",\"shape\":[1,1]",
      "\"adam.m.encoder.0.weight\":{\"dtype\":\"F32\",\"shape\":[1]",
      "adam: the saved adam.m.encoder.0.weight is f32[1]; f32[1, 1] was expected" },
    { 'c', "\"training.place\"",
      "\"training.plaice\"",
      "training.place is missing; it is no checkpoint of this version: train again" },
    { 'c', "\"training.place\":{\"dtype\":\"I64\",\"shape\":[3]",
      "\"training.place\":{\"dtype\":\"F64\",\"shape\":[3]",
      "training.place is of another kind or size; it is no checkpoint of this version: train again"
      "" },
    { 'c', "\"training.place\":{\"dtype\":\"I64\",\"shape\":[3]",
      "\"training.place\":{\"dtype\":\"I64\",\"shape\":[3,1]",
      "training.place is of another kind or size; it is no checkpoint of this version: train again"
      "" },
    { 'c', "\"training.meter\":{\"dtype\":\"F64\",\"shape\":[12]",
      "\"training.meter\":{\"dtype\":\"F64\",\"shape\":[6,2]",
      "training.meter is of another kind or size; it is no checkpoint of this version: train again"
      "" },
    { 'c', "\"training.metrics\":{\"dtype\":\"U8\",\"shape\":[2,32]",
      "\"training.metrics\":{\"dtype\":\"U8\",\"shape\":[32,2]",
      "training.metrics is of another kind or size; it is no checkpoint of this version: train aga"
      "in" },
    { 'c', "\"training.metrics\":{\"dtype\":\"U8\",\"shape\":[2,32]",
      "\"training.metrics\":{\"dtype\":\"U8\",\"shape\":[64]",
      "training.metrics is of another kind or size; it is no checkpoint of this version: train aga"
      "in" },
    { 'c', "\"training.log\":{\"dtype\":\"F64\",\"shape\":[3,22]",
      "\"training.log\":{\"dtype\":\"F64\",\"shape\":[22,3]",
      "training.log is of another kind or size; it is no checkpoint of this version: train again" },
    { 'c', "\"training.log\":{\"dtype\":\"F64\",\"shape\":[3,22]",
      "\"training.log\":{\"dtype\":\"F64\",\"shape\":[66,1]",
      "training.log is of another kind or size; it is no checkpoint of this version: train again" },
    { 'c', "{\"__metadata__\":{\"format\":\"tenrec checkpoint 1\"",
      "{\"__metadata__\":{\"format\":1",
      "__metadata__ must map strings to strings" },
    { 'c', "{\"__metadata__\":{\"format\":\"tenrec checkpoint 1\"",
      "{\"__metadata__\":{\"format\":\"\\ud800\"",
      "byte 35: half of a surrogate pair" },
    { 'c', "\"model\":\"undercomplete\"}",
      "\"model\":\"undercomplete\",\"model\":\"vae\"}",
      "byte 88: the key \"model\" is named twice" },
    { 'c', "\"model\":\"undercomplete\"}",
      "\"model\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]"
      "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
      "byte 126: values are nested more than 64 deep" },
    { 'c', "{\"__metadata__\"", "[{\"__metadata__\"", "byte 8: a header begins with '{'" },
    { 'c', "{\"__metadata__\"", "{__metadata__\"", "byte 9: a string was expected" },
    { 'c', "\"training.log\":{",
      "\"training.log\":{\"more\":1,",
      "tensor \"training.log\": an object with dtype, shape and data_offsets was expected" },
    { 'c', "\"training.log\":{\"dtype\":\"F64\",",
      "\"training.log\":{",
      "tensor \"training.log\": an object with dtype, shape and data_offsets was expected" },
    { 'c', "},\"model.encoder.0.weight\"",
      "},,\"model.encoder.0.weight\"",
      "byte 81: a string was expected" },
    { 'c', "\"dtype\":\"F32\"", "'dtype':'F32'", "byte 107: a string was expected" },
    { 'c', "\"dtype\":\"F32\"", "\"dtype\":NaN", "byte 115: a value was expected" },
    { 'w', "\"encoder.0.weight\"",
      "\"encoder.0.wait\"",
      "tensor \"encoder.0.weight\" is missing; the model needs f32[1, 1]" },
    { 'w', "\"encoder.0.weight\":{\"dtype\":\"F32\",\"shape\":[1,1]",
      "\"encoder.0.weight\":{\"dtype\":\"F32\",\"shape\":[1]",
      "tensor \"encoder.0.weight\" is f32[1], the model needs f32[1, 1]" },
    { 'w', "\"decoder.0.bias\"",
      "\"decoder.0.weight\"",
      "byte 304: the key \"decoder.0.weight\" is named twice" },
    { 'w', "\"data_offsets\":[0,4]",
      "\"data_offsets\":[4,0]",
      "tensor \"encoder.0.weight\": its data_offsets are reversed" },
    { 'w', "\"data_offsets\":[0,4]",
      "\"data_offsets\":[4,8]",
      "tensor \"encoder.0.bias\": its values leave a hole before them" },
    { 'w', "\"shape\":[1,1],\"data_offsets\":[0,4]",
      "\"shape\":[4194305,4194305,211106198978564],\"data_offsets\":[0,4]",
      "tensor \"encoder.0.weight\": its shape has too many elements" },
    { 'w', "\"dtype\":\"F32\"",
      "\"dtype\":\"F64\"",
      "tensor \"encoder.0.weight\": f64[1, 1] takes 8 bytes, its data_offsets give it 4" },
    { 'w', "{",
      "{\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},",
      "tensor \"x\" is unknown to the model" },
};
/* clang-format on */

/* Writes the file with the first `find` of its header replaced. */
static void change(const char *path, const char *bytes, int64_t count, const char *find,
                   const char *replace)
{
    const char *at = memmem(bytes + 8, (size_t)count - 8, find, strlen(find));
    ck_assert_msg(at != NULL, "no %s in %s", find, path);
    const size_t before = (size_t)(at - bytes), rest = (size_t)count - before - strlen(find);
    char        *out = tr_scope_alloc((size_t)count + strlen(replace) + 1);
    uint64_t     length = 0; /* of the header, the low byte first */
    memcpy(out, bytes, before);
    memcpy(out + before, replace, strlen(replace));
    memcpy(out + before + strlen(replace), at + strlen(find), rest);
    for (int i = 0; i < 8; i++) length |= (uint64_t)(uint8_t)bytes[i] << 8 * i;
    length = length + strlen(replace) - strlen(find);
    for (int i = 0; i < 8; i++) out[i] = (char)(length >> 8 * i);
    write_file(path, out, before + strlen(replace) + rest);
}

START_TEST(changed_headers)
{
    ck_assert_int_ge(COUNT(changes), 60);
    int64_t     counts[2];
    const char *sound[2] = { read_all(checkpoint, &counts[0]), read_all(weights, &counts[1]) };
    for (size_t i = 0; i < COUNT(changes); i++) {
        const int   k = changes[i].file == 'w';
        const char *path = k == 0 ? checkpoint : weights;
        change(path, sound[k], counts[k], changes[i].find, changes[i].replace);
        ck_refused(k == 0, path, changes[i].message);
        write_file(path, sound[k], (size_t)counts[k]);
    }
    ck_assert_ptr_nonnull(open_run(false)); /* what was changed is sound */
    ck_assert_ptr_nonnull(open_run(true));
}
END_TEST

/* --- Cut files -------------------------------------------------------------------------------- */

static void ck_cut(bool resume, const char *path)
{
    int64_t     count;
    const char *bytes = read_all(path, &count);
    for (int64_t cut = 0; cut + 2 < count; cut++) { /* a text may lose its last line end */
        tr_scope *inner = tr_scope_push();
        write_file(path, bytes, (size_t)cut);
        ck_assert_msg(open_run(resume) == NULL, "%s cut to %lld", path, (long long)cut);
        ck_assert_int_eq(strncmp(tr_error(), path, strlen(path)), 0);
        ck_assert_ptr_null(strchr(tr_error(), '\n'));
        tr_error_clear();
        tr_scope_pop(inner);
    }
    write_file(path, bytes, (size_t)count);
}

START_TEST(cut_at_every_byte)
{
    ck_cut(true, checkpoint);
    ck_cut(false, weights);
    ck_cut(false, config);
}
END_TEST

/* --- Values that cannot be -------------------------------------------------------------------- */

static void ck_value(const char *tensor, const void *value, size_t bytes, const char *message)
{
    tr_named_list list = { 0 };
    int64_t       count;
    const char   *sound = read_all(checkpoint, &count);
    tr_load_safetensors(checkpoint, &list);
    tr_tensor *t = tr_named_find(&list, tensor);
    ck_assert_ptr_nonnull(t);
    memcpy(t->data, value, bytes);
    tr_save_safetensors(checkpoint, &list, NULL);
    ck_refused(true, checkpoint, message);
    write_file(checkpoint, sound, (size_t)count);
}

START_TEST(values_that_cannot_be)
{
    const double  nan = (double)NAN, negative = -1;
    const int64_t place[] = { 4, 0, 1 }, back[] = { 3, -1, 1 }, minus = -7;
    const char   *wrong = "the place in the training does not fit the log: train again";
    ck_value("training.place", place, sizeof place, wrong);
    ck_value("training.place", back, sizeof back, wrong);
    ck_value("adam.lr", &nan, 8, "adam: the saved adam.lr is nan");
    ck_value("adam.lr", &negative, 8, "adam: the saved adam.lr is -1");
    ck_value("adam.step.encoder.0.bias", &minus, 8,
             "adam: the saved adam.step.encoder.0.bias is -7");
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { changed_headers },
        { cut_at_every_byte },
        { values_that_cannot_be },
        { 0 },
    };
    return run_tests("hostile", setup, teardown, tests);
}
