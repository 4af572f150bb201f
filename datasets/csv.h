/* csv.h: a file of rows and cells, as text. Not installed. Read next: table.c, which learns what
 * the columns mean. */
#ifndef TENREC_DATASETS_CSV_H
#define TENREC_DATASETS_CSV_H

#include "tensor/core.h"

enum { TRI_CSV_COLUMNS = 65536 }; /* at most */

typedef struct tri_csv {
    const char *path;
    char        separator; /* of , ; and tab, the one that the first line has most of */
    bool        header;    /* the first line has names: none of its cells is a number */
    int64_t     rows, columns;
    char      **name; /* [columns]; "c1", "c2", ... without a header */
    char      **cell; /* [rows, columns], without quotes and blanks around */
    int64_t    *line; /* [rows]: where a row begins in the file, from 1 */
} tri_csv;

/* Reads the file (RFC 4180: cells may be in double quotes; LF or CRLF; a byte order mark is
 * skipped, so are blank lines) into the innermost scope. Errors name line and column. */
tr_status tri_csv_read(tri_csv *t, const char *path);

/* Whether a cell is empty, NA, NaN or ?. */
bool tri_csv_missing(const char *cell);

/* A decimal number with a point, whatever the process's locale is, of size at most 1e300. */
bool tri_csv_number(const char *cell, double *value);

/* How many of its bytes a message shows, such that it stays one short line. */
int tri_csv_shown(const char *cell);

/* Sorts texts and leaves each once; how many are left. The place of a text among such; -1: none. */
int64_t tri_csv_sort(const char **text, int64_t count);
int64_t tri_csv_find(const char *const *sorted, int64_t count, const char *text);

/* Writes a cell, in quotes where it would not be read back as one. */
void tri_csv_write_cell(tri_writer *w, const char *cell, char separator);

/* The whole text in the innermost scope, without blank lines at its end and byte order mark; NULL
 * and an error for bytes that are no text. */
char *tri_csv_text(const char *path, int64_t *bytes);

#endif
