/* json.h: a strict reader of JSON (RFC 8259) and the few helpers that writing it needs. Not
 * installed.
 *
 * A text is parsed into a tree in the innermost scope; tr_scope_pop frees it. Refused, beside what
 * the standard refuses: values nested more than 64 deep, more than 2^17 values, an object that
 * names a key twice, strings that hold a zero byte or text that is not UTF-8. Messages begin with
 * the name of the file and the offset of the byte at fault. Read next: safetensors.c, whose header
 * is JSON.                                                   */
#ifndef TENREC_JSON_H
#define TENREC_JSON_H

#include "tensor/core.h"

typedef enum tri_json_kind {
    TRI_JSON_NULL,
    TRI_JSON_BOOL,
    TRI_JSON_NUMBER,
    TRI_JSON_STRING,
    TRI_JSON_ARRAY,
    TRI_JSON_OBJECT
} tri_json_kind;

typedef struct tri_json {
    tri_json_kind kind;
    bool boolean;
    bool is_integer; /* written without fraction and exponent, and fits in `integer` */
    int64_t offset;  /* of its first byte */
    const char *key; /* of a member of an object */
    double number;
    int64_t integer;
    const char *string; /* UTF-8, escapes resolved */

    /* Of arrays and objects, in the order of the text. */
    int64_t count;
    const struct tri_json *first, *next;
    const struct tri_json **by_key; /* an object's members, sorted by key */
} tri_json;

/* Parses text[0 .. length). `name` (of the file) and `base` (the offset of the text in it) are for
 * messages. NULL and TR_ERR_FILE, naming the byte, where the text is no JSON. */
const tri_json *tri_json_parse(const char *name, const char *text, int64_t length, int64_t base);

/* The member with that key; NULL if there is none. */
const tri_json *tri_json_find(const tri_json *object, const char *key);

/* Members that must be there: fail with "NAME: KEY is missing", "NAME: KEY is a string; a number
 * was expected" or "NAME: KEY is 7; it must be in 0 .. 5". On error: NULL, NaN, low, false. */
const tri_json *tri_json_member(const tri_json *object, const char *name, const char *key,
                                tri_json_kind kind);
const char *tri_json_string(const tri_json *object, const char *name, const char *key);
double tri_json_number(const tri_json *object, const char *name, const char *key);
int64_t tri_json_integer(const tri_json *object, const char *name, const char *key, int64_t low,
                         int64_t high);
bool tri_json_bool(const tri_json *object, const char *name, const char *key);

/* Bytes of the well-formed UTF-8 sequence that begins at `at`, one to four; 0 if it is malformed. */
int tri_utf8_length(const char *at, const char *end);

/* A text that grows, in the scope that was innermost when it did. Zero-initialise. After an error
 * (out of memory) adding does nothing. */
typedef struct tri_text {
    char *bytes; /* zero-terminated; NULL while empty */
    size_t count, capacity;
} tri_text;

void tri_text_add(tri_text *t, const char *format, ...) TR_PRINTF(2, 3);
void tri_text_string(tri_text *t, const char *string); /* quoted and escaped; NULL becomes null */
void tri_text_number(tri_text *t, double number); /* the shortest that reads back the same; NaN and
                                                     infinities, which JSON lacks, become null */

#endif
