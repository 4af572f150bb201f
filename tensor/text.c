/* text.c: a text that grows, and the spelling of JSON strings and numbers in it.
 * Read next: json.c, which reads them back.                                      */
#include "tensor/json.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes and the final zero. */
static bool reserve(tri_text *t, size_t more)
{
    if (tri_failed()) return false;
    if (more < t->capacity - t->count) return true;
    const size_t capacity = 2 * (t->count + more) + 256;
    char *bytes = tri_scratch(capacity);
    if (bytes == NULL) return false;
    if (t->count > 0) memcpy(bytes, t->bytes, t->count);
    t->bytes = bytes;
    t->capacity = capacity;
    return true;
}

static void append(tri_text *t, const char *bytes, size_t count)
{
    if (!reserve(t, count)) return;
    memcpy(t->bytes + t->count, bytes, count);
    t->count += count;
    t->bytes[t->count] = '\0';
}

void tri_text_add(tri_text *t, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    if (length >= 0 && reserve(t, (size_t)length)) {
        vsnprintf(t->bytes + t->count, (size_t)length + 1, format, again);
        t->count += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

void tri_text_string(tri_text *t, const char *string)
{
    if (string == NULL) {
        append(t, "null", 4);
        return;
    }
    append(t, "\"", 1);
    for (const char *s = string; *s != '\0'; s++) {
        const unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            append(t, (char[]){ '\\', *s }, 2);
        else if (c == '\n')
            append(t, "\\n", 2);
        else if (c < 0x20)
            tri_text_add(t, "\\u%04x", (unsigned)c);
        else
            append(t, s, 1);
    }
    append(t, "\"", 1);
}

void tri_text_number(tri_text *t, double number)
{
    if (!isfinite(number)) {
        append(t, "null", 4);
        return;
    }
    char digits[64];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, number);
        if (strtod(digits, NULL) == number) break;
    }
    const char *locale_point = localeconv()->decimal_point;
    const char *point = strstr(digits, locale_point);
    const size_t before = point != NULL ? (size_t)(point - digits) : strlen(digits);
    append(t, digits, before);
    if (point == NULL) return;
    append(t, ".", 1);
    const char *after = point + strlen(locale_point);
    append(t, after, strlen(after));
}
