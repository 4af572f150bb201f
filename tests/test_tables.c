/* Tables: from text to values and back, hostile files, what a run keeps of a table, and losses that
 * count known values only. */
#include "tests/files.h"
#include "train/train.h"
#include "tests/suite.h"

#include <math.h>

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

static tr_dataset *open_with(const char *spec, tr_dataset_options options)
{
    tr_dataset *d = tr_dataset_open(spec, &options);
    ck_assert_msg(d != NULL, "%s", tr_error());
    return d;
}

static tr_dataset *open_table(const char *text, const char *options)
{
    char spec[200];
    write_text("t.csv", text);
    snprintf(spec, sizeof spec, "csv:t.csv%s", options);
    return open_with(spec, (tr_dataset_options){ .test_fraction = 0.25 });
}

static void refuses_spec(const char *spec, const tr_dataset_options *options, const char *message)
{
    ck_assert_ptr_null(tr_dataset_open(spec, options));
    ck_assert_str_eq(tr_error(), message);
    tr_error_clear();
}

static void refuses(const char *text, const char *message)
{
    write_text("t.csv", text);
    refuses_spec("csv:t.csv", NULL, message);
}

/* Row i of the file, which is a test row where it is the last of four. */
static tr_batch row_of(const tr_dataset *d, int64_t i)
{
    tr_batch            b;
    const tr_data_split split = (i + 1) % 4 == 0 ? TR_TEST : TR_TRAIN;
    const int64_t       at = split == TR_TEST ? i / 4 : i - i / 4;
    ck_assert_int_eq(tr_dataset_row(d, split, at), i);
    ck_assert_int_eq(tr_dataset_read(d, split, at, at + 1, &b), TR_OK);
    return b;
}

static void check_row(const tr_dataset *d, int64_t i, const double *x, const double *known)
{
    const tr_batch b = row_of(d, i);
    for (int64_t k = 0; k < d->width; k++) {
        const double got = (double)((float *)b.x->data)[k];
        ck_assert_msg(fabs(got - x[k]) < 1e-6, "row %d, value %d: %g, not %g", (int)i, (int)k, got,
                      x[k]);
        const bool there = b.known == NULL || ((float *)b.known->data)[k] == 1;
        ck_assert_msg(there == (known == NULL || known[k] == 1), "row %d, value %d", (int)i,
                      (int)k);
    }
}

/* --- Values ----------------------------------------------------------------------------------- */

START_TEST(numbers)
{
    const tr_dataset *d = open_table(
        "size,weight,same\r\n0, -1.5e1 ,7\r\n5,15,7\r\n10,+.5E+1,7\r\n2.5,0,8\r\n\n", "");
    const double expected[4][3] = {
        { 0, 0, 0 }, { 0.5, 1, 0 }, { 1, 20 / 30.0, 0 }, { 0.25, 0.5, 1 }
    };
    ck_assert_int_eq(d->count[TR_TRAIN], 3);
    ck_assert_int_eq(d->count[TR_TEST], 1);
    ck_assert_int_eq(d->width, 3);
    ck_assert_int_eq(d->height * d->channels, 1);
    ck_assert(!d->has_missing);
    for (int i = 0; i < 4; i++) check_row(d, i, expected[i], NULL);
    d = open_table("1;2\n3;4\n", ""); /* no header */
    ck_assert_int_eq(d->count[TR_TRAIN], 2);
    ck_assert_str_eq(d->table->column[1].name, "c2");
    d = open_table("1\t2\t\n3\t4\t5\n", "");
    ck_assert_int_eq(d->width, 3);
}
END_TEST

