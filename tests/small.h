/* small.h: a training of any model that takes some milliseconds: for tests of what must hold of
 * every training. Pictures are the first of `digits`. */
#ifndef TENREC_TESTS_SMALL_H
#define TENREC_TESTS_SMALL_H

#include "train/run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static inline tr_settings *small_settings(const tr_model_type *type)
{
    tr_settings *s = tr_settings_new(type->options);
    for (const tr_option *o = type->options; o->name != NULL; o++) {
        if (strcmp(o->name, "latent") == 0) tr_settings_set(s, "latent", "4");
        if (strcmp(o->name, "hidden") == 0 && o->standard[0] != '\0')
            tr_settings_set(s, "hidden", "12");
        if (strcmp(o->name, "channels") == 0) tr_settings_set(s, "channels", "4,4");
        if (strcmp(o->name, "layer_epochs") == 0) tr_settings_set(s, "layer_epochs", "1");
    }
    return s;
}

/* A run of the model, with weights and all else from `options`; dir may be NULL. */
static inline tr_run *small_run(const tr_model_type *type, const char *dir,
                                const tr_train_options *options)
{
    tr_dataset *digits = tr_dataset_open("digits", NULL);
    tr_model   *model =
        tr_model_new(type, small_settings(type), TR_SHAPE(28, 28, 1), 10, options->seed);
    return tr_run_new(dir, model, digits, options);
}

/* The bytes of a file of a run. */
static inline char *read_bytes(const char *dir, const char *name, int64_t *count)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *bytes = tri_read_file(path, 1 << 26, count);
    ck_assert_msg(bytes != NULL, "%s", tr_error());
    return bytes;
}

/* The two run directories have the same bytes in this file. */
static inline void assert_same_file(const char *a, const char *b, const char *name)
{
    int64_t     n = 0, m = 0;
    const char *x = read_bytes(a, name, &n), *y = read_bytes(b, name, &m);
    ck_assert_msg(n == m && memcmp(x, y, (size_t)n) == 0, "%s of %s and %s differ", name, a, b);
}

/* Two runs are the same: all bytes of the weights, and all of the log but what tells the time. */
static inline void assert_same_run(const char *a, const char *b)
{
    char command[1600];
    assert_same_file(a, b, "model.safetensors");
    snprintf(command, sizeof command,
             "sed 's/,[^,]*,[^,]*$//' '%s/log.csv' >'%s.log' && "
             "sed 's/,[^,]*,[^,]*$//' '%s/log.csv' | cmp - '%s.log'",
             a, a, b, a);
    ck_assert_msg(system(command) == 0, "%s and %s differ", a, b);
}

#endif
