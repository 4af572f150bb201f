/* files.h: what the tests of readers share: a folder for files that are made up, and the place of
 * real data sets, which are not part of the repository. */
#ifndef TENREC_TESTS_FILES_H
#define TENREC_TESTS_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A fresh folder under /tmp; remove_folder deletes it and the files in it. */
static inline const char *fresh_folder(void)
{
    static char folder[64];
    snprintf(folder, sizeof folder, "/tmp/tenrec-test-XXXXXX");
    return mkdtemp(folder);
}

static inline void remove_folder(const char *folder)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) fprintf(stderr, "could not remove %s\n", folder);
}

/* The same for tests that name files without a folder: they work inside it. */
static inline const char *enter_fresh_folder(void)
{
    const char *folder = fresh_folder();
    if (folder == NULL || chdir(folder) != 0) abort();
    return folder;
}

static inline void leave_folder(const char *folder)
{
    if (chdir("/") != 0) abort();
    remove_folder(folder);
}

/* "folder/name" in one of four buffers used in turn. */
static inline const char *in_folder(const char *folder, const char *name)
{
    static char path[4][512];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static inline void write_file(const char *path, const void *bytes, size_t count)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, count, f) != count || fclose(f) != 0) abort();
}

/* The folder `name` of real data: in $TENREC_TEST_DATA, or in ../shared/data beside the sources;
 * NULL, and a line that says so, where there is none. */
static inline const char *real_data(const char *name)
{
    static char folder[1024];
    const char *root = getenv("TENREC_TEST_DATA");
    snprintf(folder, sizeof folder, "%s/%s", root ? root : TENREC_SOURCE_DIR "/../shared/data",
             name);
    if (access(folder, R_OK) == 0) return folder;
    printf("skipped: no real data in %s (set TENREC_TEST_DATA)\n", folder);
    return NULL;
}

#endif
