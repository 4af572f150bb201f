/* places.c: where data files are looked for when no folder is named.
 *
 * data, $TENREC_DATA and the user's data folder, in this order, each with the dataset's own folder
 * names below it first. The error names every place that was looked at, so that a person sees where
 * to put the files, and the command that downloads them. */
#include "datasets/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct search {
    const char *file;
    bool gzip;    /* file.gz will do as well */
    char *folder; /* [TRI_PATH_SIZE] the answer */
    char looked[384];
    size_t used;
} search;

/* Puts folder/file or folder/file.gz into path, whichever can be read; false where neither can. */
static bool readable(const char *folder, const char *file, bool gzip, char path[TRI_PATH_SIZE])
{
    for (int zipped = 0; zipped <= gzip; zipped++) {
        int n = snprintf(path, TRI_PATH_SIZE, "%s/%s%s", folder, file, zipped ? ".gz" : "");
        if (n > 0 && n < TRI_PATH_SIZE && access(path, R_OK) == 0) return true;
    }
    return false;
}

/* True when folder/name holds the file; else the place joins the list of those looked at. */
static bool look(search *s, const char *root, const char *name)
{
    char path[TRI_PATH_SIZE];
    int n = snprintf(s->folder, TRI_PATH_SIZE, "%s%s%s", root, *name ? "/" : "", name);
    if (n < 0 || n >= TRI_PATH_SIZE) return false;
    if (readable(s->folder, s->file, s->gzip, path)) return true;
    size_t left = sizeof s->looked - s->used;
    n = snprintf(s->looked + s->used, left, "%s%s", s->used ? ", " : "", s->folder);
    if ((size_t)n < left)
        s->used += (size_t)n;
    else
        s->looked[s->used] = 0;
    return false;
}

/* The user's data folder for tenrec; false when the environment names none. */
static bool user_folder(char folder[TRI_PATH_SIZE])
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (data && *data) return snprintf(folder, TRI_PATH_SIZE, "%s/tenrec", data) < TRI_PATH_SIZE;
    if (home && *home)
        return snprintf(folder, TRI_PATH_SIZE, "%s/.local/share/tenrec", home) < TRI_PATH_SIZE;
    return false;
}

char *tri_absolute_path(const char *path)
{
    char here[TRI_PATH_SIZE];
    if (path[0] == '/') return tri_copy_text(path);
    if (getcwd(here, sizeof here) == NULL) {
        tr_fail(TR_ERR_FILE, "the working directory has no path: %s", strerror(errno));
        return NULL;
    }
    while (path[0] == '.' && path[1] == '/') path += 2;
    const size_t size = strlen(here) + strlen(path) + 2;
    char *text = tr_scope_alloc(size);
    if (text) snprintf(text, size, "%s/%s", strcmp(here, "/") == 0 ? "" : here, path);
    return text;
}

tr_status tri_find_folder(const char *name, const char *directory, const char *const *names,
                          const char *file, bool gzip, char folder[TRI_PATH_SIZE])
{
    search s = { .file = file, .gzip = gzip, .folder = folder };
    char user[TRI_PATH_SIZE], wanted[128];
    const char *environment = getenv("TENREC_DATA");
    const char *roots[] = { "data", environment && *environment ? environment : NULL,
                            user_folder(user) ? user : NULL };
    snprintf(wanted, sizeof wanted, gzip ? "%s or %s.gz" : "%s", file, file);
    if (directory) {
        if (look(&s, directory, "")) return TR_OK;
        return tr_fail(TR_ERR_FILE, "%s: no %s in %s: scripts/download %s %s fetches it", name,
                       wanted, directory, name, directory);
    }
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
        for (int k = 0; roots[i] && names[k]; k++)
            if (look(&s, roots[i], names[k])) return TR_OK;
    return tr_fail(TR_ERR_FILE, "%s: no %s in %s%s: run scripts/download %s", name, wanted,
                   s.looked, roots[1] ? "" : " (TENREC_DATA is not set)", name);
}

tr_status tri_find_file(const char *name, const char *folder, const char *file, bool gzip,
                        char path[TRI_PATH_SIZE])
{
    char wanted[128];
    if (readable(folder, file, gzip, path)) return TR_OK;
    snprintf(wanted, sizeof wanted, gzip ? "%s or %s.gz" : "%s", file, file);
    return tr_fail(TR_ERR_FILE,
                   "%s: no %s in %s, where other files of the set are: scripts/download "
                   "%s %s fetches it",
                   name, wanted, folder, name, folder);
}
