/* json.c: reads JSON by recursive descent over bytes, with limits on depth and number of values, so
 * that a hostile file costs bounded time and memory. The decoded strings lie in one block: none is
 * longer than its source. Numbers do not depend on the locale of the host program. Read next:
 * text.c, which writes JSON.                                                             */
#include "tensor/json.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64, MAX_VALUES = 1 << 17, NODES_PER_BLOCK = 64, MAX_NUMBER = 64 };

typedef struct reader {
    const char *name;
    const char *text, *at, *end;
    int64_t base;
    char *strings;   /* where the next decoded string goes */
    tri_json *nodes; /* the block being used up */
    int nodes_left;
    int64_t values;
    int depth;
} reader;

static bool fail_at(const reader *r, const char *where, const char *problem)
{
    tr_fail(TR_ERR_FILE, "%s: byte %lld: %s", r->name, (long long)(r->base + (where - r->text)),
            problem);
    return false;
}

static bool fail_here(const reader *r, const char *problem)
{
    return fail_at(r, r->at, r->at == r->end ? "the text ends too early" : problem);
}

static void skip_space(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* The next byte, without taking it; 0 at the end. */
static char peek(const reader *r)
{
    return r->at < r->end ? *r->at : '\0';
}

static bool take(reader *r, char expected, const char *problem)
{
    if (peek(r) != expected || r->at == r->end) return fail_here(r, problem);
    r->at++;
    return true;
}

/* --- Strings ---------------------------------------------------------------------------------- */

static bool read_hex4(reader *r, unsigned *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        const char c = peek(r);
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (unsigned)(c - 'A') + 10;
        else
            return fail_here(r, "\\u needs four hexadecimal digits");
        *code = *code * 16 + digit;
        r->at++;
    }
    return true;
}

static char *put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned lead[] = { 0, 0xC0, 0xE0, 0xF0 };
    *out++ = (char)(lead[more] | code >> (6 * more));
    for (int i = more - 1; i >= 0; i--) *out++ = (char)(0x80 | (code >> (6 * i) & 0x3F));
    return out;
}

/* After "\u". */
static bool read_unicode(reader *r, char **out)
{
    const char *start = r->at - 2;
    unsigned code, low;
    if (!read_hex4(r, &code)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
        if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u')
            return fail_at(r, start, "half of a surrogate pair");
        r->at += 2;
        if (!read_hex4(r, &low)) return false;
        if (low < 0xDC00 || low > 0xDFFF) return fail_at(r, start, "half of a surrogate pair");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
        return fail_at(r, start, "half of a surrogate pair");
    }
    if (code == 0) return fail_at(r, start, "a zero byte in a string");
    *out = put_utf8(*out, code);
    return true;
}

/* After a backslash. */
static bool read_escape(reader *r, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char c = peek(r);
    const char *found = c != '\0' ? strchr(from, c) : NULL;
    if (found != NULL) {
        *(*out)++ = to[found - from];
        r->at++;
        return true;
    }
    if (c != 'u') return fail_here(r, "an unknown escape in a string");
    r->at++;
    return read_unicode(r, out);
}

int tri_utf8_length(const char *at, const char *end)
{
    const unsigned char *s = (const unsigned char *)at;
    const int            length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0x80) return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4 || end - at < length) return 0;
    for (int i = 1; i < length; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || /* overlong, surrogate */
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))   /* overlong, too large */
        return 0;
    return length;
}

static bool read_string(reader *r, const char **string)
{
    if (!take(r, '"', "a string was expected")) return false;
    char *out = r->strings;
    *string = out;
    while (r->at < r->end && *r->at != '"') {
        const unsigned char c = (unsigned char)*r->at;
        if (c < 0x20) return fail_here(r, "a control character in a string");
        if (c == '\\') {
            r->at++;
            if (!read_escape(r, &out)) return false;
            continue;
        }
        const int length = tri_utf8_length(r->at, r->end);
        if (length == 0) return fail_here(r, "the string is not UTF-8");
        memcpy(out, r->at, (size_t)length);
        out += length;
        r->at += length;
    }
    *out++ = '\0';
    r->strings = out;
    return take(r, '"', "the string does not end");
}

/* --- Numbers ---------------------------------------------------------------------------------- */

static int skip_digits(reader *r)
{
    int count = 0;
    for (; peek(r) >= '0' && peek(r) <= '9'; r->at++) count++;
    return count;
}

