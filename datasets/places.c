/* places.c: where data files are looked for when no folder is named.
 *
 * data, $TENREC_DATA and the user's data folder, in this order, each with the dataset's own folder
 * names below it first. The error names every place that was looked at, so that a person sees where
 * to put the files, and the command that downloads them. */
#include "datasets/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 1024 };

typedef struct search {
    const char *file;
    char *folder; /* [PATH_SIZE] the answer */
    char looked[384];
    size_t used;
} search;

static bool readable(const char *folder, const char *file, const char *ending)
{
    char path[2 * PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s%s", folder, file, ending);
    return access(path, R_OK) == 0;
}

/* True when folder/name holds the file; else the place joins the list of those looked at. */
static bool look(search *s, const char *root, const char *name)
{
    int n = snprintf(s->folder, PATH_SIZE, "%s%s%s", root, *name ? "/" : "", name);
    if (n < 0 || n >= PATH_SIZE) return false;
    if (readable(s->folder, s->file, "") || readable(s->folder, s->file, ".gz")) return true;
    size_t left = sizeof s->looked - s->used;
    n = snprintf(s->looked + s->used, left, "%s%s", s->used ? ", " : "", s->folder);
    if ((size_t)n < left)
        s->used += (size_t)n;
    else
        s->looked[s->used] = 0;
    return false;
}

/* The user's data folder for tenrec; false when the environment names none. */
static bool user_folder(char folder[PATH_SIZE])
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (data && *data) return snprintf(folder, PATH_SIZE, "%s/tenrec", data) < PATH_SIZE;
    if (home && *home)
        return snprintf(folder, PATH_SIZE, "%s/.local/share/tenrec", home) < PATH_SIZE;
    return false;
}

tr_status tri_find_folder(const char *name, const char *directory, const char *const *names,
                          const char *file, char folder[PATH_SIZE])
{
    search s = { .file = file, .folder = folder };
    char user[PATH_SIZE];
    const char *environment = getenv("TENREC_DATA");
    const char *roots[] = { "data", environment && *environment ? environment : NULL,
                            user_folder(user) ? user : NULL };
    if (directory) {
        if (look(&s, directory, "")) return TR_OK;
        return tr_fail(TR_ERR_FILE, "%s: no %s or %s.gz in %s: scripts/download %s %s fetches them",
                       name, file, file, directory, name, directory);
    }
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
        for (int k = 0; roots[i] && names[k]; k++)
            if (look(&s, roots[i], names[k])) return TR_OK;
    return tr_fail(TR_ERR_FILE, "%s: no %s or %s.gz in %s%s: run scripts/download %s", name, file,
                   file, s.looked, roots[1] ? "" : " (TENREC_DATA is not set)", name);
}
