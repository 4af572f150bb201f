/* denoise.c: `denoise`: test images with noise of several kinds and levels, also of such that the
 * model did not see in training, and what it restores of them; PSNR before and after, as rows of
 * images and as curves over the level. */
#include "cli/uses.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const arg_option denoise_options[] = {
    ARG_DATA,
    ARG_OUT("rows of images: .png, .pgm or .ppm [RUN/denoise.png]"),
    { "curve", 0, ARG_TEXT, "FILE", 0, 0, "PSNR over the level, a chart [RUN/denoise_curve.png]" },
    { "noise", 0, ARG_TEXT, "KIND", 0, 0,
      "shown at all levels: gaussian, mask or salt-pepper [the model's]" },
    { "level", 0, ARG_NUMBER, "X", 0, 10, "how much noise [the model's; 0.5 for models without]" },
    { "levels", 0, ARG_TEXT, "X,Y,..", 0, 0,
      "and how much else [a quarter, half and three halves of that]" },
    { "count", 'n', ARG_INT, "N", 1, 1000, "how many images to draw [10]" },
    { "limit", 0, ARG_INT, "N", 1, 1e12, "measure on the first N test images [500]" },
    { "seed", 0, ARG_INT, "N", 0, 0x1p53, "of random numbers [0]" },
    { "zoom", 0, ARG_INT, "N", 1, 64, "draw each pixel N x N" },
    { 0 },
};
/* clang-format on */

enum { MOST_LEVELS = 12, ROWS = TR_NOISES * MOST_LEVELS, COLUMNS = 3 };

/* What is measured: the kind first that is shown at all levels; `level` is the main one. */
typedef struct plan {
    tr_noise kind[TR_NOISES];
    double   level, levels[MOST_LEVELS]; /* rising */
    int      count;
    uint64_t seed;
} plan;

/* --- What is asked for -------------------------------------------------------------------- */

/* The model's own setting as text; NULL where it has none of this name. */
static const char *setting(const tr_run *run, const char *name)
{
    for (const tr_option *o = run->model->type->options; o->name != NULL; o++)
        if (strcmp(o->name, name) == 0) return tr_settings_text(run->model->settings, name);
    return NULL;
}

