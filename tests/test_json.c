/* The JSON reader on its own: values, look-ups, errors, and the writer's texts read back. What it
 * refuses is tested in test_files.c, through the headers of hostile files. */
#include "tensor/json.h"
#include "tests/suite.h"

#include <locale.h>
#include <math.h>
#include <string.h>

static tr_scope *scope;

static void setup(void)
{
    scope = tr_scope_push();
}

static void teardown(void)
{
    tr_scope_pop(scope);
    tr_error_clear();
}

static const tri_json *parse(const char *text)
{
    return tri_json_parse("c.json", text, (int64_t)strlen(text), 0);
}

START_TEST(values)
{
    const tri_json *v = parse(" [ null , true,false,\t-0, 12.5e-1 ,\r\n\"\", [], {} ] ");
    ck_assert_ptr_nonnull(v);
    ck_assert_int_eq(v->count, 8);
    static const tri_json_kind kinds[] = { TRI_JSON_NULL,   TRI_JSON_BOOL,   TRI_JSON_BOOL,
                                           TRI_JSON_NUMBER, TRI_JSON_NUMBER, TRI_JSON_STRING,
                                           TRI_JSON_ARRAY,  TRI_JSON_OBJECT };
    const tri_json *m = v->first;
    for (int i = 0; i < 8; i++, m = m->next) ck_assert_int_eq(m->kind, kinds[i]);
    ck_assert_ptr_null(m);
    ck_assert(v->first->next->boolean && !v->first->next->next->boolean);
    m = v->first->next->next->next;
    ck_assert(m->is_integer && m->integer == 0);
    ck_assert(!m->next->is_integer);
    ck_assert_double_eq(m->next->number, 1.25);
}
END_TEST

/* A document that is one value, whose last byte is the document's. */
START_TEST(single_values)
{
    ck_assert_int_eq(parse("null")->kind, TRI_JSON_NULL);
    ck_assert(parse("true")->boolean);
    ck_assert_int_eq(parse("false")->kind, TRI_JSON_BOOL);
    ck_assert_int_eq(parse("-17")->integer, -17);
    ck_assert_str_eq(parse("\"\"")->string, "");
    ck_assert_int_eq(parse("[]")->count, 0);
}
END_TEST

START_TEST(integers)
{
    const tri_json *v = parse("[9223372036854775807,-9223372036854775808,9223372036854775808,1e2]");
    const tri_json *m = v->first;
    ck_assert(m->is_integer && m->integer == INT64_MAX);
    m = m->next;
    ck_assert(m->is_integer && m->integer == INT64_MIN);
    ck_assert(!m->next->is_integer && m->next->number == 0x1p63);
    ck_assert(!m->next->next->is_integer && m->next->next->number == 100);
}
END_TEST

