/* files.h: what the tests of readers share: a folder for files that are made up, and the place of
 * real data sets, which are not part of the repository. */
#ifndef TENREC_TESTS_FILES_H
#define TENREC_TESTS_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Setup and teardown of a test that makes files: it works in a folder of its own under /tmp. */
static char folder[64];

static inline void enter_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/tenrec-test-XXXXXX");
    if (mkdtemp(folder) == NULL || chdir(folder) != 0) abort();
}

static inline void leave_folder(void)
{
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (chdir("/") != 0 || system(command) != 0) abort();
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
    static char path[1024];
    const char *root = getenv("TENREC_TEST_DATA");
    snprintf(path, sizeof path, "%s/%s", root ? root : TENREC_SOURCE_DIR "/../shared/data", name);
    if (access(path, R_OK) == 0) return path;
    printf("skipped: no real data in %s (set TENREC_TEST_DATA)\n", path);
    return NULL;
}

#endif
