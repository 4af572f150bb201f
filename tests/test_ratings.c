/* Ratings: what is held out, what is shown, hostile files; and that an autoencoder trained on what
 * is shown predicts the rest better than means do. */
#include "tests/files.h"
#include "train/train.h"
#include "tests/suite.h"

#include <math.h>

static void write_text(const char *text)
{
    write_file("r.dat", text, strlen(text));
}

static tr_dataset *open_with(tr_dataset_options options)
{
    tr_dataset *d = tr_dataset_open("ratings:r.dat", &options);
    ck_assert_msg(d != NULL, "%s", tr_error());
    return d;
}

static void refuses(const char *text, const char *message)
{
    write_text(text);
    ck_assert_ptr_null(tr_dataset_open("ratings:r.dat", NULL));
    ck_assert_str_eq(tr_error(), message);
    tr_error_clear();
}

enum { USERS = 200, ITEMS = 60, RANK = 2 };

/* A rating is an item's mean, a product of rank 2 and noise of deviation 0.1; two of three are
 * given. Names are not in order. */
static void generate(void)
{
    tr_rng           rng = tr_rng_seed(11);
    const tr_tensor *p = tr_normal(TR_F64, TR_SHAPE(USERS, RANK), &rng);
    const tr_tensor *q = tr_normal(TR_F64, TR_SHAPE(ITEMS, RANK), &rng);
    const tr_tensor *mean = tr_normal(TR_F64, TR_SHAPE(ITEMS), &rng);
    const tr_tensor *noise = tr_normal(TR_F64, TR_SHAPE(USERS, ITEMS), &rng);
    const tr_tensor *given = tr_randint(TR_SHAPE(USERS, ITEMS), 3, &rng);
    FILE            *f = fopen("r.dat", "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "userId,movieId,rating,timestamp\n");
    for (int u = 0; u < USERS; u++)
        for (int i = 0; i < ITEMS; i++) {
            double v = 3 + 0.3 * tr_at(mean, TR_SHAPE(i)) + 0.1 * tr_at(noise, TR_SHAPE(u, i));
            for (int k = 0; k < RANK; k++)
                v += 0.6 * tr_at(p, TR_SHAPE(u, k)) * tr_at(q, TR_SHAPE(i, k));
            if (tr_at(given, TR_SHAPE(u, i)) > 0) fprintf(f, "u%d,%d,%.3f,97\n", u, 100 - i, v);
        }
    fclose(f);
}

/* Both splits show the same ratings; of each user a share is the target of the test split, and
 * together they are the file. */
START_TEST(held_out)
{
    generate();
    const tr_dataset *d = open_with((tr_dataset_options){ .test_fraction = 0.2 });
    tr_batch          shown, held;
    ck_assert_int_eq(d->count[TR_TEST], USERS);
    ck_assert_int_eq(d->width, ITEMS);
    ck_assert_int_eq(tr_dataset_read(d, TR_TRAIN, 0, USERS, &shown), TR_OK);
    ck_assert_int_eq(tr_dataset_read(d, TR_TEST, 0, USERS, &held), TR_OK);
    ck_assert_ptr_null(shown.target);
    ck_assert_mem_eq(shown.x->data, held.x->data, USERS * ITEMS * sizeof(float));
    const float *a = shown.known->data, *b = held.known->data;
    double       all = 0;
    for (int u = 0; u < USERS; u++) {
        double count[2] = { 0, 0 };
        for (int i = u * ITEMS; i < (u + 1) * ITEMS; i++) {
            ck_assert(!(a[i] > 0 && b[i] > 0));
            count[0] += (double)a[i];
            count[1] += (double)b[i];
            if (!(a[i] > 0))
                ck_assert(((float *)held.x->data)[i] == ((float *)d->blank->data)[i % ITEMS]);
        }
        ck_assert_double_eq_tol(count[1], 0.2 * (count[0] + count[1]), 0.5);
        all += count[0] + count[1];
    }
    int   lines = -1; /* the header */
    FILE *f = fopen("r.dat", "r");
    for (int c; (c = getc(f)) != EOF;) lines += c == '\n';
    fclose(f);
    ck_assert_double_eq(all, lines);
    d = open_with((tr_dataset_options){ .test_fraction = 1 });
    tr_dataset_read(d, TR_TEST, 0, 1, &held);
    ck_assert_double_eq(tr_item(tr_sum(held.known, TR_ALL_AXES, false)), 0);
}
END_TEST

START_TEST(values_and_scales)
{
    write_text("7::b::1::978\n7::a::5::978\n9::a::3\n\r\n9::c::2::1\r\n");
    const tr_dataset *d = open_with((tr_dataset_options){ .test_fraction = 1 });
    tr_batch          b;
    ck_assert_int_eq(tr_dataset_read(d, TR_TRAIN, 0, 2, &b), TR_OK);
    const float x[] = { 1, 0, 0.25f, 0.5f, 0, 0.25f }, known[] = { 1, 1, 0, 1, 0, 1 };
    ck_assert_mem_eq(b.x->data, x, sizeof x);
    ck_assert_mem_eq(b.known->data, known, sizeof known);
    ck_assert_str_eq(d->row_names[1], "9");
    ck_assert_str_eq(d->table->column[2].name, "c");
    ck_assert_double_eq(d->table->column[0].mean, 4);
    /* Another file is read by the first one's items and scale. */
    ck_assert_int_eq(tr_table_save(d->table, "table.json"), TR_OK);
    const tr_dataset_options as = { .test_fraction = 1, .table = tr_table_load("table.json") };
    write_text("new\tc\t9\n");
    d = open_with(as);
    ck_assert_int_eq(d->width, 3);
    ck_assert_int_eq(tr_dataset_read(d, TR_TRAIN, 0, 1, &b), TR_OK);
    ck_assert_float_eq(((float *)b.x->data)[2], 2);
    write_text("new\td\t9\n");
    ck_assert_ptr_null(tr_dataset_open("ratings:r.dat", &as));
    ck_assert_str_eq(tr_error(), "r.dat: line 1: item \"d\" was not trained on");
}
END_TEST

START_TEST(broken)
{
    refuses("", "r.dat: has no ratings");
    refuses("user,item,rating\n", "r.dat: has no ratings");
    refuses("1,2,3\n1,3,x\n", "r.dat: line 2 is no user, item and rating with , between");
    refuses("1::2::3\n\n1::3\n", "r.dat: line 3 is no user, item and rating with :: between");
    refuses("u\ti\tr\nu\ti\tr\n", "r.dat: line 2 is no user, item and rating with tabs between");
    refuses("1,2,3\n2,2,3\n1,2,4\n", "r.dat: lines 1 and 3 rate the same item by the same user");
    refuses("1,,3\n,2,1\n", "r.dat: line 2 is no user, item and rating with , between");
    ck_assert_ptr_null(tr_dataset_open("ratings", NULL));
    ck_assert_str_eq(tr_error(), "ratings: which file? expected ratings:FILE");
    tr_error_clear();
    write_text("1,2,3\n"); /* one rating cannot be held out */
    ck_assert_int_eq(open_with((tr_dataset_options){ .test_fraction = 0.9 })->count[TR_TEST], 1);
}
END_TEST

/* Sedhain et al. 2015 in small: held-out ratings of rank 2 are predicted far better than by means;
 * the trainer's validation loss is their squared error. */
START_TEST(autoencoder_beats_means)
{
    generate();
    tr_dataset          *d = open_with((tr_dataset_options){ 0 });
    const tr_model_type *type = tr_model_find("undercomplete");
    tr_settings         *s = tr_settings_new(type->options);
    tr_settings_set(s, "loss", "mse");
    tr_settings_set(s, "code", "identity");
    tr_settings_set(s, "latent", "4");
    tr_model *m = tr_model_new(type, s, TR_SHAPE(1, ITEMS, 1), 0, 1);
    tr_run   *run =
        tr_run_new("run", m, d, &(tr_train_options){ .epochs = 80, .batch = 16, .lr = 3e-3 });
    ck_assert_msg(tr_run_train(run, NULL) == TR_OK, "%s", tr_error());
    tr_rating_errors e;
    ck_assert_int_eq(tr_rate(m, d, &e), TR_OK);
    ck_assert_msg(e.model < 0.5 * e.item_mean && e.model < 0.5 * e.user_mean, "%g, %g, %g", e.model,
                  e.item_mean, e.user_mean);
    const double range = d->table->column[0].high - d->table->column[0].low;
    const double val = tr_metric(&tr_run_last(run)->val, "loss");
    ck_assert_double_eq_tol(sqrt(val) * range, e.model, 0.03 * e.model);
    ck_assert_msg(tr_run_report(run) == TR_OK, "%s", tr_error());
    int64_t       item[ITEMS];
    double        rating[ITEMS];
    const int64_t found = tr_recommend(m, d, 3, ITEMS, item, rating);
    tr_batch      shown, held;
    tr_dataset_read(d, TR_TRAIN, 3, 4, &shown);
    tr_dataset_read(d, TR_TEST, 3, 4, &held);
    int64_t open = 0;
    for (int i = 0; i < ITEMS; i++)
        open += !(((float *)shown.known->data)[i] > 0) && !(((float *)held.known->data)[i] > 0);
    ck_assert_int_eq(found, open);
    for (int64_t k = 0; k < found; k++) {
        ck_assert(!(((float *)shown.known->data)[item[k]] > 0));
        ck_assert(k == 0 || rating[k] <= rating[k - 1]);
    }
    ck_assert_int_eq(tr_rate(m, tr_dataset_open("digits", NULL), &e), TR_ERR_VALUE);
    ck_assert_str_eq(tr_error(), "digits has no ratings; ratings:FILE has");
    tr_error_clear();
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { held_out },
        { values_and_scales },
        { broken },
        { autoencoder_beats_means },
        { 0 },
    };
    return run_tests("ratings", enter_folder, leave_folder, tests);
}
