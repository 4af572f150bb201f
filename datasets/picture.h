/* picture.h: the raw form of a picture, between picture.c and the codecs. Not installed. */
#ifndef TENREC_DATASETS_PICTURE_H
#define TENREC_DATASETS_PICTURE_H

#include "tensor/tensor.h"

enum { TRI_PICTURE_LIMIT = 1 << 28 }; /* values in a picture that is read */

/* Row-major bytes; channels is 1 or 3. */
typedef struct tri_picture {
    int64_t height, width, channels;
    const uint8_t *bytes;
} tri_picture;

/* The file's bytes in the innermost scope; NULL and an error (also in builds without libpng). */
void *tri_png_encode(const tri_picture *p, const char *what, int64_t *bytes);

/* False in builds without libpng. */
bool tri_png_built(void);

/* Decoded pixels as u8 [H, W, C] in the innermost scope. `path` is for messages. */
tr_tensor *tri_png_decode(const char *path, const void *file, int64_t bytes);

#endif