/* Categories in order, numbers first; 2/3 of the known colours of training rows are red. */
START_TEST(categories_and_missing)
{
    const tr_dataset *d = open_table("colour,age,code\n"
                                     "red,10,7\nblue,?,10\n,20,x\ngreen,40,y\nred,NaN,x\n",
                                     "");
    const double      third = 1 / 3.0;
    ck_assert_int_eq(d->width, 6);
    ck_assert(d->has_missing);
    check_row(d, 0, (double[]){ 0, 1, 0, 1, 0, 0 }, (double[]){ 1, 1, 1, 1, 1, 1 });
    check_row(d, 1, (double[]){ 1, 0, 0.5, 0, 1, 0 }, (double[]){ 1, 1, 0, 1, 1, 1 });
    check_row(d, 2, (double[]){ third, 2 * third, 1, 0, 0, 1 }, (double[]){ 0, 0, 1, 1, 1, 1 });
    check_row(d, 3, (double[]){ 0, 0, 3, 0, 0, 0 }, (double[]){ 1, 1, 1, 1, 1, 1 });
    check_row(d, 4, (double[]){ 0, 1, 0.5, 0, 0, 1 }, (double[]){ 1, 1, 0, 1, 1, 1 });
    const tr_column *code = &d->table->column[2];
    ck_assert_int_eq(code->kind, TR_COLUMN_CATEGORY);
    ck_assert_str_eq(code->category[0], "7");
    ck_assert_str_eq(code->category[1], "10");
    ck_assert_double_eq_tol(code->share[2], 0.5, 1e-12);
    ck_assert_double_eq_tol(d->table->column[1].mean, 15, 1e-12);
    ck_assert_double_eq_tol(d->table->column[1].missing, 0.4, 1e-12);
    char        text[32];
    const float x[] = { 0.2f, 0.1f, 2.5f, 0, 0, 1 };
    ck_assert_str_eq(tr_column_text(&d->table->column[0], x, text), "blue");
    ck_assert_str_eq(tr_column_text(&d->table->column[1], x, text), "35");
    ck_assert_str_eq(tr_column_text(code, x, text), "x");
}
END_TEST

START_TEST(labels_and_options)
{
    const char *text = "id,kind,zip,v\n1,ok,10,1\n2,bad,9,2\n3,ok,10,3\n4,odd,9,4\n5,ok,9,9\n";
    const tr_dataset *d = open_table(text, ",label=kind,drop=id,category=zip");
    ck_assert_int_eq(d->classes, 3);
    ck_assert_str_eq(d->class_names[1], "odd");
    ck_assert_int_eq(d->width, 3);
    ck_assert_str_eq(d->table->column[2].category[0], "9");
    ck_assert_int_eq(d->table->column[0].kind, TR_COLUMN_LEFT_OUT);
    const int64_t expected[] = { 2, 0, 2, 2 };
    ck_assert_mem_eq(tr_dataset_labels(d, TR_TRAIN, 0, 4)->data, expected, sizeof expected);
    check_row(d, 4, (double[]){ 1, 0, 1 }, NULL);
    /* Scales are those of the rows that are trained on. */
    d = open_with("csv:t.csv,label=kind",
                  (tr_dataset_options){ .classes = "bad,odd", .test_fraction = 0.2 });
    ck_assert_int_eq(d->count[TR_TRAIN], 2);
    ck_assert_double_eq(d->table->column[3].high, 4);
    refuses_spec("csv:t.csv,label=class", NULL, "t.csv: has no column \"class\"");
}
END_TEST

START_TEST(quotes)
{
    const tr_dataset *d = open_table("\xEF\xBB\xBF\"a, b\",\"say \"\"hi\"\"\"\r\n"
                                     "\"x\ny\",1\r\n \"x\ny\" ,2\r\n5\" pipe,3\r\n",
                                     "");
    ck_assert_str_eq(d->table->column[0].name, "a, b");
    ck_assert_str_eq(d->table->column[1].name, "say \"hi\"");
    ck_assert_int_eq(d->table->column[0].categories, 2);
    ck_assert_str_eq(d->table->column[0].category[0], "5\" pipe");
    ck_assert_str_eq(d->table->column[0].category[1], "x\ny");
}
END_TEST

/* --- Hostile files ---------------------------------------------------------------------------- */

