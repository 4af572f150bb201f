/* csv.c: the text of a table: from bytes to cells.
 *
 * Cells are cut out of the text where they lie: an end is marked by a zero byte, quotes are taken
 * off in place. Each cell takes a byte of the text at least, which bounds the memory for them.
 * Nothing is known here of what a cell means, beside what a number and a missing value look like.
 * Read next: table.c. */
#include "datasets/csv.h"

#include "tensor/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- Cells -------------------------------------------------------------------------------- */

bool tri_csv_missing(const char *cell)
{
    return cell[0] == '\0' || strcasecmp(cell, "na") == 0 || strcasecmp(cell, "nan") == 0 ||
           strcmp(cell, "?") == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int64_t tri_csv_sort(const char **text, int64_t count)
{
    int64_t left = 0;
    qsort(text, (size_t)count, sizeof *text, by_text);
    for (int64_t i = 0; i < count; i++)
        if (left == 0 || strcmp(text[i], text[left - 1]) != 0) text[left++] = text[i];
    return left;
}

int64_t tri_csv_find(const char *const *sorted, int64_t count, const char *text)
{
    const char *const *found = bsearch(&text, sorted, (size_t)count, sizeof *sorted, by_text);
    return found != NULL ? found - sorted : -1;
}

int tri_csv_shown(const char *cell)
{
    const size_t length = strcspn(cell, "\r\n");
    return length < 40 ? (int)length : 40;
}

/* Digits into *value, with *places counting those read. */
static const char *digits(const char *at, double *value, int *places)
{
    for (; *at >= '0' && *at <= '9'; at++, ++*places) *value = *value * 10 + (*at - '0');
    return at;
}

bool tri_csv_number(const char *cell, double *value)
{
    const char  *at = cell + (*cell == '-' || *cell == '+');
    const double sign = *cell == '-' ? -1 : 1;
    double       mantissa = 0, power = 0;
    int          before = 0, after = 0, count = 0;
    at = digits(at, &mantissa, &before);
    if (*at == '.') at = digits(at + 1, &mantissa, &after);
    if (before + after == 0) return false;
    if (*at == 'e' || *at == 'E') {
        const bool down = at[1] == '-';
        at = digits(at + (at[1] == '-' || at[1] == '+' ? 2 : 1), &power, &count);
        if (count == 0) return false;
        power = down ? -power : power;
    }
    power -= after; /* a quotient is rounded once, as the decimal number itself is */
    *value = sign * (power < 0 ? mantissa / pow(10, -power) : mantissa * pow(10, power));
    return *at == '\0' && fabs(*value) <= 1e300;
}

void tri_csv_write_cell(tri_writer *w, const char *cell, char separator)
{
    const char special[] = { separator, '"', '\n', '\r', '\0' };
    const bool outer = cell[0] == ' ' || (cell[0] != '\0' && cell[strlen(cell) - 1] == ' ');
    if (strpbrk(cell, special) == NULL && !outer) {
        tri_writer_printf(w, "%s", cell);
        return;
    }
    tri_writer_printf(w, "\"");
    for (; *cell != '\0'; cell++) tri_writer_printf(w, "%s%c", *cell == '"' ? "\"" : "", *cell);
    tri_writer_printf(w, "\"");
}

/* --- From text to cells ------------------------------------------------------------------- */

typedef struct reader {
    const char *path;
    char       *at;
    char        separator;
    int64_t     line;
} reader;

static bool is_blank(const reader *r, char c)
{
    return (c == ' ' || c == '\t') && c != r->separator;
}

static bool ends_line(const char *at)
{
    return *at == '\n' || *at == '\0' || (*at == '\r' && (at[1] == '\n' || at[1] == '\0'));
}

/* Takes the quotes off the cell that begins with one; the character after it, or NULL and an error.
 */
static char *unquote(reader *r, char *out)
{
    const int64_t line = r->line;
    char         *at = r->at + 1;
    for (;; at++) {
        if (*at == '\0') {
            tr_fail(TR_ERR_FILE, "%s: line %lld: a cell begins with \" and has no other", r->path,
                    (long long)line);
            return NULL;
        }
        if (*at == '"' && *++at != '"') break;
        r->line += *at == '\n';
        *out++ = *at;
    }
    while (is_blank(r, *at)) at++;
    if (!ends_line(at) && *at != r->separator) {
        tr_fail(TR_ERR_FILE, "%s: line %lld: \"%.*s\" follows a cell in quotes", r->path,
                (long long)r->line, tri_csv_shown(at), at);
        return NULL;
    }
    *out = '\0';
    return at;
}

/* The next cell, its separator included; *last: the line ends after it. NULL and an error. */
static char *take_cell(reader *r, bool *last)
{
    while (is_blank(r, *r->at)) r->at++;
    char *cell = r->at, *at = r->at, *end = NULL;
    if (*at == '"') {
        at = unquote(r, cell);
        if (at == NULL) return NULL;
    } else {
        for (end = at; !ends_line(at) && *at != r->separator; at++)
            if (!is_blank(r, *at)) end = at + 1;
    }
    *last = *at != r->separator;
    if (*at == '\r') at++;
    r->line += *at == '\n';
    r->at = *at != '\0' ? at + 1 : at;
    if (end != NULL) *end = '\0'; /* last, for it may stand where the separator was */
    return cell;
}

static void skip_blank_lines(reader *r)
{
    for (char *at = r->at;; at++) {
        if (*at == '\n') r->line++;
        if (*at == '\n' || *at == '\0') r->at = at + (*at == '\n');
        if (*at != '\n' && *at != '\r' && !is_blank(r, *at)) return;
    }
}

/* How many of a character the first line has outside of quotes, which open where a cell begins. */
static int64_t count_in_line(const char *at, char wanted)
{
    int64_t count = 0;
    bool    quoted = false, begins = true;
    for (; *at != '\0' && (quoted || *at != '\n'); at++) {
        if (*at == '"') quoted = !quoted && begins;
        count += !quoted && *at == wanted;
        begins = strchr(",;\t", *at) != NULL || (begins && *at == ' ');
    }
    return count;
}

static char find_separator(const char *text)
{
    char    best = ',';
    int64_t most = count_in_line(text, best);
    for (const char *other = ";\t"; *other != '\0'; other++) {
        const int64_t count = count_in_line(text, *other);
        if (count > most) best = *other;
        if (count > most) most = count;
    }
    return best;
}

static int64_t count_lines(const char *text)
{
    int64_t lines = 1;
    for (; *text != '\0'; text++) lines += *text == '\n';
    return lines;
}

/* Cells of one row, exactly as many as there are columns. */
static tr_status read_row(reader *r, const tri_csv *t, char **cell)
{
    const int64_t line = r->line;
    bool          last = false;
    for (int64_t c = 0; c < t->columns; c++) {
        if (last)
            return tr_fail(TR_ERR_FILE, "%s: line %lld has %lld columns, the first has %lld",
                           t->path, (long long)line, (long long)c, (long long)t->columns);
        cell[c] = take_cell(r, &last);
        if (cell[c] == NULL) return tr_status_get();
    }
    if (last) return tr_status_get();
    return tr_fail(TR_ERR_FILE,
                   "%s: line %lld has more than %lld columns, as many as the first has", t->path,
                   (long long)line, (long long)t->columns);
}

static tr_status read_rows(reader *r, tri_csv *t, int64_t cells)
{
    for (skip_blank_lines(r); *r->at != '\0'; skip_blank_lines(r)) {
        if ((t->rows + 1) * t->columns > cells) /* only where rows are short: says where */
            return tr_fail(TR_ERR_FILE,
                           "%s: line %lld: its rows have fewer columns than the first, "
                           "which has %lld",
                           t->path, (long long)r->line, (long long)t->columns);
        t->line[t->rows] = r->line;
        if (read_row(r, t, t->cell + t->rows * t->columns) != TR_OK) return tr_status_get();
        t->rows++;
    }
    return tr_status_get();
}

/* --- The file ----------------------------------------------------------------------------- */

/* The first row gives the names where none of its cells is a number or missing. */
static tr_status name_columns(tri_csv *t)
{
    double value;
    t->header = t->rows > 0;
    for (int64_t c = 0; c < t->columns && t->header; c++)
        t->header = !tri_csv_number(t->cell[c], &value) && strcmp(t->cell[c], "?") != 0;
    if (t->header) {
        t->name = t->cell;
        t->cell += t->columns;
        t->line++;
        t->rows--;
    } else {
        t->name = tr_scope_alloc((uint64_t)t->columns * sizeof *t->name);
    }
    for (int64_t c = 0; c < t->columns && t->name != NULL; c++) {
        if (t->header && t->name[c][0] != '\0') continue;
        char *made = tr_scope_alloc(24);
        if (made == NULL) return tr_status_get();
        snprintf(made, 24, "c%lld", (long long)c + 1);
        t->name[c] = made;
    }
    return tr_status_get();
}

/* Names are kept in a run as JSON, which is UTF-8. */
static tr_status check_utf8(const char *path, const char *text, int64_t bytes)
{
    int64_t line = 1;
    int     length;
    for (const char *at = text; at < text + bytes; at += length) {
        length = tri_utf8_length(at, text + bytes);
        if (length == 0)
            return tr_fail(TR_ERR_FILE,
                           "%s: line %lld is not in UTF-8; iconv -t utf-8 converts files", path,
                           (long long)line);
        line += *at == '\n';
    }
    return tr_status_get();
}

char *tri_csv_text(const char *path, int64_t *bytes)
{
    char *text = tri_read_file(path, INT64_MAX, bytes);
    if (text == NULL) return NULL;
    if ((int64_t)strlen(text) != *bytes) {
        tr_fail(TR_ERR_FILE, "%s: is no text: byte %zu is 0", path, strlen(text));
        return NULL;
    }
    while (*bytes > 0 && strchr("\r\n", text[*bytes - 1]) != NULL) text[--*bytes] = '\0';
    if (check_utf8(path, text, *bytes) != TR_OK) return NULL;
    const bool mark = memcmp(text, "\xEF\xBB\xBF", *bytes >= 3 ? 3 : (size_t)*bytes + 1) == 0;
    *bytes -= mark ? 3 : 0;
    return mark ? text + 3 : text;
}

tr_status tri_csv_read(tri_csv *t, const char *path)
{
    int64_t bytes = 0;
    char   *text = tri_csv_text(path, &bytes);
    if (text == NULL) return tr_status_get();
    reader r = { path, text, ',', 1 };
    skip_blank_lines(&r);
    r.separator = find_separator(r.at);
    const int64_t lines = count_lines(r.at), columns = count_in_line(r.at, r.separator) + 1;
    *t = (tri_csv){ .path = path, .separator = r.separator, .columns = columns };
    if (columns > TRI_CSV_COLUMNS)
        return tr_fail(TR_ERR_FILE, "%s: has %lld columns; at most %d are taken", path,
                       (long long)columns, TRI_CSV_COLUMNS);
    const int64_t cells = lines * columns < bytes + 1 ? lines * columns : bytes + 1;
    t->cell = tr_scope_alloc((uint64_t)cells * sizeof *t->cell);
    t->line = tr_scope_alloc((uint64_t)(lines + 1) * sizeof *t->line);
    if (t->cell == NULL || t->line == NULL || read_rows(&r, t, cells) != TR_OK)
        return tr_status_get();
    if (name_columns(t) != TR_OK) return tr_status_get();
    return t->rows > 0 ? TR_OK : tr_fail(TR_ERR_FILE, "%s: has no row of data", path);
}
