/* settings.c: the values of a model's options. They are kept as text, exactly as given, and checked
 * against kind and range when set: what reads them later cannot fail. */
#include "models/models.h"
#include "tensor/core.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tr_settings {
    const tr_option *options;
    int              count;
    char           **values;
};

tr_settings *tr_settings_new(const tr_option *options)
{
    if (!tri_given(options, "settings_new: the list of options")) return NULL;
    tr_settings *s = tr_scope_alloc(sizeof *s);
    if (s == NULL) return NULL;
    s->options = options;
    while (options[s->count].name != NULL) s->count++;
    s->values = tr_scope_alloc((uint64_t)(s->count + 1) * sizeof *s->values);
    for (int i = 0; i < s->count && !tri_failed(); i++)
        tr_settings_set(s, options[i].name, options[i].standard);
    return tri_failed() ? NULL : s;
}

const tr_option *tr_settings_options(const tr_settings *s)
{
    if (!tri_given(s, "settings_options: the settings")) return NULL;
    return s->options;
}

static int find(const tr_settings *s, const char *name)
{
    for (int i = 0; i < s->count; i++)
        if (strcmp(s->options[i].name, name) == 0) return i;
    return -1;
}

/* --- Checks
 * ---------------------------------------------------------------------------------------------- */

static tr_status fail_range(const tr_option *o, const char *value)
{
    const char *kind = o->kind == TR_OPTION_FLOAT ? "a number" : "a whole number";
    if (o->kind == TR_OPTION_SIZES) kind = "whole numbers separated by commas, each";
    return tr_fail(TR_ERR_VALUE, "option %s: \"%s\" is not %s in %.12g .. %.12g", o->name, value,
                   kind, o->least, o->most);
}

/* Reads one number; *end is set behind it. NaN where there is none. */
static double read_number(const char *text, bool whole, char **end)
{
    if (whole) {
        const long long n = strtoll(text, end, 10);
        return *end == text ? (double)NAN : (double)n;
    }
    const double x = strtod(text, end);
    return *end == text ? (double)NAN : x;
}

static tr_status check_numbers(const tr_option *o, const char *value)
{
    if (o->kind == TR_OPTION_SIZES && value[0] == '\0') return TR_OK;
    const char *at = value;
    for (int count = 1;; count++) {
        char        *end;
        const double x = read_number(at, o->kind != TR_OPTION_FLOAT, &end);
        if (!(x >= o->least && x <= o->most) || count > TR_MAX_SIZES) return fail_range(o, value);
        if (*end == '\0') return TR_OK;
        if (o->kind != TR_OPTION_SIZES || *end != ',') return fail_range(o, value);
        at = end + 1;
    }
}

static bool is_choice(const char *choices, const char *value)
{
    const size_t length = strlen(value);
    for (const char *at = choices; length > 0 && at != NULL;) {
        const char  *bar = strchr(at, '|');
        const size_t own = bar != NULL ? (size_t)(bar - at) : strlen(at);
        if (own == length && strncmp(at, value, length) == 0) return true;
        at = bar != NULL ? bar + 1 : NULL;
    }
    return false;
}

static tr_status check_value(const tr_option *o, const char *value)
{
    switch (o->kind) {
    case TR_OPTION_BOOL:
        if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0) return TR_OK;
        return tr_fail(TR_ERR_VALUE, "option %s: \"%s\" is neither true nor false", o->name, value);
    case TR_OPTION_CHOICE:
        if (is_choice(o->choices, value)) return TR_OK;
        return tr_fail(TR_ERR_VALUE, "option %s: \"%s\" is not one of %s", o->name, value,
                       o->choices);
    default: return check_numbers(o, value);
    }
}

static tr_status fail_unknown(const tr_settings *s, const char *name)
{
    char   known[360] = "";
    size_t used = 0;
    for (int i = 0; i < s->count && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                 s->options[i].name);
    return tr_fail(TR_ERR_VALUE, "unknown option \"%s\"; there are %s", name, known);
}

tr_status tr_settings_set(tr_settings *s, const char *name, const char *value)
{
    if (!tri_given(s, "settings_set: the settings") || !tri_given(name, "settings_set: the name") ||
        !tri_given(value, "settings_set: the value"))
        return tr_status_get();
    if (tri_failed()) return tr_status_get();
    const int i = find(s, name);
    if (i < 0) return fail_unknown(s, name);
    if (check_value(&s->options[i], value) != TR_OK) return tr_status_get();
    const size_t length = strlen(value);
    char        *copy = tr_scope_alloc(length + 1);
    if (copy == NULL) return tr_status_get();
    memcpy(copy, value, length);
    s->values[i] = copy;
    return TR_OK;
}

/* --- Reading
 * --------------------------------------------------------------------------------------------- */

const char *tr_settings_text(const tr_settings *s, const char *name)
{
    if (!tri_given(s, "settings_text: the settings") || !tri_given(name, "settings_text: the name"))
        return "";
    const int i = find(s, name);
    if (i >= 0) return s->values[i];
    fail_unknown(s, name);
    return "";
}

int64_t tr_settings_int(const tr_settings *s, const char *name)
{
    return strtoll(tr_settings_text(s, name), NULL, 10);
}

double tr_settings_float(const tr_settings *s, const char *name)
{
    return strtod(tr_settings_text(s, name), NULL);
}

bool tr_settings_bool(const tr_settings *s, const char *name)
{
    return tr_settings_is(s, name, "true");
}

bool tr_settings_is(const tr_settings *s, const char *name, const char *choice)
{
    if (!tri_given(choice, "settings_is: the choice")) return false;
    return strcmp(tr_settings_text(s, name), choice) == 0;
}

int tr_settings_sizes(const tr_settings *s, const char *name, int64_t sizes[TR_MAX_SIZES])
{
    if (!tri_given(sizes, "settings_sizes: the place for sizes")) return 0;
    const char *at = tr_settings_text(s, name);
    int         count = 0;
    while (*at != '\0' && count < TR_MAX_SIZES) {
        char *end;
        sizes[count++] = strtoll(at, &end, 10);
        at = *end == ',' ? end + 1 : end;
    }
    return count;
}
