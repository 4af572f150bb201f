/* scope.c: who owns memory. A stack of scopes per thread; each owns a chain of chunks for small
 * things (tensor handles, tape nodes), references to the storage of its tensors, and objects with a
 * release function. Closing a scope gives all of it back.
 *
 * Blocks that come back are kept in free lists, one per size class, and handed out again: after the
 * first round a training step asks the allocator for nothing. The lists belong to the thread.
 * Read next: tensor.c, which makes tensors on top of this. */
#include "tensor/core.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define TELL_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TELL_SANITIZER 1
#endif
#endif
#ifdef TELL_SANITIZER /* not every gcc has <sanitizer/asan_interface.h> */
void __asan_poison_memory_region(void const volatile *address, size_t bytes);
void __asan_unpoison_memory_region(void const volatile *address, size_t bytes);
#endif

enum {
    ALIGNMENT = 64,
    STORAGE_HEADER = 64,
    FIRST_CHUNK = 4096,
    CHUNK = 65536,
    STEPS_PER_OCTAVE = 8, /* size classes: at most 1/8 of a block is wasted */
    CLASSES = 8 * 54,
    HUGE_PAGE = 2 << 20 /* larger blocks begin at such a page: one look-up instead of 512 */
};

typedef struct chunk {
    struct chunk *next;
    size_t        bytes, used;
} chunk;

typedef struct owned {
    struct owned *next;
    void         *object;
    void (*release)(void *object);
} owned;

struct tr_scope {
    tr_scope       *parent;
    chunk          *chunks; /* the one being filled first */
    tr_tensor      *tensors;
    owned          *objects;
    struct tr_node *tape_before; /* the tape is cut back to this */
};

typedef struct free_block {
    struct free_block *next;
} free_block;

typedef struct thread_memory {
    tri_thread  state;
    tr_scope    root;
    free_block *cache[CLASSES];
    int64_t     live_bytes, peak_bytes, cache_bytes;
} thread_memory;

static _Thread_local thread_memory memory;
static atomic_llong                allocations;

/* --- The allocator ---------------------------------------------------------------------------- */

static void *default_alloc(void *context, size_t alignment, size_t bytes)
{
    (void)context;
    if (bytes < HUGE_PAGE) return aligned_alloc(alignment, bytes);
    void *block; /* not of aligned_alloc, which may insist on whole pages of that size */
    if (posix_memalign(&block, HUGE_PAGE, bytes) != 0) return NULL;
#ifdef MADV_HUGEPAGE
    (void)madvise(block, bytes, MADV_HUGEPAGE); /* a hint: it may be refused */
#endif
    return block;
}

static void default_release(void *context, void *block, size_t bytes)
{
    (void)context;
    (void)bytes;
    free(block);
}

static tr_allocator allocator = { default_alloc, default_release, NULL };

void tr_set_allocator(const tr_allocator *replacement)
{
    static const tr_allocator standard = { default_alloc, default_release, NULL };
    allocator = replacement != NULL ? *replacement : standard;
}

/* --- Thread start and end --------------------------------------------------------------------- */

static pthread_key_t  exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;

static void close_thread(void *unused)
{
    (void)unused;
    if (memory.state.scope == NULL) return;
    tr_scope_pop(&memory.root);
    memory.state.scope = NULL;
    tr_memory_trim();
}

static void make_exit_key(void)
{
    pthread_key_create(&exit_key, close_thread);
}

/* The main thread does not run key destructors when it returns from main. */
__attribute__((destructor)) static void close_process(void)
{
    close_thread(NULL);
}

tri_thread *tri_this_thread(void)
{
    if (memory.state.scope == NULL) {
        memory.state.scope = &memory.root;
        pthread_once(&exit_once, make_exit_key);
        pthread_setspecific(exit_key, &memory);
    }
    return &memory.state;
}

/* --- Blocks ----------------------------------------------------------------------------------- */

/* The address sanitizer sees blocks of the allocator only. It is told of what lies in them, so that
 * it reports a byte beyond what was asked for, or of what was given back, too. */
static void *show(void *block, size_t bytes, size_t available)
{
#ifdef TELL_SANITIZER
    __asan_poison_memory_region(block, available);
    __asan_unpoison_memory_region(block, bytes);
#else
    (void)bytes, (void)available;
#endif
    return block;
}

/* The largest block: 7/8 of what an object may have on this machine, which is a class. Sizes are 64
 * bits wide here and in every call that asks for memory, also where a pointer has 32, so that a
 * product of sizes arrives whole and is refused rather than cut. */
static const uint64_t largest_block = (uint64_t)PTRDIFF_MAX / 8 * 7;

