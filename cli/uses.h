/* uses.h: what the commands on a trained run share: lists of numbers, classes, where results go,
 * and how they are told. Read next: latent.c. */
#ifndef TENREC_CLI_USES_H
#define TENREC_CLI_USES_H

#include "cli/cli.h"
#include "train/plot.h"

#define ARG_OUT(help)                                                                              \
    {                                                                                              \
        "out", 0, ARG_TEXT, "FILE", 0, 0, help                                                     \
    }

/* What was measured: a name for JSON and text, and its unit. */
typedef struct figure {
    const char *name, *unit;
    double      value;
} figure;

/* A table below the figures: rows named by text, columns of numbers; NaN where there is none. */
typedef struct table {
    const char        *name;   /* key of the array in JSON: "levels" */
    const char        *key;    /* what names a row: "method" */
    const char       **labels; /* [rows] */
    const char *const *columns;
    const double      *cells; /* [rows, column_count] */
    int                rows, column_count;
} table;

/* Prints figures and table, as text or JSON, and where the result lies. */
void tell(const args *a, const char *path, const figure *figures, int count, const table *rows);

/* --out, or RUN/NAME. */
const char *out_path(const args *a, const tr_run *run, const char *name);

/* Whether a path ends so. */
bool ends_with(const char *path, const char *ending);

/* Saves the picture at out_path and tells. The exit status. */
int finish_picture(const args *a, const tr_run *run, const char *name, const tr_tensor *picture,
                   const figure *figures, int count, const table *rows);

/* The whole numbers of "0,3,5" into values (room for MAX_LIST); how many; -1 after a message that
 * names the option. */
enum { MAX_LIST = 256 };
int read_list(const args *a, const char *option, int64_t least, int64_t most,
              int64_t values[MAX_LIST]);

/* The class that a name or a number means; -1 and an error for none. */
int64_t find_class(const tr_dataset *d, const char *text);
/* Its name, or its number, as text of the innermost scope. */
const char *class_name(const tr_dataset *d, int64_t label);

/* printf into the innermost scope. NULL on error. */
char *text_from(const char *format, ...) TR_PRINTF(1, 2);

/* The images of a split as rows [n, pixels], the first `limit` at most (0: all). */
tr_tensor *image_rows(const tr_dataset *d, tr_data_split split, int64_t limit);
int64_t    at_most(int64_t count, int64_t limit); /* limit 0: count */

/* Whether images are pictures: more than one row, 1 or 3 channels. */
bool draws(const tr_dataset *d);

/* Opens run and data for a command that works on images of the test split; NULL on error. */
tr_run *open_use(const args *a);
/* The same for commands that look at all rows of a table that --data names. */
tr_run *open_rows(const args *a);

extern const arg_option traverse_options[], manifold_options[], arithmetic_options[];
int                     run_traverse(const args *a);
int                     run_manifold(const args *a);
int                     run_arithmetic(const args *a);

extern const arg_option anomaly_options[];
int                     run_anomaly(const args *a);

extern const arg_option impute_options[];
int                     run_impute(const args *a);
int                     run_impute_table(const args *a, tr_run *run); /* the rest, for tables */

extern const arg_option datasets_options[];
int                     show_dataset(const args *a);

extern const arg_option recommend_options[];
int                     run_recommend(const args *a);

extern const arg_option embed_options[];
int                     run_embed(const args *a);

extern const arg_option probe_options[];
int                     run_probe(const args *a);

extern const arg_option compress_options[];
int                     run_compress(const args *a);

extern const arg_option compare_options[];
int                     run_compare(const args *a);

extern const arg_option export_options[];
int                     run_export(const args *a);

#endif
