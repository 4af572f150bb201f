/* columns.c: image patches as rows of a matrix, and back. Not used by the convolutions, which never
 * hold that matrix; for those who want the patches themselves.
 *
 * A patch is KH KW runs of C values. im2col gathers rows of patches, one piece of work each; col2im
 * adds up whole images, in the order of the patches: the same sums for any number of threads. */
#include "tensor/compute.h"

#include <string.h>

typedef struct columns {
    const tri_conv *conv;
    int64_t         kernel[2], image[2], patches[2], channels;
    size_t          size; /* of an element */
    tr_dtype        dtype;
    char           *to;
    const char     *from;
} columns;

/* Offset in elements of the run that cell (r, s) of patch (i, j) covers; -1 outside the image. */
static int64_t run_offset(const columns *p, int64_t i, int64_t j, int64_t r, int64_t s)
{
    const tri_conv *c = p->conv;
    const int64_t   row = i * c->stride[0] + r * c->dilation[0] - c->pad[0][0];
    const int64_t   column = j * c->stride[1] + s * c->dilation[1] - c->pad[1][0];
    if (row < 0 || row >= p->image[0] || column < 0 || column >= p->image[1]) return -1;
    return (row * p->image[1] + column) * p->channels;
}

static void gather_rows(void *context, int64_t begin, int64_t end)
{
    const columns *p = context;
    const size_t   run = (size_t)p->channels * p->size;
    const int64_t  row_runs = p->patches[1] * p->kernel[0] * p->kernel[1];
    for (int64_t row = begin; row < end; row++) {
        const int64_t n = row / p->patches[0], i = row % p->patches[0];
        const char   *image = p->from + (size_t)(n * p->image[0] * p->image[1]) * run;
        char         *to = p->to + (size_t)(row * row_runs) * run;
        for (int64_t j = 0; j < p->patches[1]; j++) {
            for (int64_t r = 0; r < p->kernel[0]; r++) {
                for (int64_t s = 0; s < p->kernel[1]; s++, to += run) {
                    const int64_t offset = run_offset(p, i, j, r, s);
                    if (offset < 0)
                        memset(to, 0, run);
                    else
                        memcpy(to, image + (size_t)offset * p->size, run);
                }
            }
        }
    }
}

static void add_run(tr_dtype dtype, int64_t n, void *to, const void *from)
{
    if (dtype == TR_F32) {
        float       *y = to;
        const float *x = from;
        for (int64_t i = 0; i < n; i++) y[i] += x[i];
    } else {
        double       *y = to;
        const double *x = from;
        for (int64_t i = 0; i < n; i++) y[i] += x[i];
    }
}

static void add_images(void *context, int64_t begin, int64_t end)
{
    const columns *p = context;
    const size_t   run = (size_t)p->channels * p->size;
    const size_t   image_bytes = (size_t)(p->image[0] * p->image[1]) * run;
    const int64_t  image_runs = p->patches[0] * p->patches[1] * p->kernel[0] * p->kernel[1];
    for (int64_t n = begin; n < end; n++) {
        char       *image = p->to + (size_t)n * image_bytes;
        const char *from = p->from + (size_t)(n * image_runs) * run;
        memset(image, 0, image_bytes);
        for (int64_t patch = 0; patch < p->patches[0] * p->patches[1]; patch++) {
            for (int64_t r = 0; r < p->kernel[0]; r++) {
                for (int64_t s = 0; s < p->kernel[1]; s++, from += run) {
                    const int64_t offset =
                        run_offset(p, patch / p->patches[1], patch % p->patches[1], r, s);
                    if (offset >= 0)
                        add_run(p->dtype, p->channels, image + (size_t)offset * p->size, from);
                }
            }
        }
    }
}

static columns plan(tr_tensor *to, const tr_tensor *from, const tr_tensor *image,
                    const tr_tensor *patches, const int64_t kernel[2], const tri_conv *c)
{
    return (columns){
        .conv = c,
        .kernel = { kernel[0], kernel[1] },
        .image = { image->shape[1], image->shape[2] },
        .patches = { patches->shape[1], patches->shape[2] },
        .channels = image->shape[3],
        .size = tr_dtype_size(image->dtype),
        .dtype = image->dtype,
        .to = to->data,
        .from = from->data,
    };
}

tr_status tri_im2col(tr_tensor *y, const tr_tensor *x, const int64_t kernel[2], const tri_conv *c)
{
    if (tr_numel(y) == 0) return TR_OK;
    tr_scope        *scope = tr_scope_push();
    const tr_tensor *from = tri_contiguous(x);
    if (from != NULL) {
        columns p = plan(y, from, from, y, kernel, c);
        tri_parallel_for(y->shape[0] * y->shape[1], 1, gather_rows, &p);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

tr_status tri_col2im(tr_tensor *dx, const tr_tensor *g, const int64_t kernel[2], const tri_conv *c)
{
    if (tr_numel(dx) == 0) return TR_OK;
    tr_scope        *scope = tr_scope_push();
    const tr_tensor *from = tri_contiguous(g);
    if (from != NULL) {
        columns p = plan(dx, from, dx, from, kernel, c);
        tri_parallel_for(dx->shape[0], 1, add_images, &p);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}
