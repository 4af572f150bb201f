/* recommend.c: `recommend`: what a run on ratings would recommend to one user, or to all, and how
 * well it predicts the ratings that were held out. Read next: train/ratings.c. */
#include "cli/uses.h"

#include "datasets/csv.h"

#include <string.h>

const arg_option recommend_options[] = {
    ARG_DATA,
    ARG_OUT("user, item, predicted rating as CSV [RUN/recommend.csv]"),
    { "user", 0, ARG_TEXT, "NAME", 0, 0, "for this user, as in the file [all users]" },
    { "count", 'n', ARG_INT, "N", 1, 1000, "items for each user [10]" },
    { 0 },
};

enum { MOST = 1000 };

static tr_status write_user(tri_writer *w, const tr_dataset *d, int64_t user, const int64_t *item,
                            const double *rating, int64_t found)
{
    for (int64_t k = 0; k < found; k++) {
        tri_csv_write_cell(w, d->row_names[user], ',');
        tri_writer_printf(w, ",");
        tri_csv_write_cell(w, d->table->column[item[k]].name, ',');
        tri_writer_printf(w, ",%.4g\n", rating[k]);
    }
    return tr_status_get();
}

int run_recommend(const args *a)
{
    static const char *const columns[] = { "rating" };
    int64_t                  item[MOST], found = 0;
    double                   rating[MOST];
    tr_rating_errors         errors;
    tri_writer               w;
    tr_run                  *run = open_use(a);
    if (run == NULL || tr_rate(run->model, run->dataset, &errors) != TR_OK) return end_setup();
    const tr_dataset *d = run->dataset;
    const char       *user = text_of(a, "user", NULL), *path = out_path(a, run, "recommend.csv");
    const int64_t     one = user != NULL ? tri_csv_find(d->row_names, d->count[TR_TRAIN], user) : 0;
    const int64_t     end = user != NULL ? one + 1 : d->count[TR_TRAIN];
    if (one < 0) return usage_error(a, "there is no user %s in %s", user, d->spec);
    const char **labels = tr_scope_alloc(MOST * sizeof *labels);
    if (path == NULL || labels == NULL || tri_writer_open(&w, path) != TR_OK) return end_run();
    tri_writer_printf(&w, "user,item,rating\n");
    for (int64_t u = one; u < end && tr_status_get() == TR_OK; u++) {
        found = tr_recommend(run->model, d, u, int_of(a, "count", 10), item, rating);
        write_user(&w, d, u, item, rating, found);
    }
    if (tri_writer_close(&w) != TR_OK) return end_run();
    for (int64_t k = 0; k < found; k++) labels[k] = d->table->column[item[k]].name;
    tell(a, path,
         (figure[]){ { "rmse", "of ratings held out", errors.model },
                     { "item_mean_rmse", "of the item's mean", errors.item_mean },
                     { "user_mean_rmse", "of the user's mean", errors.user_mean },
                     { "ratings", "held out", (double)errors.ratings } },
         4,
         user == NULL ? NULL
                      : &(table){ .name = "items",
                                  .key = "item",
                                  .labels = labels,
                                  .columns = columns,
                                  .cells = rating,
                                  .rows = (int)found,
                                  .column_count = 1 });
    return end_run();
}
