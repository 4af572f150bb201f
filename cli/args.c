/* args.c: the command line against a command's table of options; help from the same table.
 *
 * Forms: --name value, --name=value, -n value, flags without a value; -- ends the options. Kinds
 * and ranges are checked here, so a command reads values that are right. */
#include "cli/cli.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const arg_option common[] = {
    { "json", 0, ARG_FLAG, NULL, 0, 0, "write one JSON object a line" },
    { "quiet", 'q', ARG_FLAG, NULL, 0, 0, "write errors only" },
    { "threads", 0, ARG_INT, "N", 1, 256,
      "threads to use; the result does not depend on it [all]" },
    { "help", 'h', ARG_FLAG, NULL, 0, 0, "write this help" },
    { 0 },
};
/* clang-format on */

int usage_error(const args *a, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, a != NULL ? "error: %s: " : "error: ", a != NULL ? a->command->name : "");
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return EXIT_USAGE;
}

int end_setup(void)
{
    const bool usage = tr_status_get() == TR_ERR_VALUE;
    return tr_status_print() == 0 ? EXIT_OK : usage ? EXIT_USAGE : EXIT_FAILED;
}

int end_run(void)
{
    return tr_status_print() == 0 ? EXIT_OK : EXIT_FAILED;
}

/* --- Look up ------------------------------------------------------------------------------ */

static const arg_option *find_in(const arg_option *table, const char *name, size_t length)
{
    for (; table->name != NULL; table++)
        if (table->kind != ARG_GROUP && strlen(table->name) == length &&
            memcmp(table->name, name, length) == 0)
            return table;
    return NULL;
}

static const arg_option *find_letter(const arg_option *table, char letter)
{
    for (; table->name != NULL; table++)
        if (table->letter == letter) return table;
    return NULL;
}

/* Edits (insert, drop, replace a letter) from a to b. */
static int distance(const char *a, const char *b)
{
    enum { MOST = 40 };
    int row[MOST + 1];
    if (strlen(a) > MOST || strlen(b) > MOST) return MOST;
    const int n = (int)strlen(b);
    for (int j = 0; j <= n; j++) row[j] = j;
    for (int i = 1; a[i - 1] != '\0'; i++) {
        int corner = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            const int replace = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            const int shift = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            row[j] = replace < shift ? replace : shift;
        }
    }
    return row[n];
}

enum { TYPING_ERROR = 2 }; /* more edits are no slip of the finger */

const char *nearest_command(const char *name)
{
    const char *best = NULL;
    int         least = TYPING_ERROR + 1;
    for (const command *c = commands; c->name != NULL; c++)
        if (distance(name, c->name) < least) {
            least = distance(name, c->name);
            best = c->name;
        }
    return best;
}

static const char *nearest(const args *a, const char *name)
{
    const char *best = NULL;
    int         least = TYPING_ERROR + 1;
    for (int t = 0; t < 2; t++)
        for (const arg_option *o = t == 0 ? a->command->options : common; o->name != NULL; o++)
            if (o->kind != ARG_GROUP && distance(name, o->name) < least) {
                least = distance(name, o->name);
                best = o->name;
            }
    return best;
}

/* --- Read --------------------------------------------------------------------------------- */

static bool check_value(const args *a, const arg_option *o, const char *value)
{
    if (o->kind == ARG_TEXT) return true;
    char        *end = NULL;
    const double x = strtod(value, &end);
    const bool   number = end != value && *end == '\0' && isfinite(x);
    const bool   whole = o->kind == ARG_NUMBER || (number && floor(x) >= x);
    if (number && whole && x >= o->least && x <= o->most) return true;
    usage_error(a, "--%s is %s; it must be %s from %.12g to %.12g", o->name, value,
                o->kind == ARG_INT ? "a whole number" : "a number", o->least, o->most);
    return false;
}

static bool add_option(args *a, const arg_option *o, const char *value)
{
    if (a->given == MAX_GIVEN) {
        usage_error(a, "more than %d options were given", MAX_GIVEN);
        return false;
    }
    if (value != NULL && !check_value(a, o, value)) return false;
    a->names[a->given] = o->name;
    a->values[a->given++] = value != NULL ? value : "";
    return true;
}

static const arg_option *find_option(const args *a, const char *word, const char **value)
{
    const arg_option *o = NULL;
    *value = NULL;
    if (word[1] == '-') {
        const size_t length = strcspn(word + 2, "=");
        if (word[2 + length] == '=') *value = word + 3 + length;
        o = find_in(a->command->options, word + 2, length);
        if (o == NULL) o = find_in(common, word + 2, length);
    } else if (word[2] == '\0') {
        o = find_letter(a->command->options, word[1]);
        if (o == NULL) o = find_letter(common, word[1]);
    }
    if (o != NULL) return o;
    const char *guess = word[1] == '-' ? nearest(a, word + 2) : NULL;
    if (guess != NULL)
        usage_error(a, "there is no option %s; did you mean --%s?", word, guess);
    else
        usage_error(a, "there is no option %s; tenrec %s --help lists them", word,
                    a->command->name);
    return NULL;
}