START_TEST(broken)
{
    refuses_spec("csv", NULL, "csv: which file? expected csv:FILE");
    refuses("", "t.csv: has no row of data");
    refuses("\xEF\xBB\xBF\r\n\r\n", "t.csv: has no row of data");
    refuses("a,b\n", "t.csv: has no row of data");
    refuses("a,b\n1,2\n3,4\n5,four\n",
            "t.csv: line 4, column \"b\": \"four\" is not a number, as most of the "
            "column are; ,category=b behind the file's name takes all as names");
    refuses("1,2\n300\n", "t.csv: line 2 has 1 columns, the first has 2");
    refuses("1,2\n3,4,5\n", "t.csv: line 2 has more than 2 columns, as many as the first has");
    refuses("1,2,3,4\n1\n2\n3\n4\n5\n", "t.csv: line 2 has 1 columns, the first has 4");
    refuses("a,b\n\n\"x\ny\",1\n\"z,1\n", "t.csv: line 5: a cell begins with \" and has no other");
    refuses("a,b\n\"x\"y,1\n", "t.csv: line 2: \"y,1\" follows a cell in quotes");
    refuses("a,b,a\n1,2,3\n", "t.csv: two columns have the name \"a\"");
    refuses("a,b\n?,NA\n,nan\n", "t.csv: its columns make 0 values for a row; 1 to 65536 can be "
                                 "learned from");
    refuses("a,b\n1,caf\xE9\n2,x\n",
            "t.csv: line 2 is not in UTF-8; iconv -t utf-8 converts files");
    write_file("t.csv", "1,2\n3\0,4\n", 10);
    refuses_spec("csv:t.csv", NULL, "t.csv: is no text: byte 5 is 0");
    write_text("t.csv", "a,b\n1,x\n2,\n");
    refuses_spec("csv:t.csv,label=b", NULL, "t.csv: line 3 has no label in column \"b\"");
}
END_TEST

/* One column; a column without values; one that never changes; numbers as large as they come. */
START_TEST(odd_columns)
{
    const tr_dataset *d = open_table("a\n1\n\n3\n", "");
    ck_assert_int_eq(d->width, 1);
    ck_assert_int_eq(d->count[TR_TRAIN], 2);
    d = open_table("a,b,c\n1,,5\n2,?,5\n3,NA,5\n", "");
    ck_assert_int_eq(d->width, 2);
    ck_assert_int_eq(d->table->column[1].kind, TR_COLUMN_LEFT_OUT);
    check_row(d, 1, (double[]){ 0.5, 0 }, NULL);
    d = open_table("a,b\n-1e300,0\n1e300,1\n0,2e-308\n-1e300,1e300\n1e-999,1\n", "");
    check_row(d, 1, (double[]){ 1, 1 }, NULL);
    check_row(d, 2, (double[]){ 0.5, 0 }, NULL);
    check_row(d, 3, (double[]){ 0, 1e6 }, NULL); /* of the test part, far outside */
    refuses("a,b\n1,2\n2,1\n3,1e301\n",
            "t.csv: line 4, column \"b\": \"1e301\" is not a number, as most of the column are; "
            ",category=b behind the file's name takes all as names");
}
END_TEST

START_TEST(wide)
{
    enum { COLUMNS = 1000000 };
    char *text = malloc(2 * COLUMNS + 2);
    ck_assert_ptr_nonnull(text);
    for (int c = 0; c < COLUMNS; c++) memcpy(text + 2 * c, c + 1 < COLUMNS ? "1," : "1\n", 2);
    write_file("t.csv", text, 2 * COLUMNS);
    refuses_spec("csv:t.csv", NULL, "t.csv: has 1000000 columns; at most 65536 are taken");
    text[2 * 60000 - 1] = '\n';
    write_file("t.csv", text, 2 * 60000);
    ck_assert_int_eq(open_with("csv:t.csv", (tr_dataset_options){ 0 })->width, 60000);
    /* 101 names are too many for categories. */
    char *at = text + sprintf(text, "name,v\n");
    for (int i = 0; i < 113; i++) at += sprintf(at, "n%d,%d\n", i, i);
    write_text("t.csv", text);
    const tr_dataset *d = open_with("csv:t.csv", (tr_dataset_options){ 0 });
    ck_assert_int_eq(d->count[TR_TRAIN], 102);
    ck_assert_int_eq(d->table->column[0].kind, TR_COLUMN_LEFT_OUT);
    ck_assert_int_eq(d->width, 1);
    free(text);
}
END_TEST

