/* ratings.c: ratings:FILE, lines of user, item and rating, as a dataset: a row for each user, a
 * value for each item, most of them missing (Sedhain et al. 2015, "AutoRec").
 *
 * Of each user some ratings are held out, chosen by a hash of seed, user and item. Both splits have
 * all users, and x is the same in both: the ratings that are not held out. What a model should give
 * are these in the train split, the others in the test split. So the loss of the test split is the
 * error of ratings that nothing was trained on. Ratings are kept as a list, users in order, items
 * in order within a user; a row is filled in when it is read. Read next: table.h (items are
 * columns of numbers). */
#include "datasets/csv.h"
#include "datasets/source.h"

#include "tensor/core.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct rating {
    int32_t  user, item;
    float    value; /* at first as in the file, then scaled to [0, 1] */
    bool     held_out;
    int64_t  line;
    uint64_t lot; /* those with the least are held out */
} rating;

struct tri_ratings {
    int64_t *first; /* [users + 1]: where the ratings of a user begin */
    rating  *rating;
    int64_t  items;
};

/* --- From text to names and numbers ----------------------------------------------------------- */

typedef struct lines {
    const char  *path;
    int64_t      count;
    const char **user, **item; /* [count] */
    double      *value;
    int64_t     *line;
} lines;

static const char *find_separator(const char *text)
{
    static const char *const known[] = { "::", "\t", ";", "," };
    const size_t             length = strcspn(text, "\n");
    for (int i = 0; i < 4; i++) {
        const char *at = strstr(text, known[i]);
        if (at != NULL && at < text + length) return known[i];
    }
    return ",";
}

/* The text up to the separator or the end, blanks at both ends taken off; *at goes behind it. */
static char *take_field(char **at, const char *separator)
{
    char *field = *at + strspn(*at, " "), *end = strstr(field, separator);
    *at = end != NULL ? end + strlen(separator) : field + strlen(field);
    if (end == NULL) end = *at;
    while (end > field && (end[-1] == ' ' || end[-1] == '\r')) end--;
    *end = '\0';
    return field;
}

/* False where the line is no rating. */
static bool read_line(lines *l, char *text, const char *separator, int64_t line)
{
    char         *at = text;
    const int64_t n = l->count;
    l->user[n] = take_field(&at, separator);
    l->item[n] = take_field(&at, separator);
    l->line[n] = line;
    if (!tri_csv_number(take_field(&at, separator), &l->value[n])) return false;
    if (l->user[n][0] == '\0' || l->item[n][0] == '\0') return false;
    l->count++;
    return true;
}

static tr_status read_lines(lines *l, const char *path)
{
    int64_t bytes = 0, most = 1, line = 0;
    char   *text = tri_csv_text(path, &bytes);
    if (text == NULL) return tr_status_get();
    for (const char *at = text; *at != '\0'; at++) most += *at == '\n';
    *l = (lines){ .path = path };
    l->user = tr_scope_alloc((uint64_t)most * sizeof *l->user);
    l->item = tr_scope_alloc((uint64_t)most * sizeof *l->item);
    l->value = tr_scope_alloc((uint64_t)most * sizeof *l->value);
    l->line = tr_scope_alloc((uint64_t)most * sizeof *l->line);
    if (l->user == NULL || l->item == NULL || l->value == NULL || l->line == NULL)
        return tr_status_get();
    const char *separator = find_separator(text);
    bool        first = true; /* which may be a header */
    for (char *at = text, *next; *at != '\0'; at = next) {
        char *end = strchr(at, '\n');
        next = end != NULL ? end + 1 : at + strlen(at);
        if (end != NULL) *end = '\0';
        line++;
        if (at[strspn(at, " \t\r")] == '\0') continue;
        if (!read_line(l, at, separator, line) && !first)
            return tr_fail(TR_ERR_FILE, "%s: line %lld is no user, item and rating with %s between",
                           path, (long long)line, separator[0] == '\t' ? "tabs" : separator);
        first = false;
    }
    return l->count > 0 ? TR_OK : tr_fail(TR_ERR_FILE, "%s: has no ratings", path);
}

/* --- Users, items, ratings -------------------------------------------------------------------- */