static bool add_word(args *a, const char *word)
{
    if (a->word_count < a->command->most_words) {
        a->words[a->word_count++] = word;
        return true;
    }
    if (a->command->most_words == 0)
        usage_error(a, "takes options only, not %s", word);
    else
        usage_error(a, "%s is one word too many; usage: tenrec %s %s", word, a->command->name,
                    a->command->words);
    return false;
}

bool read_args(args *a, const command *c, int count, char *const *words)
{
    bool options = true;
    *a = (args){ .command = c };
    for (int i = 0; i < count; i++) {
        const char *word = words[i], *value;
        if (options && strcmp(word, "--") == 0) {
            options = false;
            continue;
        }
        if (!options || word[0] != '-' || word[1] == '\0') {
            if (!add_word(a, word)) return false;
            continue;
        }
        const arg_option *o = find_option(a, word, &value);
        if (o == NULL) return false;
        if (o->kind == ARG_FLAG && value != NULL) {
            usage_error(a, "--%s takes no value", o->name);
            return false;
        }
        if (o->kind != ARG_FLAG && value == NULL) {
            if (i + 1 == count) {
                usage_error(a, "--%s needs a value: --%s %s", o->name, o->name, o->value);
                return false;
            }
            value = words[++i];
        }
        if (!add_option(a, o, value)) return false;
    }
    return true;
}

/* --- Values
 * --------------------------------------------------------------------------------------- */

bool give_option(args *a, const char *name, const char *value)
{
    const arg_option *o = find_in(a->command->options, name, strlen(name));
    if (o == NULL) o = find_in(common, name, strlen(name));
    if (o != NULL) return add_option(a, o, o->kind == ARG_FLAG ? NULL : value);
    usage_error(a, "there is no option --%s", name);
    return false;
}

bool has(const args *a, const char *name)
{
    return text_of(a, name, NULL) != NULL;
}

const char *text_of(const args *a, const char *name, const char *otherwise)
{
    for (int i = a->given - 1; i >= 0; i--)
        if (strcmp(a->names[i], name) == 0) return a->values[i];
    return otherwise;
}

double number_of(const args *a, const char *name, double otherwise)
{
    const char *text = text_of(a, name, NULL);
    return text != NULL ? strtod(text, NULL) : otherwise;
}

int64_t int_of(const args *a, const char *name, int64_t otherwise)
{
    return (int64_t)number_of(a, name, (double)otherwise);
}

/* --- Help
 * ------------------------------------------------------------------------------------------ */

static void write_options(const arg_option *o)
{
    for (; o->name != NULL; o++) {
        char left[64];
        if (o->kind == ARG_GROUP) {
            printf("\n%s%s%s\n", bold(), o->name, plain());
            continue;
        }
        const int n = snprintf(left, sizeof left, "--%s%s%s", o->name, o->value != NULL ? " " : "",
                               o->value != NULL ? o->value : "");
        if (o->letter != '\0' && n > 0 && (size_t)n < sizeof left)
            snprintf(left + n, sizeof left - (size_t)n, ", -%c", o->letter);
        printf("  %-24s %s\n", left, o->help);
    }
}

void write_help(const args *a)
{
    const command *c = a->command;
    const bool     grouped = c->options->name != NULL && c->options->kind == ARG_GROUP;
    printf("%susage:%s tenrec %s %s%s[options]\n%s\n%s", bold(), plain(), c->name, c->words,
           c->words[0] != '\0' ? " " : "", c->help, grouped ? "" : "\n");
    if (c->options->name != NULL) write_options(c->options);
    if (grouped) printf("\n%sEvery command%s\n", bold(), plain());
    write_options(common);
    if (c->more_help != NULL) c->more_help(a);
}

void write_overview(void)
{
    printf("tenrec trains autoencoders.\n\n%susage:%s tenrec COMMAND [options]\n\n", bold(),
           plain());
    for (const command *c = commands; c->name != NULL; c++)
        printf("  %-12s %s\n", c->name, c->help);
    printf("  %-12s %s\n", "help", "write help on a command: tenrec help train");
    printf("\ntenrec train vae          trains a variational autoencoder on built-in digits\n"
           "tenrec train vae --help   lists its options\n");
}