/* Files cut off anywhere, and with any byte changed, are read or refused in one line. */
START_TEST(mutations)
{
    const char *text = "\"a\",b,c\n1,\"x,\"\"y\",?\n2.5e1,z,4\r\n,z,5\n";
    char        copy[64];
    const int   length = (int)strlen(text);
    for (int i = 0; i < length; i++) {
        for (int k = 0; k < 9; k++) {
            memcpy(copy, text, (size_t)length + 1);
            copy[i] = "\",\n\r1e? \xEF"[k];
            write_file("t.csv", copy, (size_t)(k == 0 ? i : length));
            tr_scope *scope = tr_scope_push();
            if (tr_dataset_open("csv:t.csv", NULL) == NULL) {
                ck_assert_ptr_nonnull(tr_error());
                ck_assert_int_ne(tr_status_get(), TR_ERR_MEMORY);
            }
            tr_error_clear();
            tr_scope_pop(scope);
        }
    }
}
END_TEST

/* --- Another file, read alike ----------------------------------------------------------------- */

START_TEST(adopted)
{
    const tr_dataset *first = open_table("age,colour,id,class\n10,red,a,ok\n20,blue,b,ok\n"
                                         "30,red,c,bad\n20,red,d,ok\n",
                                         ",label=class,drop=id");
    ck_assert_int_eq(tr_table_save(first->table, "table.json"), TR_OK);
    const tr_table *table = tr_table_load("table.json");
    ck_assert_msg(table != NULL, "%s", tr_error());
    const tr_dataset_options as = { .table = table, .test_fraction = 1 };
    write_text("u.csv", "colour,age,class\nblue,40,new\ngreen,,ok\n");
    const tr_dataset *d = open_with("csv:u.csv", as);
    ck_assert_int_eq(d->count[TR_TRAIN], 0);
    ck_assert_int_eq(d->count[TR_TEST], 2);
    tr_batch b;
    ck_assert_int_eq(tr_dataset_read(d, TR_TEST, 0, 2, &b), TR_OK);
    const float x[] = { 1.5f, 1, 0, 0.5f, 0, 0 }, known[] = { 1, 1, 1, 0, 1, 1 };
    ck_assert_mem_eq(b.x->data, x, sizeof x);
    ck_assert_mem_eq(b.known->data, known, sizeof known);
    const int64_t labels[] = { 2, 1 };
    ck_assert_mem_eq(b.labels->data, labels, sizeof labels);
    ck_assert_str_eq(d->class_names[2], "new");
    write_text("u.csv", "colour,age\nblue,x\n");
    refuses_spec("csv:u.csv", &as,
                 "u.csv: line 2, column \"age\": \"x\" is not a number, as in training");
    write_text("u.csv", "colour,years\nblue,1\n");
    refuses_spec("csv:u.csv", &as,
                 "u.csv: has no column \"age\", which the table that was trained on has");
    write_text("u.csv", "colour,age,more\nblue,1,1\n");
    refuses_spec("csv:u.csv", &as,
                 "u.csv: column \"more\" is not in the table that was trained on; ,drop=NAME "
                 "behind the file's name leaves it out");
    ck_assert_int_eq(open_with("csv:u.csv,drop=more", as)->width, 3);
}
END_TEST

START_TEST(damaged_json)
{
    static const char *const bad[] = {
        "[]",
        "{",
        "{\"format\": 2, \"columns\": []}",
        "{\"format\": 1, \"columns\": []}",
        "{\"format\": 1, \"columns\": [7]}",
        "{\"format\": 1, \"columns\": [{\"name\": \"a\", \"kind\": \"date\"}]}",
        "{\"format\": 1, \"columns\": [{\"name\": \"a\", \"kind\": \"number\", \"low\": 2, "
        "\"high\": 1, \"mean\": 1}]}",
        "{\"format\": 1, \"columns\": [{\"name\": \"a\", \"kind\": \"category\", \"categories\": "
        "[\"x\", \"y\"], \"shares\": [1]}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_text("table.json", bad[i]);
        ck_assert_ptr_null(tr_table_load("table.json"));
        ck_assert_int_eq(tr_status_get(), TR_ERR_FILE);
        tr_error_clear();
    }
}
END_TEST

