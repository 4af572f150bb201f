/* tensor.h: numbers in n dimensions. Create, inspect, copy and store them; scopes own their memory.
 *
 * A tensor is a view (dtype, shape, strides) of a block of memory. This layer knows no graph: the
 * operations that build one (tr_add, tr_matmul, ...) are declared in autograd/ops*.h.
 *
 * Three rules hold everywhere in tenrec:
 *   1. Every object belongs to the innermost open scope and is freed with it (see "Scopes").
 *   2. The first error of a thread sticks; until it is cleared, functions that return a pointer
 *      return NULL, and functions that return a status return that error (see "Errors").
 *   3. Randomness comes from a tr_rng that the caller passes; there is no global generator.
 *
 * Read next: autograd/autograd.h (derivatives), then nn/nn.h (modules). */
#ifndef TENREC_TENSOR_H
#define TENREC_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TR_PRINTF(format_index, first_index)                                                       \
    __attribute__((format(printf, format_index, first_index)))
#define TR_MUST_USE __attribute__((warn_unused_result))
#define TR_API      __attribute__((visibility("default")))
#else
#define TR_PRINTF(format_index, first_index)
#define TR_MUST_USE
#define TR_API
#endif

/* --- Types ------------------------------------------------------------------------------------ */

enum { TR_MAX_RANK = 8 };

/* f32 for work, f64 for truth (gradient checks), i64 for indices and labels, u8 for images and for
 * the 0/1 results of comparisons. */
typedef enum tr_dtype { TR_F32, TR_F64, TR_I64, TR_U8 } tr_dtype;

/* A list of sizes, or of axes. Pass by value: TR_SHAPE(2, 3), TR_SCALAR for rank 0. */
typedef struct tr_shape {
    int     rank;
    int64_t dim[TR_MAX_RANK];
} tr_shape;

#define TR_SHAPE(...)                                                                              \
    ((tr_shape){ (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ } })
#define TR_SCALAR ((tr_shape){ 0, { 0 } })

/* Axes are counted from 0, or from the end with negative numbers: TR_AXES(0, -1).
 * TR_ALL_AXES stands for every axis of the tensor. */
#define TR_AXES(...) TR_SHAPE(__VA_ARGS__)
#define TR_ALL_AXES  ((tr_shape){ -1, { 0 } })

struct tri_storage;
struct tri_hook;
struct tr_node;

/* Read-only for users: look at it, change it only through functions. Element (i0, i1, ...) lies at
 * data + (i0 stride[0] + i1 stride[1] + ...) elements; a stride of 0 repeats one element. */
typedef struct tr_tensor {
    uint32_t            alive; /* tells a tensor from one whose scope was closed */
    tr_dtype            dtype;
    int                 rank;
    bool                requires_grad; /* a leaf that wants a gradient, or computed from one */
    int64_t             shape[TR_MAX_RANK];
    int64_t             stride[TR_MAX_RANK]; /* in elements */
    void               *data;
    struct tri_storage *storage; /* the memory, shared by all views of it */
    struct tr_node     *node;    /* how it was computed; NULL for leaves and constants */
    struct tr_tensor *grad; /* of a parameter: the sum of gradients since the last step, or NULL */
    struct tr_tensor *grad_slot; /* of a parameter: the handle that grad points to when it is set */
    struct tri_hook  *hooks;     /* called with its gradient: tr_add_hook */
    struct tr_tensor *next_in_scope;
} tr_tensor;

/* --- Errors ----------------------------------------------------------------------------------- */

typedef enum tr_status {
    TR_OK = 0,
    TR_ERR_SHAPE,  /* shapes do not fit */
    TR_ERR_DTYPE,  /* a dtype that the operation does not take */
    TR_ERR_VALUE,  /* an argument out of range, an unknown name */
    TR_ERR_STATE,  /* a closed scope, backward on a tensor without a graph */
    TR_ERR_MEMORY, /* the machine ran out of memory */
    TR_ERR_FILE    /* missing, unreadable, unwritable or malformed file */
} tr_status;

/* The first error since the last clear: its kind, and one line of text (NULL if there is none). */
TR_API tr_status   tr_status_get(void);
TR_API const char *tr_error(void);
TR_API void        tr_error_clear(void);

/* Records an error unless one is recorded already; returns the recorded kind. With TENREC_TRAP=1 in
 * the environment the first error raises SIGTRAP, so that a debugger stops at its origin. */
TR_API tr_status tr_fail(tr_status kind, const char *format, ...) TR_PRINTF(2, 3);