/* Rounds up to the next size (8 + m) 2^e, 0 <= m < 8, at least 512 bytes; *index is its class. */
static size_t round_to_class(uint64_t bytes, int *index)
{
    if (bytes < 512) bytes = 512; /* so that every size is a multiple of the alignment */
    int      exponent = 63 - __builtin_clzll((unsigned long long)bytes);
    uint64_t step = (uint64_t)1 << (exponent - 3);
    uint64_t rounded = (bytes + step - 1) & ~(step - 1);
    exponent = 63 - __builtin_clzll((unsigned long long)rounded);
    *index = (exponent - 9) * STEPS_PER_OCTAVE + (int)((rounded >> (exponent - 3)) & 7);
    return (size_t)rounded;
}

void *tri_block_new(uint64_t bytes)
{
    if (bytes > largest_block) {
        tr_fail(TR_ERR_MEMORY, "out of memory: %llu bytes were asked for",
                (unsigned long long)bytes);
        return NULL;
    }
    int         index;
    size_t      size = round_to_class(bytes, &index);
    free_block *block = memory.cache[index];
    if (block != NULL) {
        memory.cache[index] = block->next;
        memory.cache_bytes -= (int64_t)size;
    } else {
        /* What is kept for reuse is at most twice what was once in use: sizes take turns in a step,
         * and a bound that they meet in every step would give all memory back in every step. */
        if (memory.cache_bytes > 2 * memory.peak_bytes) tr_memory_trim();
        atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
        block = allocator.alloc(allocator.context, ALIGNMENT, size);
        if (block == NULL) {
            tr_memory_trim();
            tr_fail(TR_ERR_MEMORY, "out of memory: %llu bytes were asked for, %lld are in use",
                    (unsigned long long)bytes, (long long)memory.live_bytes);
            return NULL;
        }
    }
    memory.live_bytes += (int64_t)size;
    if (memory.live_bytes > memory.peak_bytes) memory.peak_bytes = memory.live_bytes;
    return show(block, (size_t)bytes, size);
}

void tri_block_free(void *block, uint64_t bytes)
{
    if (block == NULL) return;
    int    index;
    size_t size = round_to_class(bytes, &index);
#ifdef TENREC_DEBUG
    memset(show(block, size, size), 0xA5, size);
#endif
    free_block *head = show(block, sizeof *head, size);
    head->next = memory.cache[index];
    memory.cache[index] = head;
    memory.cache_bytes += (int64_t)size;
    memory.live_bytes -= (int64_t)size;
}

void tr_memory_trim(void)
{
    for (int index = 0; index < CLASSES; index++) {
        const uint64_t step = (uint64_t)1 << (index / STEPS_PER_OCTAVE + 6);
        const uint64_t size = step * (uint64_t)(STEPS_PER_OCTAVE + index % STEPS_PER_OCTAVE);
        while (memory.cache[index] != NULL) {
            free_block *block = memory.cache[index];
            memory.cache[index] = block->next;
            allocator.release(allocator.context, show(block, (size_t)size, (size_t)size),
                              (size_t)size);
        }
    }
    memory.cache_bytes = 0;
}

tr_memory_stats tr_memory(void)
{
    return (tr_memory_stats){ .live_bytes = memory.live_bytes,
                              .peak_bytes = memory.peak_bytes,
                              .cache_bytes = memory.cache_bytes,
                              .allocations = atomic_load(&allocations) };
}

/* --- Storage ---------------------------------------------------------------------------------- */

tri_storage *tri_storage_new(uint64_t bytes)
{
    tri_storage *s = tri_block_new(STORAGE_HEADER + bytes);
    if (s == NULL) return NULL;
    atomic_init(&s->refs, 1);
    s->bytes = (size_t)bytes;
    s->version = 0;
    s->data = (char *)s + STORAGE_HEADER;
    return s;
}

