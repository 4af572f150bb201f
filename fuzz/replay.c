/* replay.c: replay FOLDER: gives every file of FOLDER/NAME, and every shorter beginning of the
 * small ones, to the reader called NAME. An ordinary program for any compiler, so that what the
 * fuzzer once found is tested wherever tenrec is built. */
#include "fuzz/targets.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SMALL = 512, LARGEST = 1 << 20 };

static int replay_file(const fuzz_target *target, const char *path)
{
    static char bytes[LARGEST];
    FILE       *f = fopen(path, "rb");
    if (f == NULL) return 0;
    const size_t count = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    fuzz_run(target, bytes, count);
    if (count > SMALL) return 1;
    for (size_t cut = 0; cut < count; cut++) fuzz_run(target, bytes, cut);
    return 1 + (int)count;
}

/* The number of inputs. */
static int replay_folder(const fuzz_target *target, const char *corpus)
{
    char path[4096];
    int  inputs = 0;
    snprintf(path, sizeof path, "%s/%s", corpus, target->name);
    DIR *folder = opendir(path);
    if (folder == NULL) return 0;
    for (const struct dirent *e; (e = readdir(folder)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s/%s", corpus, target->name, e->d_name);
        fprintf(stderr, "%s/%s\n", target->name, e->d_name); /* which one, where it aborts */
        inputs += replay_file(target, path);
    }
    closedir(folder);
    return inputs;
}

int main(int argc, char **argv)
{
    char *corpus = argc == 2 ? realpath(argv[1], NULL) : NULL;
    if (corpus == NULL) {
        fprintf(stderr, "usage: replay FOLDER\n");
        return 2;
    }
    bool missing = false;
    for (const fuzz_target *t = fuzz_targets; t->name != NULL; t++) {
        const int inputs = replay_folder(t, corpus);
        printf("%-12s %6d inputs\n", t->name, inputs);
        missing = missing || inputs == 0;
    }
    free(corpus);
    return missing;
}
