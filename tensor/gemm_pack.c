/* gemm_pack.c: rearranges operands of a matrix product into panels that the register block reads in
 * order: for each k, the `width` rows (columns) of the panel side by side.
 *
 * Numbers are moved as bits, so one code serves float (4 bytes) and double (8 bytes). Two cases are
 * fast: adjacent elements along the outer index (copies of short runs) and along k (transposition
 * in registers). Read next: gemm.c. */
#include "tensor/gemm.h"

#include <string.h>

typedef uint32_t word4 __attribute__((vector_size(16)));
typedef uint64_t word2 __attribute__((vector_size(16)));

/* Copies a short run. */
static inline void copy_run(char *out, const char *in, int64_t bytes)
{
    int64_t i = 0;
    for (; i + 16 <= bytes; i += 16) memcpy(out + i, in + i, 16);
    if (bytes & 8) {
        memcpy(out + i, in + i, 8);
        i += 8;
    }
    if (bytes & 4) memcpy(out + i, in + i, 4);
}

/* Four rows of four words become four columns, `step` bytes apart. */
static inline void transpose_4x4(const char *const *rows, int64_t from, char *out, int64_t step)
{
    word4 r0, r1, r2, r3;
    memcpy(&r0, rows[0] + from, 16);
    memcpy(&r1, rows[1] + from, 16);
    memcpy(&r2, rows[2] + from, 16);
    memcpy(&r3, rows[3] + from, 16);
    word4 low01 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
    word4 low23 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
    word4 high01 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
    word4 high23 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
    word4 c0 = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    word4 c1 = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    word4 c2 = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    word4 c3 = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
    memcpy(out, &c0, 16);
    memcpy(out + step, &c1, 16);
    memcpy(out + 2 * step, &c2, 16);
    memcpy(out + 3 * step, &c3, 16);
}

static inline void transpose_2x2(const char *const *rows, int64_t from, char *out, int64_t step)
{
    word2 r0, r1;
    memcpy(&r0, rows[0] + from, 16);
    memcpy(&r1, rows[1] + from, 16);
    word2 c0 = __builtin_shufflevector(r0, r1, 0, 2);
    word2 c1 = __builtin_shufflevector(r0, r1, 1, 3);
    memcpy(out, &c0, 16);
    memcpy(out + step, &c1, 16);
}

/* One row becomes a column. */
static void spread(size_t size, const char *row, int64_t from, int64_t to, char *out, int64_t step)
{
    if (size == 4)
        for (int64_t k = from; k < to; k++) memcpy(out + k * step, row + k * 4, 4);
    else
        for (int64_t k = from; k < to; k++) memcpy(out + k * step, row + k * 8, 8);
}

/* out[k width + i] = rows[i][k] for i < count, k < length. Rows go `side` at a time; the last group
 * begins early enough to be a whole one, and writes some elements twice. */
static void pack_rows(size_t size, int64_t count, const char *const *rows, int64_t length,
                      int64_t width, void *out)
{
    const int64_t step = width * (int64_t)size, side = 16 / (int64_t)size;
    const int64_t whole = count < side ? 0 : length / side * side;
    for (int64_t i = 0; i < count && whole > 0; i += side) {
        const int64_t first = i + side <= count ? i : count - side;
        char         *column = (char *)out + first * (int64_t)size;
        if (size == 4)
            for (int64_t k = 0; k < whole; k += 4)
                transpose_4x4(rows + first, k * 4, column + k * step, step);
        else
            for (int64_t k = 0; k < whole; k += 2)
                transpose_2x2(rows + first, k * 8, column + k * step, step);
    }
    for (int64_t i = 0; i < count; i++)
        spread(size, rows[i], whole, length, (char *)out + i * (int64_t)size, step);
}

/* Neither index runs over adjacent elements. */
static void pack_scattered(const tri_operand *x, const char *from, int64_t count, int64_t length,
                           int64_t width, char *out)
{
    int64_t size = (int64_t)x->size;
    for (int64_t k = 0; k < length; k++)
        for (int64_t i = 0; i < count; i++)
            copy_run(out + (k * width + i) * size, from + (k * x->inner + i * x->outer) * size,
                     size);
}

void tri_pack(const tri_operand *x, int64_t o0, int64_t count, int64_t k0, int64_t k1,
              int64_t width, void *out)
{
    int64_t     size = (int64_t)x->size, length = k1 - k0;
    const char *from = (const char *)x->data + (o0 * x->outer + k0 * x->inner) * size;
    if (x->outer == 1) {
        for (int64_t k = 0; k < length; k++)
            copy_run((char *)out + k * width * size, from + k * x->inner * size, count * size);
    } else if (x->inner == 1) {
        const char *rows[TRI_PACK_MAX];
        for (int64_t i = 0; i < count; i++) rows[i] = from + i * x->outer * size;
        pack_rows(x->size, count, rows, length, width, out);
    } else {
        pack_scattered(x, from, count, length, width, out);
    }
}
