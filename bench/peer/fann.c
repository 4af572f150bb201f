/* fann.c: a C peer for bench/compare: the dense cases of `tenrec bench` in FANN, Debian's library of
 * neural networks in C (libfann-dev).
 *
 *     fann CASE SECONDS      one JSON object, or none where FANN has no such network
 *
 * A step is fann_train_epoch with FANN_TRAIN_BATCH on one batch: forward, backward and one update by
 * the mean gradient. That is less than the other programs do, which add Adam and, in denoising, the
 * noise; FANN has neither. It computes in float, on one thread. */
#include <floatfann.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PIXELS = 784, STRETCHES = 5, MOST_LAYERS = 12 };

typedef struct network {
    const char  *name;
    unsigned int layers, sizes[MOST_LAYERS];
} network;

static const network networks[] = {
    { "deep", 11, { PIXELS, 500, 300, 150, 100, 64, 100, 150, 300, 500, PIXELS } },
    { "stacked", 7, { PIXELS, 256, 128, 64, 128, 256, PIXELS } },
    { "denoising", 7, { PIXELS, 128, 64, 32, 64, 128, PIXELS } },
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fill(unsigned int number, unsigned int inputs, unsigned int outputs, fann_type *x,
                 fann_type *y)
{
    (void)number;
    for (unsigned int i = 0; i < inputs; i++) x[i] = (fann_type)rand() / (fann_type)RAND_MAX;
    memcpy(y, x, outputs * sizeof *y);
}

static void step(struct fann *net, struct fann_train_data *data, int infer)
{
    if (infer)
        fann_run(net, data->input[0]);
    else
        fann_train_epoch(net, data);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double seconds_a_step(struct fann *net, struct fann_train_data *data, int infer,
                             double seconds)
{
    double times[STRETCHES];
    step(net, data, infer);
    for (int i = 0; i < STRETCHES; i++) {
        const double start = now();
        long         count = 0;
        for (; count == 0 || now() - start < seconds / STRETCHES; count++) step(net, data, infer);
        times[i] = (now() - start) / (double)count;
    }
    qsort(times, STRETCHES, sizeof times[0], compare);
    return times[STRETCHES / 2];
}

int main(int argc, char **argv)
{
    char     kind[16], name[32];
    unsigned batch = 0;
    if (argc != 3 || sscanf(argv[1], "%15[a-z]/%31[a-z-]/%u", kind, name, &batch) != 3) return 0;
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        const network *n = &networks[i];
        if (strcmp(n->name, name) != 0) continue;
        struct fann            *net = fann_create_standard_array(n->layers, n->sizes);
        struct fann_train_data *data =
            fann_create_train_from_callback(batch, PIXELS, PIXELS, fill);
        if (net == NULL || data == NULL) return 1;
        fann_set_training_algorithm(net, FANN_TRAIN_BATCH);
        fann_set_activation_function_hidden(net, FANN_LINEAR_PIECE); /* the one nearest to ReLU */
        fann_set_activation_function_output(net, FANN_SIGMOID);
        const double each =
            seconds_a_step(net, data, strcmp(kind, "infer") == 0, strtod(argv[2], NULL));
        printf("{\"case\": \"%s\", \"microseconds\": %.3f, \"images_per_second\": %.1f}\n", argv[1],
               1e6 * each, batch / each);
        fann_destroy_train(data);
        fann_destroy(net);
    }
    return 0;
}
