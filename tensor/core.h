/* core.h: what the inside of tenrec shares about memory, shapes, threads and files. Not installed.
 *
 * tensor.c makes tensors and views, scope.c owns memory, error.c keeps the first error, parallel.c
 * splits loops over threads, file.c writes files whole or not at all.
 * Read next: compute.h (the numeric drivers), kernels.h (the loops per instruction set).        */
#ifndef TENREC_CORE_H
#define TENREC_CORE_H

#include "tensor/tensor.h"

#include <stdatomic.h>
#include <stdio.h>

/* --- Thread state: the only thread-local things of the library -------------------------------- */

typedef struct tri_thread {
    tr_scope       *scope;     /* the innermost open scope */
    bool            no_record; /* autograd: operations do not append to the tape */
    bool            anomaly;   /* autograd: results are searched for NaN and Inf */
    const struct tri_function *function; /* the composed one that runs, for messages; or NULL */
    const char     *module_path; /* nn: the module being applied, for messages; or NULL */
    struct tr_node *tape;      /* autograd: the newest node; a scope cuts it back when it closes */
    uint64_t        counter;   /* autograd: number of nodes ever recorded by this thread */
    int             threads;   /* 0: the default */
    tr_status       status;
    char            message[512];
} tri_thread;

tri_thread *tri_this_thread(void);

/* True after an error: callers return NULL or the status at once. */
bool tri_failed(void);

/* False and an error, "WHAT is NULL", where it is: "module_save: the module". For a function, which
 * ISO C does not let pass as a pointer to void: f == NULL && !tri_given(NULL, WHAT). */
bool tri_given(const void *pointer, const char *what);

/* After reading a file: what was refused for its contents' sake is said of the file. A message that
 * does not begin with its name gets it. */
void tri_error_in(const char *file);

/* First line of a function composed of operations, with its tensors (1 to 4). Until it returns,
 * errors begin with its name and call these tensors by their names, not as the operation inside
 * does; of nested functions the outermost one speaks. */
#define TRI_FUNCTION(title, ...)                                      \
    __attribute__((cleanup(tri_function_end), unused))                \
    const tri_function tri_here = { title, #__VA_ARGS__, { __VA_ARGS__ }, \
                                    tri_function_begin(&tri_here) }

typedef struct tri_function {
    const char      *name, *arguments; /* "x, t" */
    const tr_tensor *given[4];
    bool             outermost;
} tri_function;

bool tri_function_begin(const tri_function *f);
void tri_function_end(const tri_function *f);

/* What the running composed function calls t, with the name's length; NULL if it has no name for
 * it. A tensor given several times has several names: the one after `skip` others, or the last. */
const char *tri_function_argument(const tr_tensor *t, int skip, int *length);

/* --- Memory ----------------------------------------------------------------------------------- */

/* A reference-counted block, 64-byte aligned, recycled by size. `version` counts changes in place,
 * so that the engine can tell a recorded value from one overwritten since. */
typedef struct tri_storage {
    atomic_long refs;
    size_t      bytes;   /* usable */
    uint32_t    version;
    void       *data;
} tri_storage;

tri_storage *tri_storage_new(uint64_t bytes); /* refs = 1; indeterminate contents; NULL and error */
void         tri_storage_ref(tri_storage *s);
void         tri_storage_unref(tri_storage *s); /* NULL is allowed */

/* Block of the calling thread's cache or of the allocator, 64-byte aligned. */
void *tri_block_new(uint64_t bytes);
void  tri_block_free(void *block, uint64_t bytes);

/* Scratch memory of the innermost scope, 64-byte aligned, indeterminate; drivers push a scope
 * first. */
void *tri_scratch(uint64_t bytes);

/* a * b and a + b for sizes; false on overflow or negative operands. */
bool tri_mul_size(int64_t a, int64_t b, int64_t *product);

/* --- Tensors ---------------------------------------------------------------------------------- */

enum { TRI_ALIVE = 0x7E24EC01, TRI_CLOSED = 0x7E24DEAD };

/* A zeroed handle in the innermost scope, without storage. */
tr_tensor *tri_handle_new(void);

/* Uninitialised values in fresh storage, row-major. */
tr_tensor *tri_new(tr_dtype dtype, tr_shape shape);

/* A view of base's storage with another shape, strides and first element (offset in elements). */
tr_tensor *tri_view(const tr_tensor *base, tr_shape shape, const int64_t *stride, int64_t offset);

