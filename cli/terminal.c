/* terminal.c: what stdout is, and how numbers are written for people. In a pipe there are no escape
 * codes. */
#include "cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool is_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(term != NULL && strcmp(term, "dumb") == 0);
}

bool has_colours(void)
{
    const char *no = getenv("NO_COLOR");
    return is_terminal() && (no == NULL || no[0] == '\0');
}

int terminal_width(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

const char *bold(void)
{
    return has_colours() ? "\033[1m" : "";
}

const char *faint(void)
{
    return has_colours() ? "\033[2m" : "";
}

const char *plain(void)
{
    return has_colours() ? "\033[0m" : "";
}

const char *show_count(double n, char text[32])
{
    char      digits[24];
    const int length = snprintf(digits, sizeof digits, "%lld", llround(n));
    int       out = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-') text[out++] = ',';
        text[out++] = digits[i];
    }
    text[out] = '\0';
    return text;
}

const char *show_time(double seconds, char text[32])
{
    const long long s = llround(seconds);
    if (seconds < 60)
        snprintf(text, 32, "%.1f s", seconds);
    else if (s < 3600)
        snprintf(text, 32, "%lld min %02lld s", s / 60, s % 60);
    else
        snprintf(text, 32, "%lld h %02lld min", s / 3600, s / 60 % 60);
    return text;
}

void print_json(const tri_text *t)
{
    if (t->bytes == NULL) return;
    fwrite(t->bytes, 1, t->count, stdout);
    fputc('\n', stdout);
    fflush(stdout);
}

void add_metrics(tri_text *t, const char *key, const tr_metrics *m)
{
    tri_text_string(t, key);
    tri_text_add(t, ":{");
    for (int i = 0; i < m->count; i++) {
        tri_text_add(t, "%s", i > 0 ? "," : "");
        tri_text_string(t, m->name[i]);
        tri_text_add(t, ":");
        tri_text_number(t, m->value[i]);
    }
    tri_text_add(t, "}");
}