static int rising(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Appends the numbers of --levels; false after a message. */
static bool read_levels(const args *a, plan *p)
{
    const char *at = text_of(a, "levels", "");
    for (;; at++) {
        char        *end;
        const double level = strtod(at, &end);
        if (end == at || !(level >= 0 && level <= 10) || (*end != ',' && *end != '\0') ||
            p->count == MOST_LEVELS) {
            usage_error(a,
                        "--levels is %s; it must be numbers from 0 to 10 with commas between, "
                        "at most %d",
                        text_of(a, "levels", ""), MOST_LEVELS - 1);
            return false;
        }
        if (fabs(level - p->level) > 0) p->levels[p->count++] = level;
        at = end;
        if (*end == '\0') return true;
    }
}

static bool read_plan(const args *a, const tr_run *run, plan *p)
{
    static const double share[] = { 0.25, 0.5, 1.5 };
    /* The overcomplete model's option "noise" is a number: it has Gaussian noise, and no level. */
    const char *own_level = setting(run, "level");
    const char *own = own_level != NULL ? setting(run, "noise") : NULL;
    const char *kind = text_of(a, "noise", own != NULL ? own : tr_noise_name(TR_NOISE_GAUSSIAN));
    int         first = 0;
    while (first < TR_NOISES && strcmp(kind, tr_noise_name((tr_noise)first)) != 0) first++;
    if (first == TR_NOISES) {
        usage_error(a, "--noise is %s; it must be gaussian, mask or salt-pepper", kind);
        return false;
    }
    for (int i = 0; i < TR_NOISES; i++) p->kind[i] = (tr_noise)((first + i) % TR_NOISES);
    p->seed = (uint64_t)int_of(a, "seed", 0);
    p->level = number_of(a, "level", own_level != NULL ? strtod(own_level, NULL) : 0.5);
    p->levels[p->count++] = p->level;
    if (has(a, "levels") && !read_levels(a, p)) return false;
    for (int i = 0; i < 3 && !has(a, "levels"); i++) p->levels[p->count++] = share[i] * p->level;
    qsort(p->levels, (size_t)p->count, sizeof p->levels[0], rising);
    return true;
}

/* --- Measures ----------------------------------------------------------------------------- */

/* A probability above 1 is no level of noise that has one. */
static bool possible(tr_noise kind, double level)
{
    return kind == TR_NOISE_GAUSSIAN || level <= 1;
}

/* A row for each kind and level: level, PSNR before and after; NaN where there is no such noise. */
static void measure(const tr_run *run, const plan *p, tr_tensor *x, double *cells)
{
    for (int i = 0; i < TR_NOISES * p->count && tr_status_get() == TR_OK; i++) {
        const tr_noise kind = p->kind[i / p->count];
        const double   level = p->levels[i % p->count];
        double        *row = cells + (ptrdiff_t)i * COLUMNS;
        tr_rng         rng = tr_rng_stream(p->seed, 0);
        tr_scope      *scope = tr_scope_push();
        row[0] = level;
        row[1] = row[2] = (double)NAN;
        if (possible(kind, level)) {
            tr_tensor *noisy = tr_add_noise(x, kind, level, &rng);
            row[1] = tr_psnr(noisy, x);
            row[2] = tr_psnr(tr_model_reconstruct(run->model, noisy), x);
        }
        tr_scope_pop(scope);
    }
}

/* --- Pictures ----------------------------------------------------------------------------- */

/* The originals, then pairs of rows: the first kind at all levels, the others at the main one. */
static tr_tensor *draw_rows(const args *a, const tr_run *run, const plan *p, const double *cells)
{
    const char *rows[2 * ROWS + 1] = { "original" };
    tr_tensor  *parts[2 * ROWS + 1] = { tr_show_images(run->dataset, int_of(a, "count", 10)) };
    int         count = 1;
    for (int i = 0; i < TR_NOISES * p->count; i++) {
        const double  *row = cells + (ptrdiff_t)i * COLUMNS;
        const tr_noise kind = p->kind[i / p->count];
        tr_rng         rng = tr_rng_stream(p->seed, 1);
        if ((i >= p->count && fabs(row[0] - p->level) > 0) || !possible(kind, row[0])) continue;
        parts[count] = tr_add_noise(parts[0], kind, row[0], &rng);
        parts[count + 1] = tr_model_reconstruct(run->model, parts[count]);
        rows[count++] = text_from("%s %.3g", tr_noise_name(kind), row[0]);
        rows[count++] = text_from("%.1f -> %.1f dB", row[1], row[2]);
    }
    if (tr_status_get() != TR_OK) return NULL;
    return tri_plot_rows(&(tri_rows_plot){ .images = tr_concat(parts, count, 0),
                                           .columns = tr_dim(parts[0], 0),
                                           .zoom = int_of(a, "zoom", 0),
                                           .row_labels = rows });
}

static tr_tensor *draw_curve(const plan *p, const double *cells)
{
    double        y[2 * TR_NOISES][MOST_LEVELS];
    tri_line_plot plot = { .title = "Noisy and restored images against clean ones",
                           .x_label = "noise level",
                           .y_label = "PSNR in dB",
                           .count = 2 * TR_NOISES };
    for (int k = 0; k < TR_NOISES; k++) {
        for (int i = 0; i < p->count; i++)
            for (int after = 0; after < 2; after++)
                y[2 * k + after][i] = cells[(k * p->count + i) * COLUMNS + 1 + after];
        const char *name = tr_noise_name(p->kind[k]);
        for (int after = 0; after < 2; after++)
            plot.line[2 * k + after] =
                (tri_line){ .name = text_from("%s, %s", name, after ? "restored" : "noisy"),
                            .x = p->levels,
                            .y = y[2 * k + after],
                            .count = p->count,
                            .thin = after == 0 };
    }
    return tri_plot_lines(&plot);
}

int run_denoise(const args *a)
{
    static const char *const columns[COLUMNS] = { "level", "psnr_noisy", "psnr" };
    const char              *labels[ROWS];
    double                   cells[ROWS * COLUMNS];
    plan                     p = { 0 };
    tr_run                  *run = open_use(a);
    if (run == NULL) return end_setup();
    if (!read_plan(a, run, &p)) return EXIT_USAGE;
    if (!possible(p.kind[0], p.level))
        return usage_error(a, "--level is %g; of %s noise it must be a probability, at most 1",
                           p.level, tr_noise_name(p.kind[0]));
    const tr_dataset *d = run->dataset;
    measure(run, &p,
            tr_dataset_images(d, TR_TEST, 0, at_most(d->count[TR_TEST], int_of(a, "limit", 500))),
            cells);
    int main_row = 0;
    while (main_row + 1 < p.count && p.levels[main_row] < p.level) main_row++;
    for (int i = 0; i < TR_NOISES * p.count; i++) labels[i] = tr_noise_name(p.kind[i / p.count]);
    const tr_tensor *curve = draw_curve(&p, cells), *rows = draw_rows(a, run, &p, cells);
    const char *format = strrchr(out_path(a, run, "denoise.png"), '.'); /* for both pictures */
    const char *standard = text_from("%s/denoise_curve%s", run->dir, format ? format : "");
    if (curve != NULL) tr_save_image(text_of(a, "curve", standard), curve);
    const double *row = cells + (ptrdiff_t)main_row * COLUMNS;
    const figure  figures[] = { { "level", "", p.level },
                                { "psnr_noisy", "dB, noisy against original", row[1] },
                                { "psnr", "dB, restored against original", row[2] } };
    return finish_picture(a, run, "denoise.png", rows, figures, 3,
                          &(table){ .name = "levels",
                                    .key = "noise",
                                    .labels = labels,
                                    .columns = columns,
                                    .cells = cells,
                                    .rows = TR_NOISES * p.count,
                                    .column_count = COLUMNS });
}