/* A handle in the innermost scope to the same memory, without graph. */
tr_tensor *tri_alias(const tr_tensor *t);

/* x itself where it is contiguous, else a contiguous copy in the innermost scope. No graph. */
const tr_tensor *tri_contiguous(const tr_tensor *x);

/* Whether it is there and its scope still open. */
bool tri_alive(const tr_tensor *t);

/* False and an error naming `what` where t is NULL or its scope was closed. */
bool tri_check_alive(const tr_tensor *t, const char *what);

/* Checks rank, sizes and their product; false and an error naming `what`. */
bool tri_check_shape(tr_shape shape, const char *what);
void tri_contiguous_strides(tr_shape shape, int64_t *stride);
int64_t tri_shape_numel(tr_shape shape);
bool tri_shape_equal(tr_shape a, tr_shape b);

/* "[2, 3]" into text; returns text. */
char *tri_describe_shape(tr_shape shape, char *text, size_t size);

/* Resolves axes (negative, TR_ALL_AXES) of a tensor of the given rank into flags; false and an
 * error naming `what` for one out of range or named twice. */
bool tri_axes_flags(tr_shape axes, int rank, bool flags[TR_MAX_RANK], const char *what);

/* Resolves one axis; -1 and an error when out of range. */
int tri_axis(int axis, int rank, const char *what);

/* --- Threads ---------------------------------------------------------------------------------- */

/* Calls body(context, begin, end) over [0, n) cut in pieces of `grain` (the last one may be
 * smaller), on the calling thread's team. The pieces depend on n and grain only: body sees the same
 * pieces for any number of threads, one at a time each, in no particular order. The body reports no
 * errors and makes no tensors. Runs inline where there is one piece, one thread, or a loop already. */
void tri_parallel_for(int64_t n, int64_t                                             grain,
                      void (*body)(void *context, int64_t begin, int64_t end), void *context);

/* Scratch memory for the pieces of a parallel loop that run at the same time: a body takes a slot
 * and gives it back, so there are as many as threads, and memory stays in the cache of who used it
 * last. Contents are indeterminate at each take: results must not depend on which slot it is. */
typedef struct tri_slots {
    char       *memory; /* scratch of the innermost scope */
    size_t      bytes;  /* of a slot, a multiple of 64 */
    atomic_bool *taken;
    int         count;
} tri_slots;

bool  tri_slots_make(tri_slots *s, uint64_t bytes); /* before the loop; false and an error */
void *tri_slot_take(tri_slots *s);                /* 64-byte aligned */
void  tri_slot_give(tri_slots *s, void *slot);

/* --- Files ------------------------------------------------------------------------------------ */

/* A file being written beside its final place; nothing is visible there before tri_writer_close. */
typedef struct tri_writer {
    int    file; /* descriptor; -1: not open */
    char  *path, *temporary, *buffer;
    size_t used; /* of the buffer */
    bool   failed;
} tri_writer;

tr_status tri_writer_open(tri_writer *w, const char *path);
tr_status tri_writer_write(tri_writer *w, const void *bytes, size_t count);
tr_status tri_writer_printf(tri_writer *w, const char *format, ...) TR_PRINTF(2, 3);
tr_status tri_writer_close(tri_writer *w);  /* flush, fsync, rename; on error the old file stays */
void      tri_writer_abandon(tri_writer *w); /* removes the temporary file */

/* True where there is nothing of this name. Any other trouble with it (a disk error, no permission)
 * is told when it is opened, and must not pass for an absent file. */
bool tri_file_missing(const char *path);

/* The whole file in scratch memory of the innermost scope (a zero byte follows); NULL and an error.
 */
char *tri_read_file(const char *path, int64_t max_bytes, int64_t *count);

/* Files hold numbers with the low byte first, whatever this machine does. Makes this machine's
 * values of a file's in place, or the other way round. */
void tri_swap_to_little(void *values, int64_t count, size_t size);

/* The values of t as a file holds them, row-major, in t or the innermost scope; NULL and an error.
 */
const void *tri_file_values(const tr_tensor *t);

/* A number of so many bytes, at most 8, the low one first. */
uint64_t tri_get_little(const void *bytes, int count);
void     tri_put_little(void *bytes, int count, uint64_t value);

#endif
