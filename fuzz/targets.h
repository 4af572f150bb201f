/* targets.h: the readers of files as functions of bytes, and what must hold for any bytes.
 *
 * fuzz.c feeds them from libFuzzer, replay.c from the files of the corpus. Whoever finds that a
 * promise is broken ends the process with one line and SIGABRT, which is how libFuzzer learns of
 * it. Read next: targets.c. */
#ifndef TENREC_FUZZ_TARGETS_H
#define TENREC_FUZZ_TARGETS_H

#include "tensor/tensor.h"

typedef struct fuzz_target {
    const char *name; /* of the format, and of its folder in corpus/ */
    const char *file; /* what the bytes are called while they are read */
    void (*read)(const char *path);
    size_t most; /* bytes of the longest input that makes sense */
} fuzz_target;

extern const fuzz_target fuzz_targets[]; /* ends with one whose name is NULL */

/* NULL if there is none. */
const fuzz_target *fuzz_target_find(const char *name);

/* Gives the bytes to the reader and aborts unless
 *   - it reads them, or refuses them in one line that begins with the name of the file;
 *   - it never held more memory than 4 x count + 16 MiB, and it gives all back;
 *   - what it read, written and read again, is the same (where there is a writer). */
void fuzz_run(const fuzz_target *target, const void *bytes, size_t count);

/* Ends the process: a promise is broken. */
_Noreturn void fuzz_broken(const char *format, ...) TR_PRINTF(1, 2);

/* The memory that the process took from the heap since fuzz_memory_begin, at most and now; of a
 * build without the address sanitizer what the library took. */
void    fuzz_memory_begin(void);
int64_t fuzz_memory_peak(void);
int64_t fuzz_memory_now(void);

#endif