void tri_storage_ref(tri_storage *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

void tri_storage_unref(tri_storage *s)
{
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
    tri_block_free(s, STORAGE_HEADER + s->bytes);
}

/* --- Scopes ----------------------------------------------------------------------------------- */

static bool add_chunk(tr_scope *scope, size_t bytes)
{
    chunk *c = tri_block_new(bytes);
    if (c == NULL) return false;
    show(c, sizeof *c, bytes);
    *c = (chunk){ .next = scope->chunks, .bytes = bytes, .used = ALIGNMENT };
    scope->chunks = c;
    return true;
}

/* 64-byte aligned memory from the scope's chunks; indeterminate. */
static void *scope_memory(tr_scope *scope, uint64_t wanted)
{
    if (wanted > largest_block) return tri_block_new(wanted); /* the error */
    const size_t bytes = ((size_t)wanted + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    chunk       *c = scope->chunks;
    if (c == NULL || c->bytes - c->used < bytes) {
        const size_t usual = c == NULL ? FIRST_CHUNK : CHUNK;
        const bool   large = bytes > usual - ALIGNMENT;
        if (!add_chunk(scope, large ? bytes + ALIGNMENT : usual)) return NULL;
        c = scope->chunks;
        if (large && c->next != NULL) { /* keep filling the chunk that still has room */
            scope->chunks = c->next;
            c->next = scope->chunks->next;
            scope->chunks->next = c;
        }
    }
    void *result = (char *)c + c->used;
    c->used += bytes;
    return show(result, (size_t)wanted, bytes);
}

void *tr_scope_alloc(uint64_t bytes)
{
    if (tri_failed()) return NULL;
    void *result = scope_memory(tri_this_thread()->scope, bytes);
    if (result != NULL) memset(result, 0, (size_t)bytes);
    return result;
}

void *tri_scratch(uint64_t bytes)
{
    if (tri_failed()) return NULL;
    return scope_memory(tri_this_thread()->scope, bytes);
}

tr_scope *tr_scope_push(void)
{
    tri_thread *thread = tri_this_thread();
    tr_scope    fresh = { .parent = thread->scope, .tape_before = thread->tape };
    tr_scope   *scope = scope_memory(&fresh, sizeof *scope);
    if (scope == NULL) return NULL;
    *scope = fresh; /* the scope lives in its own first chunk */
    thread->scope = scope;
    return scope;
}

static void close_scope(tr_scope *scope)
{
    for (owned *o = scope->objects; o != NULL; o = o->next) o->release(o->object);
    for (tr_tensor *t = scope->tensors; t != NULL; t = t->next_in_scope) {
        t->alive = TRI_CLOSED;
        tri_storage_unref(t->storage);
    }
    tri_this_thread()->tape = scope->tape_before;
    chunk *c = scope->chunks;
    *scope = (tr_scope){ 0 };
    while (c != NULL) {
        chunk *next = c->next;
        tri_block_free(c, c->bytes);
        c = next;
    }
}

void tr_scope_pop(tr_scope *scope)
{
    tri_thread *thread = tri_this_thread();
    tr_scope   *s = thread->scope;
    while (s != NULL && s != scope) s = s->parent;
    if (s == NULL) {
        if (scope != NULL)
            tr_fail(TR_ERR_STATE, "scope_pop: this scope is not open in this thread");
        return;
    }
    for (bool last = false; !last;) {
        tr_scope *top = thread->scope;
        last = top == scope;
        thread->scope = top->parent != NULL ? top->parent : &memory.root;
        close_scope(top);
    }
}

tr_status tr_scope_own(void *object, void (*release)(void *object))
{
    if (release == NULL && !tri_given(NULL, "scope_own: the release function"))
        return tr_status_get();
    tr_scope *scope = tri_this_thread()->scope;
    owned    *o = scope_memory(scope, sizeof *o);
    if (o == NULL) {
        release(object);
        return tr_status_get();
    }
    *o = (owned){ .next = scope->objects, .object = object, .release = release };
    scope->objects = o;
    return TR_OK;
}

/* A zeroed tensor handle that belongs to `scope`. */
static tr_tensor *new_handle(tr_scope *scope)
{
    tr_tensor *t = scope_memory(scope, sizeof *t);
    if (t == NULL) return NULL;
    memset(t, 0, sizeof *t);
    t->alive = TRI_ALIVE;
    t->next_in_scope = scope->tensors;
    scope->tensors = t;
    return t;
}

static tr_tensor *alias_in(tr_scope *scope, const tr_tensor *t)
{
    tr_tensor *copy = new_handle(scope);
    if (copy == NULL) return NULL;
    copy->dtype = t->dtype;
    copy->rank = t->rank;
    memcpy(copy->shape, t->shape, sizeof t->shape);
    memcpy(copy->stride, t->stride, sizeof t->stride);
    copy->data = t->data;
    copy->storage = t->storage;
    if (copy->storage != NULL) tri_storage_ref(copy->storage);
    return copy;
}

tr_tensor *tri_alias(const tr_tensor *t)
{
    if (tri_failed() || !tri_check_alive(t, "alias")) return NULL;
    return alias_in(tri_this_thread()->scope, t);
}

tr_tensor *tri_handle_new(void)
{
    return tri_failed() ? NULL : new_handle(tri_this_thread()->scope);
}

tr_tensor *tr_scope_keep(tr_tensor *t)
{
    if (tri_failed() || !tri_check_alive(t, "scope_keep")) return NULL;
    tr_scope *parent = tri_this_thread()->scope->parent;
    if (parent == NULL) {
        tr_fail(TR_ERR_STATE,
                "scope_keep: no scope encloses the outermost one; push a scope first");
        return NULL;
    }
    return alias_in(parent, t);
}