/* Known cells stay as they are written, to the letter. */
START_TEST(written_again)
{
    const char      *text = "name;age;colour;note\n\"A; B\";1e1;red;\nC;?;blue;\"say \"\"x\"\"\"\n"
                            "D;30.0;;\n";
    tr_dataset      *d = open_table(text, ",drop=note,drop=name");
    const float      values[] = { 0, 0, 1, 0.75f, 1, 0, 1, 0.4f, 0.6f };
    const tr_tensor *x = tr_from(TR_F32, TR_SHAPE(3, 1, 3, 1), values);
    ck_assert_int_eq(tr_table_write(d, x, "out.csv"), TR_OK);
    char   got[200] = { 0 };
    FILE  *f = fopen("out.csv", "rb");
    size_t n = fread(got, 1, sizeof got - 1, f);
    fclose(f);
    ck_assert_int_gt((int)n, 0);
    ck_assert_str_eq(got, "name;age;colour;note\n\"A; B\";1e1;red;\nC;25;blue;\"say \"\"x\"\"\"\n"
                          "D;30.0;red;\n");
    ck_assert_int_eq(tr_table_write(d, tr_zeros(TR_F32, TR_SHAPE(3, 2)), "out.csv"), TR_ERR_SHAPE);
    tr_error_clear();
}
END_TEST

/* --- Losses of what is known ------------------------------------------------------------------ */

static double loss_of(tr_model *m, tr_tensor *x, tr_tensor *target, tr_tensor *known)
{
    tr_rng     rng = tr_rng_seed(5);
    tr_tensor *labels = tr_zeros(TR_I64, TR_SHAPE(tr_dim(x, 0)));
    tr_model_set_target(m, target, known);
    const tr_terms terms = tr_model_loss(m, x, labels, &rng);
    tr_model_set_target(m, NULL, NULL);
    ck_assert_msg(terms.loss != NULL, "%s: %s", m->type->name, tr_error());
    return tr_item(terms.loss);
}

/* For every model: values that are not known change no loss, whatever the target has there; with
 * all values known it is the plain loss. */
START_TEST(masked_losses)
{
    int                         count;
    const tr_model_type *const *types = tr_model_types(&count);
    tr_rng                      rng = tr_rng_seed(3);
    const tr_shape              shape = TR_SHAPE(6, 16, 16, 1);
    tr_tensor *x = tr_uniform(TR_F32, shape, &rng), *half = tr_full(TR_F32, TR_SCALAR, 0.5);
    tr_tensor *mask = tr_less(tr_uniform(TR_F32, shape, &rng), half);
    tr_tensor *known = tr_cast(mask, TR_F32), *other = tr_uniform(TR_F32, shape, &rng);
    tr_tensor *ones = tr_ones(TR_F32, shape), *none = tr_zeros(TR_F32, shape);
    tr_set_recording(false);
    for (int i = 0; i < count; i++) {
        tr_model *m = tr_model_new(types[i], NULL, TR_SHAPE(16, 16, 1), 2, 1);
        ck_assert_msg(m != NULL, "%s: %s", types[i]->name, tr_error());
        const double plain = loss_of(m, x, NULL, NULL), part = loss_of(m, x, NULL, known);
        ck_assert_double_eq_tol(loss_of(m, x, NULL, ones), plain, 1e-4 * fabs(plain));
        ck_assert_msg(fabs(part - plain) > 1e-7 * fabs(plain), "%s", types[i]->name);
        ck_assert_double_eq(loss_of(m, x, tr_where(mask, x, other), known), part);
        ck_assert_msg(loss_of(m, x, other, NULL) != plain, "%s", types[i]->name);
        ck_assert(isfinite(loss_of(m, x, NULL, none)));
    }
    tr_set_recording(true);
}
END_TEST

