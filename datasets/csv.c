/* csv.c: a table of numbers between commas as a dataset, one row an example.
 *
 * Values are scaled, column by column, by the range of the training rows, so that columns of
 * different units weigh the same and a sigmoid can reach every value. Read next: dataset.c
 * (tri_split_rows). */
#include "datasets/source.h"

#include "tensor/core.h"

#include <math.h>
#include <string.h>

typedef struct csv_text {
    const char *path, *at;
    int64_t     line;
} csv_text;

static void skip_blanks(const char **at)
{
    while (**at == ' ' || **at == '\t') ++*at;
}

/* Digits into *value, with *places counting those read. */
static const char *digits(const char *at, double *value, int *places)
{
    for (; *at >= '0' && *at <= '9'; at++, ++*places) *value = *value * 10 + (*at - '0');
    return at;
}

/* A decimal number with a point, whatever the process's locale is; NULL where there is none. */
static const char *decimal(const char *at, double *value)
{
    double sign = *at == '-' ? -1 : 1, mantissa = 0, power = 0;
    int    before = 0, after = 0, count = 0;
    if (*at == '-' || *at == '+') at++;
    at = digits(at, &mantissa, &before);
    if (*at == '.') at = digits(at + 1, &mantissa, &after);
    if (before + after == 0) return NULL;
    if (*at == 'e' || *at == 'E') {
        double down = at[1] == '-' ? -1 : 1;
        at = digits(at + (at[1] == '-' || at[1] == '+' ? 2 : 1), &power, &count);
        if (count == 0) return NULL;
        power *= down;
    }
    *value = sign * mantissa * pow(10, power - after);
    return isfinite((float)*value) ? at : NULL;
}

/* One field, its separator included; false where it is no number. *last: the line ends after it. */
static bool field(csv_text *t, double *value, bool *last)
{
    const char *at = t->at;
    skip_blanks(&at);
    at = decimal(at, value);
    if (!at) return false;
    skip_blanks(&at);
    if (*at == '\r' && (at[1] == '\n' || at[1] == 0)) at++;
    if (*at != ',' && *at != '\n' && *at != 0) return false;
    *last = *at != ',';
    t->at = *at ? at + 1 : at;
    return true;
}

static int64_t count_lines(const char *text)
{
    int64_t lines = 0;
    for (const char *at = text; *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : "") lines++;
    return lines;
}

/* Numbers in the line at t; 0 where a field is no number: a header. */
static int64_t count_fields(csv_text t)
{
    double  value;
    bool    last = false;
    int64_t n = 0;
    for (; !last; n++)
        if (!field(&t, &value, &last)) return 0;
    return n;
}

static tr_status read_line(csv_text *t, float *row, int64_t columns)
{
    bool   last = false;
    double value;
    for (int64_t c = 0; c < columns; c++) {
        if (last)
            return tr_fail(TR_ERR_FILE, "%s: line %lld has %lld columns, the first has %lld",
                           t->path, (long long)t->line, (long long)c, (long long)columns);
        if (!field(t, &value, &last))
            return tr_fail(TR_ERR_FILE, "%s: line %lld, column %lld: \"%.*s\" is not a number",
                           t->path, (long long)t->line, (long long)c + 1,
                           (int)strcspn(t->at, ",\r\n"), t->at);
        row[c] = (float)value;
    }
    if (!last)
        return tr_fail(TR_ERR_FILE,
                       "%s: line %lld has more than %lld columns, as many as the first has",
                       t->path, (long long)t->line, (long long)columns);
    t->line++;
    return TR_OK;
}

/* Brings each column to [0, 1] by the smallest and largest value of the training rows; a column
 * that does not change becomes 0. */
static void scale_columns(const tr_dataset *d, float *values, int64_t rows)
{
    const int64_t *train = d->source->split[TR_TRAIN].row;
    for (int64_t c = 0; c < d->width; c++) {
        float low = values[train[0] * d->width + c], high = low;
        for (int64_t i = 1; i < d->count[TR_TRAIN]; i++) {
            float value = values[train[i] * d->width + c];
            low = value < low ? value : low;
            high = value > high ? value : high;
        }
        for (int64_t i = 0; i < rows; i++) {
            float *value = &values[i * d->width + c];
            *value = high > low ? (*value - low) / (high - low) : 0;
        }
    }
}

/* The text without blank lines at its end; NULL and an error for bytes that are no text. */
static const char *read_text(const char *path, int64_t *bytes)
{
    char *text = tri_read_file(path, INT64_MAX, bytes);
    if (!text) return NULL;
    if ((int64_t)strlen(text) != *bytes) {
        tr_fail(TR_ERR_FILE, "%s: is no text: byte %zu is 0", path, strlen(text));
        return NULL;
    }
    while (*bytes > 0 && strchr(" \t\r\n", text[*bytes - 1])) text[--*bytes] = 0;
    return text;
}

tr_status tri_open_csv(tr_dataset *d, const char *argument, const tr_dataset_options *options)
{
    if (!argument) return tr_fail(TR_ERR_VALUE, "csv: which file? expected csv:FILE");
    int64_t bytes = 0;
    csv_text t = { argument, read_text(argument, &bytes), 1 };
    if (!t.at) return tr_status_get();
    int64_t lines = count_lines(t.at), columns = lines > 0 ? count_fields(t) : 0;
    if (columns == 0 && lines > 1) { /* a header: the names of the columns */
        t.at = strchr(t.at, '\n') + 1;
        t.line = 2;
        lines--;
        columns = count_fields(t);
    }
    if (columns == 0)
        return tr_fail(TR_ERR_FILE, "%s: has no line of numbers between commas", argument);
    if (columns > (bytes + 1) / lines) /* each has a separator at least: memory is bounded */
        return tr_fail(TR_ERR_FILE,
                       "%s: its lines have fewer columns than the first, which has %lld", argument,
                       (long long)columns);
    float *values = tri_scratch((uint64_t)(lines * columns) * sizeof(float));
    for (int64_t i = 0; i < lines; i++)
        if (!values || read_line(&t, values + i * columns, columns) != TR_OK)
            return tr_status_get();
    d->height = d->channels = 1;
    d->width = columns;
    tri_rows rows = { .values = values };
    if (tri_split_rows(d, rows, lines, options->test_fraction) == TR_OK)
        scale_columns(d, values, lines);
    return tr_status_get();
}