/* Writes the error, if any, as "error: ..." to stderr. Returns 0 or 1, fit for main's return. */
TR_API int tr_status_print(void);

/* --- Scopes ----------------------------------------------------------------------------------- */

/* A stack of scopes per thread owns all objects: tensors, modules, optimisers, datasets, loaders.
 * The outermost scope is always open and is freed when its thread or the process ends. Memory of a
 * closed scope is kept for reuse: a training step that pushes and pops asks malloc for nothing
 * after the first round. Popping a scope also closes those opened inside it. */
typedef struct tr_scope tr_scope;

TR_API tr_scope *tr_scope_push(void);
TR_API void      tr_scope_pop(tr_scope *scope);

/* The same values as a tensor of the enclosing scope: shares memory, carries no graph. */
TR_API tr_tensor *tr_scope_keep(tr_tensor *t) TR_MUST_USE;

/* Hands an object of the caller's to the innermost scope, which calls release(object) when it
 * closes, last in first out. On error (out of memory) the object is released at once. */
TR_API tr_status tr_scope_own(void *object, void (*release)(void *object));

/* Zeroed memory that lives as long as the innermost scope; NULL and an error if none is left. */
TR_API void *tr_scope_alloc(uint64_t bytes);

/* Gives memory kept for reuse by the calling thread back to the system. */
TR_API void tr_memory_trim(void);

/* Counters of the calling thread. */
typedef struct tr_memory_stats {
    int64_t live_bytes;  /* held by open scopes */
    int64_t peak_bytes;  /* the most that live_bytes ever was */
    int64_t cache_bytes; /* kept for reuse */
    int64_t allocations; /* calls of the allocator since the process began */
} tr_memory_stats;
TR_API tr_memory_stats tr_memory(void);

/* All memory of the library comes from here. `alloc` returns NULL when there is none. Replace it
 * before any other call, or when no object of the library is alive (tr_memory_trim first).
 * NULL restores the default: aligned_alloc and free. */
typedef struct tr_allocator {
    void *(*alloc)(void *context, size_t alignment, size_t bytes);
    void (*release)(void *context, void *block, size_t bytes);
    void *context;
} tr_allocator;
TR_API void tr_set_allocator(const tr_allocator *allocator);

/* --- Create ----------------------------------------------------------------------------------- */

TR_API tr_tensor *tr_empty(tr_dtype dtype, tr_shape shape); /* values are indeterminate */
TR_API tr_tensor *tr_zeros(tr_dtype dtype, tr_shape shape);
TR_API tr_tensor *tr_ones(tr_dtype dtype, tr_shape shape);
TR_API tr_tensor *tr_full(tr_dtype dtype, tr_shape shape, double value);
TR_API tr_tensor *tr_scalar(tr_dtype dtype, double value);  /* [] */
TR_API tr_tensor *tr_arange(tr_dtype dtype, int64_t count); /* [count]: 0, 1, 2, ... */
/* both ends included */
TR_API tr_tensor *tr_linspace(tr_dtype dtype, double from, double to, int64_t count);
TR_API tr_tensor *tr_eye(tr_dtype dtype, int64_t n); /* [n, n] */

/* Copies `values`, row-major, of the given dtype. */
TR_API tr_tensor *tr_from(tr_dtype dtype, tr_shape shape, const void *values);

/* --- Random numbers --------------------------------------------------------------------------- */

/* A counter-based generator: Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy
 * as 1, 2, 3"). The numbers are a pure function of (seed, stream, block); each draw of n values
 * uses ceil(n/4) blocks for f32 (32 bits a value), ceil(n/2) for f64 and i64, and advances `block`.
 * The format is described in docs/random.md and does not change between releases. */
typedef struct tr_rng {
    uint64_t seed, stream, block;
} tr_rng;

TR_API tr_rng tr_rng_seed(uint64_t seed);                    /* stream 0, block 0 */
TR_API tr_rng tr_rng_stream(uint64_t seed, uint64_t stream); /* independent for each stream */
TR_API void   tr_rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

TR_API tr_tensor *tr_uniform(tr_dtype dtype, tr_shape shape, tr_rng *rng); /* in [0, 1) */
/* mean 0, variance 1 (Box-Muller) */
TR_API tr_tensor *tr_normal(tr_dtype dtype, tr_shape shape, tr_rng *rng);
TR_API tr_tensor *tr_randint(tr_shape shape, int64_t bound, tr_rng *rng); /* i64 in [0, bound) */
TR_API tr_tensor *tr_permutation(int64_t n, tr_rng *rng); /* i64 [n], each of 0..n-1 once */
TR_API tr_tensor *tr_uniform_like(const tr_tensor *x, tr_rng *rng);
TR_API tr_tensor *tr_normal_like(const tr_tensor *x, tr_rng *rng);

