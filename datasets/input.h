/* input.h: reading a data file from its beginning, plain or gzip-compressed. Not installed. */
#ifndef TENREC_DATASETS_INPUT_H
#define TENREC_DATASETS_INPUT_H

#include "tensor/tensor.h"

#include <stdio.h>

typedef struct tri_input {
    const char *path;
    FILE *plain;
    void *gzip;      /* a gzFile, where path ends in .gz */
    int64_t at;      /* bytes read */
    int64_t at_most; /* no more than this many bytes can come: the size of a plain file, what a
                        compressed one could inflate to */
} tri_input;

/* Errors name the path: missing, unreadable, a folder, .gz in a build without zlib. */
tr_status tri_input_open(tri_input *in, const char *path);

/* Reads exactly `count` bytes; an error tells `what` was to be read and where the file ended. */
tr_status tri_input_read(tri_input *in, void *bytes, int64_t count, const char *what);

/* An error unless the file ends here. */
tr_status tri_input_expect_end(tri_input *in);

void tri_input_close(tri_input *in);

#endif
