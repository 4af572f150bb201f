/* cli.h: the command `tenrec`: what its files share.
 *
 * main.c holds the table of commands; args.c reads a command line against a command's options and
 * writes help from the same table; terminal.c knows the terminal. Each other file is a group of
 * commands. Exit status: 0 success, 1 a run that failed, 2 wrong usage; one line on stderr says
 * what to do.      */
#ifndef TENREC_CLI_H
#define TENREC_CLI_H

#include "tensor/json.h"
#include "train/train.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, MAX_GIVEN = 128 };

/* --- Arguments (args.c) --------------------------------------------------------------------------
 */

typedef enum arg_kind { ARG_FLAG, ARG_TEXT, ARG_INT, ARG_NUMBER, ARG_GROUP } arg_kind;

/* A table of these ends with one whose name is NULL. One of kind ARG_GROUP is no option: its name is
 * the title, in help, of those that follow. */
typedef struct arg_option {
    const char *name;
    char        letter; /* also "-n"; 0: none */
    arg_kind    kind;
    const char *value; /* what help calls it: "N" */
    double      least, most;
    const char *help; /* one line, with the default */
} arg_option;

struct command;

typedef struct args {
    const struct command *command;
    const char           *names[MAX_GIVEN]; /* of the options given, in order, and their values */
    const char           *values[MAX_GIVEN];
    int                   given;
    const char           *words[MAX_GIVEN]; /* what is no option */
    int                   word_count;
} args;

typedef struct command {
    const char       *name, *words; /* "MODEL", "RUN", "[OP|MODEL]" */
    const char       *help;         /* one line */
    const arg_option *options;
    int               least_words, most_words;
    int (*run)(const args *a);
    void (*more_help)(const args *a); /* written below the options; or NULL */
} command;

extern const command commands[];
const command       *find_command(const char *name);
const char          *nearest_command(const char *name); /* or NULL where none is near */

/* False after a message on stderr. */
bool read_args(args *a, const command *c, int count, char *const *words);
void write_help(const args *a);
void write_overview(void);

/* Adds an option to those given. False after a message. */
bool give_option(args *a, const char *name, const char *value);

bool        has(const args *a, const char *name);
const char *text_of(const args *a, const char *name,
                    const char *otherwise); /* the last one given */
double      number_of(const args *a, const char *name, double otherwise);
int64_t     int_of(const args *a, const char *name, int64_t otherwise);

/* --- Ends
 * ------------------------------------------------------------------------------------------ */

/* Writes one line to stderr, "error: ..."; returns EXIT_USAGE. */
int usage_error(const args *a, const char *format, ...) TR_PRINTF(2, 3);

/* The library's error as one line; returns EXIT_OK where there is none. While a command sets up,
 * wrong names and values are wrong usage; later they are a failed run. */
int end_setup(void);
int end_run(void);

/* --- Output (terminal.c)
 * ---------------------------------------------------------------------------- */

bool        is_terminal(void);    /* stdout is one */
bool        has_colours(void);    /* and takes colours: NO_COLOR is not set, TERM is not dumb */
int         terminal_width(void); /* in columns; 80 where unknown */
const char *bold(void);           /* escape codes, or "" */
const char *faint(void);
const char *plain(void);

/* "12,345" and "1 min 05 s" into text. */
const char *show_count(double n, char text[32]);
const char *show_time(double seconds, char text[32]);

/* Writes the JSON line and a line end to stdout. */
void print_json(const tri_text *t);
void add_metrics(tri_text *t, const char *key, const tr_metrics *m); /* "key":{"loss":0.1} */

/* --- Shared by groups (open.c)
 * -------------------------------------------------------------------- */

/* The option of commands that read a run and images. */
/* clang-format off */
#define ARG_DATA \
    { "data", 0, ARG_TEXT, "D", 0, 0, "data in place of the run's, as in tenrec datasets" }
/* clang-format on */

/* The run named by the first word, ready to use; its data too where `data` is set. NULL on error.
 */
tr_run *open_run(const args *a, tr_open_mode mode, bool data);

/* The settings that --set gives; NULL on error. */
tr_settings *make_settings(const args *a, const tr_model_type *type);

/* The classes that --NAME lists, or all but those of --exclude, as tr_dataset_options has them;
 * NULL where neither is given. */
const char *chosen_classes(const args *a, const char *name);

/* The options of a model with defaults and ranges, a line each. */
void write_settings(const tr_option *o);

/* "28x28x1" as height, width and channels; false where it is not that. */
bool read_size(const char *text, tr_shape *input);

/* A model of this name with the settings of --set, for images of this size. NULL on error. */
tr_model *make_model(const args *a, const char *name, tr_shape input, int64_t classes,
                     uint64_t seed);

/* --- A training (train.c), of which a sweep (sweep.c) has many
 * ---------------------------------------------------------------------------------------- */

/* Whether a name is that of an option of the training that has a value; "lr", "schedule". */
bool is_training_option(const char *name);

/* Looks at the values of all options before data are read; what is wrong is the library's error. */
void check_training(const args *a);

/* "runs/vae-digits" with the ending, and a number where that is taken. */
const char *free_directory(const char *model, const char *data, const char *ending);

/* A new run in this folder. NULL on error. */
tr_run *begin_training(const args *a, const char *out);

/* Trains to the end and writes the report. Returns EXIT_OK, 128 + the signal that ended it, with a
 * line that tells how to go on with `dir`, or EXIT_FAILED with the library's error still to be
 * told. */
int train(const args *a, tr_run *run, const char *dir);

bool is_sweep(const char *dir);
int  run_sweep(const args *a);

/* --- Commands
 * ---------------------------------------------------------------------------------------- */

extern const arg_option train_options[], sample_options[], reconstruct_options[], denoise_options[],
    interpolate_options[], eval_options[], report_options[], summary_options[], check_options[],
    graph_options[], bench_options[], no_options[];

int  run_models(const args *a);
int  run_datasets(const args *a);
int  run_ops(const args *a);
int  run_summary(const args *a);
int  run_graph(const args *a);
int  run_check(const args *a);
int  run_bench(const args *a);
int  run_train(const args *a);
void help_train(const args *a);
int  run_eval(const args *a);
int  run_report(const args *a);
int  run_reconstruct(const args *a);
int  run_denoise(const args *a);
int  run_sample(const args *a);
int  run_interpolate(const args *a);

#endif