/* The plain model's loss against a slow loop: the mean over known values of (y - x)^2. */
START_TEST(masked_mean)
{
    const tr_model_type *type = tr_model_find("undercomplete");
    tr_settings         *s = tr_settings_new(type->options);
    tr_settings_set(s, "loss", "mse");
    tr_settings_set(s, "latent", "3");
    tr_model  *m = tr_model_new(type, s, TR_SHAPE(1, 7, 1), 0, 1);
    tr_rng     rng = tr_rng_seed(8);
    tr_tensor *x = tr_uniform(TR_F32, TR_SHAPE(5, 1, 7, 1), &rng);
    tr_tensor *known = tr_cast(tr_randint(TR_SHAPE(5, 1, 7, 1), 2, &rng), TR_F32);
    double     sum = 0, n = 0;
    tr_set_recording(false);
    const tr_tensor *y = tr_model_reconstruct(m, x);
    for (int i = 0; i < 35; i++) {
        const double k = (double)((float *)known->data)[i];
        sum += k * pow((double)((float *)y->data)[i] - (double)((float *)x->data)[i], 2);
        n += k;
    }
    ck_assert_double_eq_tol(loss_of(m, x, NULL, known), sum / n, 1e-6);
    tr_set_recording(true);
    tr_model_set_target(m, NULL, tr_ones(TR_F32, TR_SHAPE(5, 7)));
    tr_model_loss(m, x, NULL, &rng);
    ck_assert_str_eq(tr_error(), "undercomplete: the mask of known values is f32[5, 7], the batch "
                                 "f32[5, 1, 7, 1]");
    tr_error_clear();
}
END_TEST

/* Noise that hides values puts there what stands for a missing one. */
START_TEST(hidden_by_noise)
{
    const tr_model_type *type = tr_model_find("denoising");
    tr_settings         *s = tr_settings_new(type->options);
    tr_settings_set(s, "noise", "mask");
    tr_settings_set(s, "level", "1");
    tr_model   *m = tr_model_new(type, s, TR_SHAPE(1, 3, 1), 0, 1);
    tr_rng      rng = tr_rng_seed(8);
    const float blank[] = { 0.1f, 0.2f, 0.3f };
    tr_tensor  *x = tr_ones(TR_F32, TR_SHAPE(2, 1, 3, 1));
    ck_assert_double_eq(tr_item(tr_sum(tr_model_corrupt(m, x, &rng), TR_ALL_AXES, false)), 0);
    m->blank = tr_from(TR_F32, TR_SHAPE(1, 3, 1), blank);
    const tr_tensor *hidden = tr_model_corrupt(m, x, &rng);
    ck_assert_mem_eq(hidden->data, blank, sizeof blank);
    ck_assert_mem_eq((float *)hidden->data + 3, blank, sizeof blank);
}
END_TEST

/* --- Uses --------------------------------------------------------------------------------- */

START_TEST(errors_of_columns)
{
    const tr_dataset *d = open_table("age,colour,id\n10,red,a\n30,blue,b\n10,red,c\n", ",drop=id");
    const float       x[] = { 0, 1, 0, 0.5f, 0, 1, 1, 0, 0 }; /* the last colour is unknown */
    const float       y[] = { 0.5f, 0.6f, 0.4f, 0.5f, 0.6f, 0.4f, 0, 1, 0 };
    const float       mask[] = { 1, 1, 1, 1, 1, 1, 0, 1, 1 };
    double            column[3], overall[2];
    const tr_shape    shape = TR_SHAPE(3, 1, 3, 1);
    ck_assert_int_eq(tr_table_errors(d->table, tr_from(TR_F32, shape, y), tr_from(TR_F32, shape, x),
                                     tr_from(TR_F32, shape, mask), column, overall),
                     TR_OK);
    ck_assert_double_eq_tol(overall[0], sqrt(0.125), 1e-7);
    ck_assert_double_eq_tol(overall[1], 2 / 3.0, 1e-7);
    ck_assert_double_eq_tol(column[0], 20 * sqrt(0.125), 1e-6);
    ck_assert_double_eq_tol(column[1], 2 / 3.0, 1e-7);
    ck_assert(isnan(column[2]));
}
END_TEST

