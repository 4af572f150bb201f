/* main.c: the table of commands and the way to them.
 * Read next: args.c (options), train.c (the largest command). */
#include "cli/uses.h"

#include "tensor/kernels.h"

#include <string.h>

const arg_option no_options[] = { { 0 } };

/* clang-format off */
const command commands[] = {
    { "models", "", "list the models", no_options, 0, 0, run_models, NULL },
    { "datasets", "", "list the data that can be trained on, or show one", datasets_options, 0, 0,
      run_datasets, NULL },
    { "ops", "", "list the operations, each with formula and gradient", no_options, 0, 0,
      run_ops, NULL },
    { "train", "MODEL | --resume RUN", "train a model, or go on with a training", train_options,
      0, 1, run_train, help_train },
    { "eval", "RUN", "measure the trained model on the test split", eval_options, 1, 1, run_eval,
      NULL },
    { "reconstruct", "RUN", "draw originals above reconstructions", reconstruct_options, 1, 1,
      run_reconstruct, NULL },
    { "denoise", "RUN", "draw originals, noisy and restored images", denoise_options, 1, 1,
      run_denoise, NULL },
    { "sample", "RUN", "draw new images", sample_options, 1, 1, run_sample, NULL },
    { "interpolate", "RUN", "draw images between pairs of images", interpolate_options, 1, 1,
      run_interpolate, NULL },
    { "traverse", "RUN", "draw what each number of the code does", traverse_options, 1, 1,
      run_traverse, NULL },
    { "manifold", "RUN", "draw the map of a code of two numbers", manifold_options, 1, 1,
      run_manifold, NULL },
    { "arithmetic", "RUN", "draw class C + A - B, computed on codes", arithmetic_options, 1, 1,
      run_arithmetic, NULL },
    { "anomaly", "RUN", "score images by how badly the model explains them", anomaly_options, 1, 1,
      run_anomaly, NULL },
    { "impute", "RUN", "fill missing values in, against the mean and PCA", impute_options, 1,
      1, run_impute, NULL },
    { "recommend", "RUN", "recommend items to users, of a run on ratings", recommend_options, 1, 1,
      run_recommend, NULL },
    { "embed", "RUN", "write the codes of images, and draw their map", embed_options, 1,
      1, run_embed, NULL },
    { "probe", "RUN", "classify by the codes, by pixels and by PCA", probe_options, 1,
      1, run_probe, NULL },
    { "compress", "RUN", "bits against error of rounded codes, of PCA and of PNG", compress_options,
      1, 1, run_compress, NULL },
    { "export", "RUN", "write the weights for PyTorch or NumPy", export_options, 1,
      1, run_export, NULL },
    { "compare", "RUN...", "show runs side by side", compare_options, 1, MAX_GIVEN, run_compare,
      NULL },
    { "report", "RUN", "write RUN/report.html again", report_options, 1, 1, run_report, NULL },
    { "summary", "MODEL", "list layers, shapes, parameters and multiply-adds", summary_options,
      1, 1, run_summary, help_train },
    { "graph", "MODEL", "draw the tape of one training step, as DOT", graph_options, 1, 1,
      run_graph, help_train },
    { "check", "[OP|MODEL]...", "compare gradients with finite differences", check_options, 0, 100,
      run_check, NULL },
    { "bench", "[CASE]...", "time products and training steps", bench_options, 0, 100, run_bench,
      NULL },
    { 0 },
};
/* clang-format on */

const command *find_command(const char *name)
{
    for (const command *c = commands; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0) return c;
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *guess = nearest_command(name);
    if (guess != NULL)
        return usage_error(NULL, "there is no command %s; did you mean %s?", name, guess);
    return usage_error(NULL, "there is no command %s; tenrec help lists them", name);
}

static int show_version(void)
{
    printf("tenrec %s (%s)\n", tr_version(), tr_isa());
    return EXIT_OK;
}

static int show_help(int count, char *const *words)
{
    if (count == 0) {
        write_overview();
        return EXIT_OK;
    }
    args a = { .command = find_command(words[0]) };
    if (a.command == NULL) return unknown_command(words[0]);
    if (count > 1) a.words[a.word_count++] = words[1];
    write_help(&a);
    return EXIT_OK;
}

static int run_command(const command *c, int count, char *const *words)
{
    args a;
    if (!read_args(&a, c, count, words)) return EXIT_USAGE;
    if (has(&a, "help")) {
        write_help(&a);
        return EXIT_OK;
    }
    if (a.word_count < c->least_words)
        return usage_error(&a, "%s is missing; usage: tenrec %s %s", c->words, c->name, c->words);
    if (has(&a, "threads")) tr_set_threads((int)int_of(&a, "threads", 1));
    return c->run(&a);
}

int main(int count, char **words)
{
    if (tri_isa_environment_error() != NULL)
        return usage_error(NULL, "%s", tri_isa_environment_error());
    if (count < 2) {
        write_overview();
        return EXIT_USAGE;
    }
    int status;
    if (strcmp(words[1], "--version") == 0)
        status = show_version();
    else if (strcmp(words[1], "help") == 0 || strcmp(words[1], "--help") == 0 ||
             strcmp(words[1], "-h") == 0)
        status = show_help(count - 2, words + 2);
    else if (find_command(words[1]) != NULL)
        status = run_command(find_command(words[1]), count - 2, words + 2);
    else
        status = unknown_command(words[1]);
    if (status == EXIT_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        fprintf(stderr, "error: cannot write to stdout\n");
        status = EXIT_FAILED;
    }
    return status;
}
