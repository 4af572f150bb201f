/* open.c: from words of the command line to runs and models. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

tr_run *open_run(const args *a, tr_open_mode mode, bool data)
{
    tr_run *run = tr_run_open(a->words[0], NULL, mode);
    if (run != NULL && data) tr_run_use_data(run, text_of(a, "data", NULL));
    return tr_status_get() == TR_OK ? run : NULL;
}

tr_settings *make_settings(const args *a, const tr_model_type *type)
{
    tr_settings *settings = tr_settings_new(type->options);
    for (int i = 0; i < a->given && settings != NULL; i++) {
        if (strcmp(a->names[i], "set") != 0) continue;
        const char *equals = strchr(a->values[i], '=');
        char        name[64];
        if (equals == NULL || (size_t)(equals - a->values[i]) >= sizeof name) {
            tr_fail(TR_ERR_VALUE, "--set is %s; it must be KEY=VALUE, such as --set %s=%s",
                    a->values[i], type->options[0].name, type->options[0].standard);
            return NULL;
        }
        snprintf(name, sizeof name, "%.*s", (int)(equals - a->values[i]), a->values[i]);
        tr_settings_set(settings, name, equals + 1);
    }
    return tr_status_get() == TR_OK ? settings : NULL;
}

const char *chosen_classes(const args *a, const char *name)
{
    const char *without = text_of(a, "exclude", NULL);
    if (without == NULL) return text_of(a, name, NULL);
    char *text = tr_scope_alloc(strlen(without) + 2);
    if (text != NULL) snprintf(text, strlen(without) + 2, "!%s", without);
    return text;
}

tr_model *make_model(const args *a, const char *name, tr_shape input, int64_t classes,
                     uint64_t seed)
{
    const tr_model_type *type = tr_model_find(name);
    tr_settings         *settings = type != NULL ? make_settings(a, type) : NULL;
    return settings != NULL ? tr_model_new(type, settings, input, classes, seed) : NULL;
}

void write_settings(const tr_option *o)
{
    for (; o->name != NULL; o++) {
        char left[64];
        snprintf(left, sizeof left, "%s=%s", o->name, o->standard);
        printf("  %-24s %s", left, o->help);
        if (o->kind == TR_OPTION_CHOICE)
            printf(" (%s)", o->choices);
        else if (o->kind == TR_OPTION_BOOL)
            printf(" (true|false)");
        else
            printf(" (%.12g .. %.12g)", o->least, o->most);
        printf("\n");
    }
}

bool read_size(const char *text, tr_shape *input)
{
    const char *at = text;
    char       *end;
    *input = (tr_shape){ .rank = 3 };
    for (int i = 0; i < 3; i++) {
        input->dim[i] = strtoll(at, &end, 10);
        if (end == at || input->dim[i] < 1 || input->dim[i] > 65536) return false;
        if (*end != (i < 2 ? 'x' : '\0')) return false;
        at = end + 1;
    }
    return true;
}