/* Scores are means over known values: a slow loop. */
START_TEST(anomalies_of_rows)
{
    const tr_dataset *d =
        open_table("a,b,c\n1,2,3\n4,5,9\n7,,2\n1,,5\n2,?,NA\n3,2,1\n9,8,7\n2,2,\n", "");
    tr_model *m = tr_model_new(tr_model_find("undercomplete"), NULL, TR_SHAPE(1, 3, 1), 0, 1);
    double    score[2];
    tr_batch  b;
    ck_assert_int_eq(tr_anomaly_scores(m, d, TR_TEST, 0, 2, NULL, score), TR_OK);
    ck_assert_int_eq(tr_dataset_read(d, TR_TEST, 0, 2, &b), TR_OK);
    const tr_tensor *y = tr_model_reconstruct(m, b.x);
    for (int i = 0; i < 2; i++) {
        double sum = 0, count = 0;
        for (int k = 3 * i; k < 3 * i + 3; k++) {
            const double known = (double)((float *)b.known->data)[k];
            sum += known * pow((double)((float *)b.x->data)[k] - (double)((float *)y->data)[k], 2);
            count += known;
        }
        ck_assert_double_eq(count, 2);
        ck_assert_double_eq_tol(score[i], sum / count, 1e-6);
    }
}
END_TEST

/* --- Runs ------------------------------------------------------------------------------------- */

/* What a run keeps is enough to read another table as its own. */
START_TEST(run_keeps_its_table)
{
    char  half[16];
    FILE *f = fopen("t.csv", "w");
    fprintf(f, "a,b,c\n");
    for (int i = 0; i < 40; i++) {
        snprintf(half, sizeof half, i % 7 == 2 ? "NA" : "%.1f", i / 2.0);
        fprintf(f, "%d,%s,%s\n", i, half, i % 3 ? "x" : "y");
    }
    fclose(f);
    tr_dataset          *d = open_with("csv:t.csv", (tr_dataset_options){ 0 });
    const tr_model_type *type = tr_model_find("undercomplete");
    tr_model            *m = tr_model_new(type, NULL, TR_SHAPE(1, 4, 1), 0, 1);
    tr_run *run = tr_run_new("run", m, d, &(tr_train_options){ .epochs = 2, .batch = 8 });
    ck_assert_int_eq(tr_run_train(run, NULL), TR_OK);
    ck_assert_msg(tr_run_report(run) == TR_OK, "%s", tr_error());
    run = tr_run_open("run", NULL, TR_OPEN_WEIGHTS);
    ck_assert_msg(run != NULL && run->table != NULL, "%s", tr_error());
    write_text("u.csv", "a,b,c\n100,2,y\n1,?,x\n");
    ck_assert_msg(tr_run_use_rows(run, "csv:u.csv") == TR_OK, "%s", tr_error());
    ck_assert_int_eq(run->dataset->count[TR_TEST], 2);
    const tr_tensor *x = tr_dataset_images(run->dataset, TR_TEST, 0, 1);
    ck_assert_double_eq_tol((double)((float *)x->data)[0], 100 / 38.0, 1e-6);
    ck_assert_int_eq(tr_run_use_data(run, NULL), TR_OK);
    ck_assert_int_eq(run->dataset->count[TR_TEST], 4);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { numbers },
        { categories_and_missing },
        { labels_and_options },
        { quotes },
        { broken },
        { odd_columns },
        { wide },
        { mutations },
        { adopted },
        { damaged_json },
        { written_again },
        { masked_losses },
        { masked_mean },
        { hidden_by_noise },
        { errors_of_columns },
        { anomalies_of_rows },
        { run_keeps_its_table },
        { 0 },
    };
    return run_tests("tables", enter_folder, leave_folder, tests);
}
