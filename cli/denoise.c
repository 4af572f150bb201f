/* denoise.c: `denoise`: test images with noise of several levels, also of such that the model did
 * not see in training, and what it restores of them; PSNR before and after. */
#include "cli/uses.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const arg_option denoise_options[] = {
    ARG_DATA,
    ARG_OUT("picture: .png, .pgm or .ppm [RUN/denoise.png]"),
    { "level", 0, ARG_NUMBER, "X", 0, 10, "how much noise [the model's; 0.5 for models without]" },
    { "levels", 0, ARG_TEXT, "X,Y,..", 0, 0, "and how much else [half, three halves and twice that]" },
    { "count", 'n', ARG_INT, "N", 1, 1000, "how many images to draw [10]" },
    { "limit", 0, ARG_INT, "N", 1, 1e12, "measure on the first N test images [500]" },
    { "seed", 0, ARG_INT, "N", 0, 0x1p53, "of random numbers [0]" },
    { "zoom", 0, ARG_INT, "N", 1, 64, "draw each pixel N x N" },
    { 0 },
};
/* clang-format on */

enum { MOST_LEVELS = 12 };

/* The level first, then the others, for at most MOST_LEVELS; -1 after a message. */
static int read_levels(const args *a, const tr_run *run, double levels[MOST_LEVELS])
{
    double own = 0.5;
    for (const tr_option *o = run->model->type->options; o->name != NULL; o++)
        if (strcmp(o->name, "level") == 0) own = tr_settings_float(run->model->settings, "level");
    levels[0] = number_of(a, "level", own);
    const char *at = text_of(a, "levels", NULL);
    if (at == NULL) {
        for (int i = 1; i < 4; i++) levels[i] = levels[0] * (i == 1 ? 0.5 : i == 2 ? 1.5 : 2);
        return 4;
    }
    for (int count = 1;; at++) {
        char *end;
        levels[count] = strtod(at, &end);
        if (end == at || !(levels[count] >= 0 && levels[count] <= 10) ||
            (*end != ',' && *end != '\0') || count + 1 == MOST_LEVELS) {
            usage_error(a,
                        "--levels is %s; it must be numbers from 0 to 10 with commas between, "
                        "at most %d",
                        text_of(a, "levels", ""), MOST_LEVELS - 2);
            return -1;
        }
        count++;
        if (*end == '\0') return count;
        at = end;
    }
}

/* The model's own noise at a level; Gaussian for models that have none or know no level. */
static tr_tensor *spoil(const tr_run *run, tr_tensor *x, double level, uint64_t seed)
{
    tr_rng rng = tr_rng_seed(seed);
    char   text[40];
    bool   knows = false;
    for (const tr_option *o = run->model->type->options; o->name != NULL; o++)
        knows |= strcmp(o->name, "level") == 0;
    if (run->model->type->corrupt == NULL || !knows)
        return tr_clamp(tr_add(x, tr_scale(tr_normal_like(x, &rng), level)), 0, 1);
    snprintf(text, sizeof text, "%.17g", level);
    tr_settings_set(run->model->settings, "level", text);
    return tr_model_corrupt(run->model, x, &rng);
}

int run_denoise(const args *a)
{
    static const char *const columns[] = { "psnr_noisy", "psnr" };
    const char              *rows[2 * MOST_LEVELS + 1] = { "original" }, *labels[MOST_LEVELS];
    double                   levels[MOST_LEVELS], cells[2 * MOST_LEVELS];
    tr_tensor               *parts[2 * MOST_LEVELS + 1];
    tr_run                  *run = open_use(a);
    if (run == NULL) return end_setup();
    const int count = read_levels(a, run, levels);
    if (count < 0) return EXIT_USAGE;
    const tr_dataset *d = run->dataset;
    const uint64_t    seed = (uint64_t)int_of(a, "seed", 0);
    tr_tensor        *many =
        tr_dataset_images(d, TR_TEST, 0, at_most(d->count[TR_TEST], int_of(a, "limit", 500)));
    parts[0] = tr_show_images(d, int_of(a, "count", 10));
    for (int i = 0; i < count && tr_status_get() == TR_OK; i++) {
        tr_tensor *noisy = spoil(run, many, levels[i], seed);
        labels[i] = text_from("%.3g", levels[i]);
        cells[2 * i] = tr_psnr(noisy, many);
        cells[2 * i + 1] = tr_psnr(tr_model_reconstruct(run->model, noisy), many);
        rows[2 * i + 1] = text_from("noise %.3g", levels[i]);
        rows[2 * i + 2] = text_from("%.1f dB", cells[2 * i + 1]);
        parts[2 * i + 1] = spoil(run, parts[0], levels[i], seed + 1);
        parts[2 * i + 2] = tr_model_reconstruct(run->model, parts[2 * i + 1]);
    }
    if (tr_status_get() != TR_OK) return end_setup();
    const tr_tensor *picture =
        tri_plot_rows(&(tri_rows_plot){ .images = tr_concat(parts, 2 * count + 1, 0),
                                        .columns = tr_dim(parts[0], 0),
                                        .zoom = int_of(a, "zoom", 0),
                                        .row_labels = rows });
    const figure figures[] = { { "level", "", levels[0] },
                               { "psnr_noisy", "dB, noisy against original", cells[0] },
                               { "psnr", "dB, restored against original", cells[1] } };
    return finish_picture(a, run, "denoise.png", picture, figures, 3,
                          &(table){ .name = "levels",
                                    .key = "level",
                                    .labels = labels,
                                    .columns = columns,
                                    .cells = cells,
                                    .rows = count,
                                    .column_count = 2 });
}