/* strtod reads the decimal point of the locale: spell the number with that. */
static double parse_double(const char *text, size_t length)
{
    const char *point = localeconv()->decimal_point;
    char spelled[MAX_NUMBER + 16];
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '.') {
            const size_t more = strnlen(point, 8);
            memcpy(spelled + used, point, more);
            used += more;
        } else {
            spelled[used++] = text[i];
        }
    }
    spelled[used] = '\0';
    return strtod(spelled, NULL);
}

static bool read_number(reader *r, tri_json *node)
{
    const char *start = r->at;
    const bool negative = peek(r) == '-';
    if (negative) r->at++;
    const bool zero = peek(r) == '0';
    const int digits = skip_digits(r);
    if (digits == 0) return fail_here(r, "a value was expected");
    if (zero && digits > 1) return fail_at(r, start, "a number that begins with 0");
    node->is_integer = true;
    if (peek(r) == '.') {
        node->is_integer = false;
        r->at++;
        if (skip_digits(r) == 0) return fail_here(r, "a digit was expected after the point");
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        node->is_integer = false;
        r->at++;
        if (peek(r) == '+' || peek(r) == '-') r->at++;
        if (skip_digits(r) == 0) return fail_here(r, "a digit was expected in the exponent");
    }
    const size_t length = (size_t)(r->at - start);
    if (length > MAX_NUMBER) return fail_at(r, start, "a number of more than 64 characters");
    node->kind = TRI_JSON_NUMBER;
    node->number = parse_double(start, length);
    if (!isfinite(node->number)) return fail_at(r, start, "a number too large");
    for (const char *c = start + negative; node->is_integer && c < r->at; c++) {
        const int digit = negative ? -(*c - '0') : *c - '0';
        if (__builtin_mul_overflow(node->integer, 10, &node->integer) ||
            __builtin_add_overflow(node->integer, digit, &node->integer))
            node->is_integer = false;
    }
    return true;
}

/* --- Values ----------------------------------------------------------------------------------- */

static tri_json *new_node(reader *r)
{
    if (r->values++ == MAX_VALUES) {
        fail_here(r, "more than 131072 values");
        return NULL;
    }
    if (r->nodes_left == 0) {
        r->nodes = tr_scope_alloc(NODES_PER_BLOCK * sizeof *r->nodes);
        if (r->nodes == NULL) return NULL;
        r->nodes_left = NODES_PER_BLOCK;
    }
    r->nodes_left--;
    r->nodes->offset = r->base + (r->at - r->text);
    return r->nodes++;
}

static bool read_literal(reader *r, tri_json *node)
{
    static const struct {
        const char *word;
        tri_json_kind kind;
        bool value;
    } literals[] = {
        {"true",   TRI_JSON_BOOL, true },
        { "false", TRI_JSON_BOOL, false},
        { "null",  TRI_JSON_NULL, false}
    };
    for (int i = 0; i < 3; i++) {
        const size_t length = strlen(literals[i].word);
        if ((size_t)(r->end - r->at) < length || memcmp(r->at, literals[i].word, length) != 0)
            continue;
        node->kind = literals[i].kind;
        node->boolean = literals[i].value;
        r->at += length;
        return true;
    }
    return fail_here(r, "a value was expected");
}

static int compare_keys(const void *a, const void *b)
{
    const tri_json *const *x = a, *const *y = b;
    const int order = strcmp((*x)->key, (*y)->key);
    return order != 0 ? order : ((*x)->offset > (*y)->offset) - ((*x)->offset < (*y)->offset);
}

/* Sorts an object's members, for look-ups and to find a key that is named twice. */
static bool index_members(reader *r, tri_json *object)
{
    const size_t count = (size_t)object->count;
    if (count == 0) return true;
    object->by_key = tri_scratch(count * sizeof *object->by_key);
    if (object->by_key == NULL) return false;
    size_t i = 0;
    for (const tri_json *m = object->first; m != NULL; m = m->next) object->by_key[i++] = m;
    qsort(object->by_key, count, sizeof *object->by_key, compare_keys);
    for (i = 1; i < count; i++) {
        if (strcmp(object->by_key[i - 1]->key, object->by_key[i]->key) != 0) continue;
        char problem[160];
        snprintf(problem, sizeof problem, "the key \"%.100s\" is named twice",
                 object->by_key[i]->key);
        return fail_at(r, r->text + (object->by_key[i]->offset - r->base), problem);
    }
    return true;
}

static tri_json *read_value(reader *r);