/* --- Inspect ---------------------------------------------------------------------------------- */

TR_API int64_t tr_numel(const tr_tensor *t); /* 0 for NULL */
/* negative axes from the end; 0 for NULL or out of range */
TR_API int64_t     tr_dim(const tr_tensor *t, int axis);
TR_API tr_shape    tr_shape_of(const tr_tensor *t);
TR_API bool        tr_is_contiguous(const tr_tensor *t); /* row-major without gaps */
TR_API bool        tr_same_shape(const tr_tensor *a, const tr_tensor *b);
TR_API size_t      tr_dtype_size(tr_dtype dtype);
TR_API const char *tr_dtype_name(tr_dtype dtype); /* "f32" ... */

/* The one value of a tensor with one element; NaN and an error otherwise. */
TR_API double tr_item(const tr_tensor *t);

/* The value at an index, one number per axis, negative from the end; NaN and an error outside. */
TR_API double tr_at(const tr_tensor *t, tr_shape index);

/* Copies all values, row-major, in the tensor's dtype, to `values` (tr_numel * tr_dtype_size
 * bytes). */
TR_API tr_status tr_copy_out(const tr_tensor *t, void *values);

/* dst's values become src's: same shape, any dtypes (converted as by a C cast), any strides.
 * In place: refused where dst is part of a graph. */
TR_API tr_status tr_assign(tr_tensor *dst, const tr_tensor *src);
TR_API tr_status tr_fill(tr_tensor *dst, double value);

/* "f32[256, 784]" into text (always terminated); returns text. */
TR_API char *tr_describe(const tr_tensor *t, char *text, size_t size);

/* Writes shape and values, long axes shortened to both ends as NumPy does, to a stdio stream
 * (a FILE *, declared void * so that this header needs no stdio). */
TR_API tr_status tr_print(const tr_tensor *t, void *stream);

/* --- Files ------------------------------------------------------------------------------------ */

/* Files are written whole or not at all: a temporary file in the same folder, fsync, rename. */

/* NumPy .npy, format 1.0 and 2.0, little-endian f4, f8, i8, u1, C order (Fortran order is read). */
TR_API tr_status  tr_save_npy(const char *path, const tr_tensor *t);
TR_API tr_tensor *tr_load_npy(const char *path);

typedef struct tr_named {
    const char *name;
    tr_tensor  *tensor;
} tr_named;

/* A list that grows: the tensors of a module, of a file. Zero-initialise; freed with the scope that
 * was innermost at the first push. */
typedef struct tr_named_list {
    tr_named *items;
    int64_t   count, capacity;
} tr_named_list;
/* copies the name */
TR_API tr_status tr_named_push(tr_named_list *list, const char *name, tr_tensor *t);
/* NULL if absent; no error */
TR_API tr_tensor *tr_named_find(const tr_named_list *list, const char *name);

/* safetensors: dtypes F32, F64, I64, U8. `metadata`: key, value, key, value, ..., NULL; or NULL.
 * Reading checks everything the format promises (offsets in order, without hole or overlap, sizes
 * that fit shapes, at most 8,192 tensors and 16 MiB of header) and names the tensor at fault. */
TR_API tr_status tr_save_safetensors(const char *path, const tr_named_list *tensors,
                                     const char *const *metadata);
TR_API tr_status tr_load_safetensors(const char *path, tr_named_list *tensors);

/* The metadata of such a file in the form that tr_save_safetensors takes; lives in the scope. */
TR_API tr_status tr_load_safetensors_metadata(const char *path, const char *const **metadata);

/* --- The machine ------------------------------------------------------------------------------ */

/* Threads used by operations started from the calling thread: 1 .. 256; the default is the number
 * of processors this process may use, or OMP_NUM_THREADS. Results do not depend on it. */
TR_API tr_status tr_set_threads(int threads);
TR_API int       tr_threads(void);

/* The kernels in use: "portable", "avx2", "avx512" or "neon". Chosen at start-up: the best that the
 * processor and the operating system support, or the one that TENREC_ISA names. */
TR_API const char *tr_isa(void);
/* for tests and benchmarks; not while others compute */
TR_API tr_status tr_set_isa(const char *name);

TR_API const char *tr_version(void);

#ifdef __cplusplus
}
#endif
#endif