START_TEST(strings)
{
    const tri_json *v =
        parse("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\","
              "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"]");
    ck_assert_ptr_nonnull(v);
    ck_assert_str_eq(v->first->string, "\"\\/\b\f\n\r\t");
    ck_assert_str_eq(v->first->next->string, "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    ck_assert_str_eq(v->first->next->next->string, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    /* The first and the last of each length. */
    ck_assert_str_eq(parse("\"\\u0001\\u007f\\u0080\\u07ff\\u0800\\uffff\"")->string,
                     "\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf");
    ck_assert_str_eq(parse("\"\\ud800\\udc00\\udbff\\udfff\"")->string,
                     "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
}
END_TEST

/* The length of the UTF-8 sequence by decoding it; 0 where RFC 3629 has none. */
static int decoded_length(const unsigned char *s)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    int                   length = 0;
    while (length < 8 && (s[0] << length & 0x80) != 0) length++;
    if (length == 0) return 1;
    if (length == 1 || length > 4) return 0;
    uint32_t value = s[0] & (0x7FU >> length);
    for (int i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
        value = value << 6 | (s[i] & 0x3FU);
    }
    const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    return value < least[length] || value > 0x10FFFF || surrogate ? 0 : length;
}

START_TEST(utf8)
{
    static const unsigned char edges[] = { 0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F,
                                           0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xFF };
    enum { EDGES = sizeof edges };
    unsigned char s[4];
    for (int lead = 0; lead < 256; lead++)
        for (int i = 0; i < EDGES * EDGES * EDGES; i++) {
            s[0] = (unsigned char)lead;
            s[1] = edges[i % EDGES], s[2] = edges[i / EDGES % EDGES], s[3] = edges[i / EDGES / EDGES];
            const int   length = decoded_length(s);
            const char *at = (const char *)s;
            ck_assert_msg(tri_utf8_length(at, at + 4) == length, "%02x %02x %02x %02x", s[0], s[1],
                          s[2], s[3]);
            if (length > 1) ck_assert_int_eq(tri_utf8_length(at, at + length - 1), 0);
        }
}
END_TEST

START_TEST(look_ups)
{
    const tri_json *v = parse("{\"z\":1,\"a\":\"s\",\"m\":true,\"r\":0.5,\"\":[2]}");
    ck_assert_str_eq(v->first->key, "z"); /* in the order of the text */
    ck_assert_int_eq(tri_json_integer(v, "c", "z", 0, 5), 1);
    ck_assert_str_eq(tri_json_string(v, "c", "a"), "s");
    ck_assert(tri_json_bool(v, "c", "m"));
    ck_assert_double_eq(tri_json_number(v, "c", "r"), 0.5);
    ck_assert_int_eq(tri_json_find(v, "")->first->integer, 2);
    ck_assert_ptr_null(tri_json_find(v, "b"));
    ck_assert_ptr_null(tri_json_find(tri_json_find(v, "r"), "b"));
    ck_assert_ptr_null(tr_error());
    ck_assert_ptr_null(tri_json_string(v, "c", "b"));
    expect_error(TR_ERR_FILE, "c: \"b\" is missing");
    ck_assert(isnan(tri_json_number(v, "c", "a")));
    expect_error(TR_ERR_FILE, "c: \"a\" is a string; a number was expected");
    ck_assert(!tri_json_bool(v, "c", "z"));
    expect_error(TR_ERR_FILE, "c: \"z\" is a number; true or false was expected");
    ck_assert_int_eq(tri_json_integer(v, "c", "z", 2, 5), 2);
    expect_error(TR_ERR_FILE, "c: \"z\" is 1; it must be a whole number in 2 .. 5");
    ck_assert_int_eq(tri_json_integer(v, "c", "r", 0, 5), 0);
    expect_error(TR_ERR_FILE, "c: \"r\" is 0.5; it must be a whole number in 0 .. 5");
}
END_TEST

START_TEST(offsets)
{
    const char *text = "{\"a\": [1, x]}";
    ck_assert_ptr_null(tri_json_parse("c.json", text, (int64_t)strlen(text), 100));
    expect_error(TR_ERR_FILE, "c.json: byte 110: a value was expected");
    ck_assert_ptr_null(parse(""));
    expect_error(TR_ERR_FILE, "c.json: byte 0: the text ends too early");
    char digits[80];
    memset(digits, '7', 70);
    digits[70] = '\0';
    ck_assert_ptr_null(parse(digits));
    expect_error(TR_ERR_FILE, "c.json: byte 0: a number of more than 64 characters");
}
END_TEST

START_TEST(depth)
{
    char text[131];
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    text[130] = '\0';
    ck_assert_ptr_null(parse(text));
    expect_error(TR_ERR_FILE, "c.json: byte 64: values are nested more than 64 deep");
    text[129] = '\0';
    ck_assert_ptr_nonnull(parse(text + 1));
}
END_TEST

static void ck_number(double number, const char *spelling)
{
    tri_text t = { 0 };
    tri_text_number(&t, number);
    ck_assert_str_eq(t.bytes, spelling);
    if (isfinite(number)) ck_assert_double_eq(parse(t.bytes)->number, number);
}

static void ck_numbers(void)
{
    ck_number(0, "0");
    ck_number(0.1, "0.1");
    ck_number(-2.5e-7, "-2.5e-07");
    ck_number(1.0 / 3, "0.3333333333333333");
    ck_number(0.1 + 0.2, "0.30000000000000004");
    ck_number(1.7976931348623157e308, "1.7976931348623157e+308");
    ck_number(5e-324, "4.94065645841247e-324");
    ck_number((double)NAN, "null");
    ck_number(-(double)INFINITY, "null");
}

START_TEST(numbers)
{
    ck_numbers();
}
END_TEST

/* The host program's locale may write a decimal comma. */
START_TEST(numbers_in_another_locale)
{
    static const char *const locales[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "ps_AF" };
    for (int i = 0; i < 4; i++)
        if (setlocale(LC_ALL, locales[i]) != NULL) ck_numbers();
    setlocale(LC_ALL, "C");
}
END_TEST

START_TEST(texts)
{
    char all[256];
    for (int i = 0; i < 127; i++) all[i] = (char)(i + 1);
    memcpy(all + 127, "\xc3\xa9", 3);
    tri_text t = { 0 };
    tri_text_add(&t, "{%s", "");
    tri_text_string(&t, all);
    tri_text_add(&t, ":%d,", 7);
    tri_text_string(&t, "none");
    tri_text_add(&t, ":");
    tri_text_string(&t, NULL);
    for (int i = 0; i < 1000; i++) tri_text_add(&t, ",\"%d\":%d", i, i);
    tri_text_add(&t, "}");
    const tri_json *v = tri_json_parse("t", t.bytes, (int64_t)t.count, 0);
    ck_assert_msg(v != NULL, "%s", tr_error());
    ck_assert_str_eq(v->first->key, all);
    ck_assert_int_eq(tri_json_find(v, "none")->kind, TRI_JSON_NULL);
    ck_assert_int_eq(tri_json_integer(v, "t", "999", 0, 999), 999);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { values },
        { single_values },
        { integers },
        { strings },
        { utf8 },
        { look_ups },
        { offsets },
        { depth },
        { numbers },
        { numbers_in_another_locale },
        { texts },
        { 0 },
    };
    return run_tests("json", setup, teardown, tests);
}