/* The members of an array or object up to its closing bracket. */
static bool read_members(reader *r, tri_json *parent)
{
    const bool object = parent->kind == TRI_JSON_OBJECT;
    const char close = object ? '}' : ']';
    const tri_json **tail = &parent->first;
    r->at++;
    skip_space(r);
    while (peek(r) != close) {
        if (parent->count > 0) {
            if (!take(r, ',', object ? "',' or '}' was expected" : "',' or ']' was expected"))
                return false;
            skip_space(r);
        }
        const char *key = NULL;
        if (object) {
            if (!read_string(r, &key)) return false;
            skip_space(r);
            if (!take(r, ':', "':' was expected")) return false;
            skip_space(r);
        }
        tri_json *member = read_value(r);
        if (member == NULL) return false;
        member->key = key;
        *tail = member;
        tail = &member->next;
        parent->count++;
        skip_space(r);
    }
    r->at++;
    return !object || index_members(r, parent);
}

static tri_json *read_value(reader *r)
{
    tri_json *node = new_node(r);
    if (node == NULL) return NULL;
    const char c = peek(r);
    bool good;
    if (c == '{' || c == '[') {
        if (r->depth == MAX_DEPTH) {
            fail_here(r, "values are nested more than 64 deep");
            return NULL;
        }
        node->kind = c == '{' ? TRI_JSON_OBJECT : TRI_JSON_ARRAY;
        r->depth++;
        good = read_members(r, node);
        r->depth--;
    } else if (c == '"') {
        node->kind = TRI_JSON_STRING;
        good = read_string(r, &node->string);
    } else if (c == 't' || c == 'f' || c == 'n') {
        good = read_literal(r, node);
    } else {
        good = read_number(r, node);
    }
    return good ? node : NULL;
}

const tri_json *tri_json_parse(const char *name, const char *text, int64_t length, int64_t base)
{
    reader r = { .name = name, .text = text, .at = text, .end = text + length, .base = base };
    r.strings = tri_scratch((uint64_t)length + 1);
    if (r.strings == NULL) return NULL;
    skip_space(&r);
    const tri_json *root = read_value(&r);
    if (root == NULL) return NULL;
    skip_space(&r);
    if (r.at == r.end) return root;
    fail_here(&r, "something follows the value");
    return NULL;
}

/* --- Look-ups --------------------------------------------------------------------------------- */

const tri_json *tri_json_find(const tri_json *object, const char *key)
{
    int64_t low = 0, high = object->kind == TRI_JSON_OBJECT ? object->count : 0;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const int order = strcmp(object->by_key[middle]->key, key);
        if (order == 0) return object->by_key[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const tri_json *tri_json_member(const tri_json *object, const char *name, const char *key,
                                tri_json_kind kind)
{
    static const char *const kinds[] = { "null",     "true or false", "a number",
                                         "a string", "an array",      "an object" };
    if (tri_failed()) return NULL;
    const tri_json *found = tri_json_find(object, key);
    if (found == NULL)
        tr_fail(TR_ERR_FILE, "%s: \"%s\" is missing", name, key);
    else if (found->kind != kind)
        tr_fail(TR_ERR_FILE, "%s: \"%s\" is %s; %s was expected", name, key, kinds[found->kind],
                kinds[kind]);
    return tri_failed() ? NULL : found;
}

const char *tri_json_string(const tri_json *object, const char *name, const char *key)
{
    const tri_json *found = tri_json_member(object, name, key, TRI_JSON_STRING);
    return found != NULL ? found->string : NULL;
}

double tri_json_number(const tri_json *object, const char *name, const char *key)
{
    const tri_json *found = tri_json_member(object, name, key, TRI_JSON_NUMBER);
    return found != NULL ? found->number : (double)NAN;
}

int64_t tri_json_integer(const tri_json *object, const char *name, const char *key, int64_t low,
                         int64_t high)
{
    const tri_json *found = tri_json_member(object, name, key, TRI_JSON_NUMBER);
    if (found == NULL) return low;
    if (found->is_integer && found->integer >= low && found->integer <= high) return found->integer;
    tr_fail(TR_ERR_FILE, "%s: \"%s\" is %.17g; it must be a whole number in %lld .. %lld", name,
            key, found->number, (long long)low, (long long)high);
    return low;
}

bool tri_json_bool(const tri_json *object, const char *name, const char *key)
{
    const tri_json *found = tri_json_member(object, name, key, TRI_JSON_BOOL);
    return found != NULL && found->boolean;
}