/* Each name once, sorted. */
static const char **names_of(const char **all, int64_t count, int64_t *unique)
{
    const char **sorted = tr_scope_alloc((uint64_t)count * sizeof *sorted);
    if (sorted == NULL) return NULL;
    memcpy(sorted, all, (size_t)count * sizeof *sorted);
    *unique = tri_csv_sort(sorted, count);
    return sorted;
}

/* The items of the file, or those of the table that was trained on. */
static const char **items_of(const lines *l, const tr_table *given, int64_t *count)
{
    if (given == NULL) return names_of(l->item, l->count, count);
    const char **item = tr_scope_alloc((uint64_t)given->columns * sizeof *item);
    for (int64_t c = 0; c < given->columns && item != NULL; c++) {
        item[c] = given->column[c].name;
        if (given->column[c].kind != TR_COLUMN_NUMBER ||
            (c > 0 && strcmp(item[c - 1], item[c]) >= 0)) {
            tr_fail(TR_ERR_FILE, "%s: the run was trained on a table, not on ratings", l->path);
            return NULL;
        }
    }
    *count = given->columns;
    return item;
}

static int by_place(const void *a, const void *b)
{
    const rating *x = a, *y = b;
    if (x->user != y->user) return x->user < y->user ? -1 : 1;
    return x->item != y->item ? (x->item < y->item ? -1 : 1) : (x->line < y->line ? -1 : 1);
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static tr_status sort_ratings(const lines *l, const tr_dataset *d, const char **item,
                              tri_ratings *r)
{
    for (int64_t i = 0; i < l->count; i++) {
        const int64_t column = tri_csv_find(item, r->items, l->item[i]);
        if (column < 0)
            return tr_fail(TR_ERR_FILE, "%s: line %lld: item \"%.*s\" was not trained on", l->path,
                           (long long)l->line[i], tri_csv_shown(l->item[i]), l->item[i]);
        const int64_t user = tri_csv_find(d->row_names, d->count[TR_TRAIN], l->user[i]);
        r->rating[i] = (rating){ .user = (int32_t)user,
                                 .item = (int32_t)column,
                                 .value = (float)fmax(-1e30, fmin(1e30, l->value[i])),
                                 .line = l->line[i] };
    }
    qsort(r->rating, (size_t)l->count, sizeof *r->rating, by_place);
    for (int64_t i = 0; i < l->count; i++) {
        const rating *one = &r->rating[i];
        if (i > 0 && one[-1].user == one->user && one[-1].item == one->item)
            return tr_fail(TR_ERR_FILE,
                           "%s: lines %lld and %lld rate the same item by the same user", l->path,
                           (long long)one[-1].line, (long long)one->line);
        r->first[one->user + 1] = i + 1;
    }
    return TR_OK;
}

/* Marks a share of each user's ratings, rounded, but not all of them. */
static tr_status hold_out(tri_ratings *r, int64_t users, double share, uint64_t seed)
{
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    tr_scope      *scope = tr_scope_push();
    uint64_t      *lots = tri_scratch((uint64_t)r->items * sizeof *lots);
    for (int64_t u = 0; u < users && lots != NULL; u++) {
        rating       *own = r->rating + r->first[u];
        const int64_t n = r->first[u + 1] - r->first[u];
        int64_t       wanted = (int64_t)(share * (double)n + 0.5);
        if (wanted >= n) wanted = n - 1;
        for (int64_t k = 0; k < n; k++) {
            const uint32_t counter[4] = { (uint32_t)own[k].user, (uint32_t)own[k].item, 1, 0 };
            uint32_t       out[4];
            tr_rng_philox(counter, key, out);
            lots[k] = own[k].lot = (uint64_t)out[0] << 32 | out[1];
        }
        qsort(lots, (size_t)n, sizeof *lots, by_number);
        for (int64_t k = 0; k < n; k++) own[k].held_out = wanted > 0 && own[k].lot < lots[wanted];
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

/* --- Columns -------------------------------------------------------------------------------- */

/* Items as columns on one scale, that of all ratings; the mean is over ratings that are shown, or
 * of an item without any that of all. */
static tr_status learn(const tri_ratings *r, int64_t ratings, int64_t users, const char **item,
                       tr_column *column)
{
    double low = (double)INFINITY, high = -(double)INFINITY, sum = 0, shown = 0;
    for (int64_t i = 0; i < ratings; i++) {
        const rating *one = &r->rating[i];
        tr_column    *c = &column[one->item];
        low = fmin(low, (double)one->value);
        high = fmax(high, (double)one->value);
        if (one->held_out) continue;
        sum += (double)one->value;
        shown++;
        c->missing++; /* as yet those that are there */
        c->mean += ((double)one->value - c->mean) / c->missing;
    }
    for (int64_t c = 0; c < r->items; c++) {
        const double there = column[c].missing;
        column[c] =
            (tr_column){ .name = item[c],
                         .kind = TR_COLUMN_NUMBER,
                         .low = low,
                         .high = high,
                         .mean = fmax(low, fmin(high, there > 0 ? column[c].mean : sum / shown)),
                         .first = c,
                         .missing = 1 - there / (double)users };
    }
    return tr_status_get();
}

static tr_table *make_table(const lines *l, tri_ratings *r, const tr_dataset *d, const char **item,
                            const tr_table *given)
{
    tr_table  *table = tr_scope_alloc(sizeof *table);
    tr_column *column = tr_scope_alloc((uint64_t)r->items * sizeof *column);
    if (table == NULL || column == NULL) return NULL;
    learn(r, l->count, d->count[TR_TRAIN], item, column);
    for (int64_t c = 0; c < r->items && given != NULL; c++) {
        const double missing = column[c].missing;
        column[c] = given->column[c];
        column[c].missing = missing;
    }
    *table = (tr_table){ l->path, r->items, r->items, column };
    return table;
}

/* --- The dataset ---------------------------------------------------------------------------- */

void tri_ratings_read(const tri_ratings *r, int64_t user, bool held_out, float *x)
{
    for (int64_t i = 0; i < r->items; i++) x[i] = NAN;
    for (int64_t k = r->first[user]; k < r->first[user + 1]; k++)
        if (r->rating[k].held_out == held_out) x[r->rating[k].item] = r->rating[k].value;
}

static tr_status finish(tr_dataset *d, tri_ratings *r, int64_t ratings)
{
    const tr_column *first = d->table->column;
    const float      low = (float)first->low,
                range = first->high > first->low ? (float)first->high - low : 1;
    d->blank = tr_empty(TR_F32, TR_SHAPE(1, r->items, 1));
    for (int64_t i = 0; i < ratings; i++) r->rating[i].value = (r->rating[i].value - low) / range;
    for (int64_t c = 0; c < r->items && d->blank != NULL; c++)
        ((float *)d->blank->data)[c] = ((float)first[c].mean - low) / range;
    d->height = d->channels = 1;
    d->width = r->items;
    d->has_missing = d->has_target = true;
    d->source->ratings = r;
    return tr_status_get();
}

tr_status tri_open_ratings(tr_dataset *d, const char *argument, const tr_dataset_options *options)
{
    if (argument == NULL)
        return tr_fail(TR_ERR_VALUE, "ratings: which file? expected ratings:FILE");
    lines        l = { 0 };
    int64_t      users = 0;
    char        *path = tri_copy_text(argument);
    tri_ratings *r = tr_scope_alloc(sizeof *r);
    if (path == NULL || r == NULL || read_lines(&l, path) != TR_OK) return tr_status_get();
    const char **item = items_of(&l, options->table, &r->items);
    d->row_names = item != NULL ? names_of(l.user, l.count, &users) : NULL;
    if (d->row_names == NULL) return tr_status_get();
    if (r->items > TRI_CSV_COLUMNS)
        return tr_fail(TR_ERR_FILE, "%s: has %lld items; at most %d are taken", path,
                       (long long)r->items, TRI_CSV_COLUMNS);
    d->count[TR_TRAIN] = d->count[TR_TEST] = users;
    r->first = tr_scope_alloc((uint64_t)(users + 1) * sizeof *r->first);
    r->rating = tr_scope_alloc((uint64_t)l.count * sizeof *r->rating);
    if (r->first == NULL || r->rating == NULL || sort_ratings(&l, d, item, r) != TR_OK)
        return tr_status_get();
    const double share = options->test_fraction < 1 ? options->test_fraction : 0;
    if (hold_out(r, users, share, options->seed) != TR_OK) return tr_status_get();
    d->table = make_table(&l, r, d, item, options->table);
    return d->table != NULL ? finish(d, r, l.count) : tr_status_get();
}
