/* memory.c: how much memory a reader takes. The address sanitizer tells of every block, of libpng
 * and zlib too; without it the library's own allocator counts. */
#include "fuzz/targets.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_SANITIZER 1
#endif
#endif

static int64_t now, peak;

static void taken(int64_t bytes)
{
    now += bytes;
    if (now > peak) peak = now;
}

#ifdef WITH_SANITIZER

/* Of <sanitizer/allocator_interface.h>, which not every gcc has. */
int    __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                                 void (*on_free)(const volatile void *));
size_t __sanitizer_get_allocated_size(const volatile void *block);

static void on_malloc(const volatile void *block, size_t bytes)
{
    (void)block;
    taken((int64_t)bytes);
}

static void on_free(const volatile void *block)
{
    if (block != NULL) taken(-(int64_t)__sanitizer_get_allocated_size(block));
}

static void listen(void)
{
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}

#else

static void *counting_alloc(void *context, size_t alignment, size_t bytes)
{
    (void)context;
    taken((int64_t)bytes);
    return aligned_alloc(alignment, bytes);
}

static void counting_release(void *context, void *block, size_t bytes)
{
    (void)context;
    taken(-(int64_t)bytes);
    free(block);
}

static void listen(void)
{
    tr_memory_trim();
    tr_set_allocator(&(tr_allocator){ counting_alloc, counting_release, NULL });
}

#endif

void fuzz_memory_begin(void)
{
    static bool listening;
    if (!listening) listen();
    listening = true;
    now = peak = 0;
}

int64_t fuzz_memory_peak(void)
{
    return peak;
}

int64_t fuzz_memory_now(void)
{
    return now;
}
