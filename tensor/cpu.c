/* cpu.c: which instruction sets the machine has, and the kernel table in use.
 *
 * An instruction set counts only where the processor has it (CPUID) and the operating system saves
 * its registers (XGETBV). The table is chosen once, at the first call; TENREC_ISA overrides, and a
 * value that cannot be honoured is kept as a message for whoever can report it.
 * Read next: kernels.h, kernels_body.inc. */
#include "tensor/kernels.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* The register sets that the operating system saves: bits of XCR0. */
static unsigned saved_registers(void)
{
    unsigned eax, edx;
    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return eax;
}

static bool has_avx2(void)
{
    unsigned eax, ebx, ecx, edx;
    const unsigned needed = bit_FMA | bit_OSXSAVE | bit_AVX;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & needed) != needed) return false;
    const unsigned sse_avx = 0x6;
    if ((saved_registers() & sse_avx) != sse_avx) return false;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_AVX2) != 0;
}

static bool has_avx512(void)
{
    unsigned eax, ebx, ecx, edx;
    const unsigned needed = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
    const unsigned sse_avx_masks_zmm = 0xE6;
    if (!has_avx2() || (saved_registers() & sse_avx_masks_zmm) != sse_avx_masks_zmm) return false;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & needed) == needed;
}
#endif

enum { TABLES = 3 };

/* The tables that this machine can run, worst first; returns their number. */
static int usable_tables(const tri_kernels *tables[TABLES])
{
    int n = 0;
    tables[n++] = &tri_kernels_portable;
#if defined(__x86_64__)
    if (has_avx2()) tables[n++] = &tri_kernels_avx2;
    if (has_avx512()) tables[n++] = &tri_kernels_avx512;
#elif defined(__aarch64__)
    tables[n++] = &tri_kernels_neon;
#endif
    return n;
}

const tri_kernels *tri_kernel_table_named(const char *isa)
{
    const tri_kernels *tables[TABLES];
    const int n = usable_tables(tables);
    for (int i = 0; i < n; i++) {
        if (strcmp(tables[i]->isa, isa) == 0) return tables[i];
    }
    return NULL;
}

static void describe_unknown(const char *isa, char *text, size_t size)
{
    const tri_kernels *tables[TABLES];
    const int n = usable_tables(tables);
    int used = snprintf(text, size,
                        "TENREC_ISA: unknown instruction set \"%.40s\"; this machine has", isa);
    for (int i = 0; i < n; i++) {
        used +=
            snprintf(text + used, size - (size_t)used, "%s %s", i > 0 ? "," : "", tables[i]->isa);
    }
}

static _Atomic(const tri_kernels *) table_in_use;
static pthread_once_t chosen = PTHREAD_ONCE_INIT;
static char environment_error[160];

static void choose_table(void)
{
    const tri_kernels *tables[TABLES];
    const tri_kernels *best = tables[usable_tables(tables) - 1];
    const char *wanted = getenv("TENREC_ISA");
    if (wanted != NULL && *wanted != '\0') {
        const tri_kernels *named = tri_kernel_table_named(wanted);
        if (named != NULL)
            best = named;
        else
            describe_unknown(wanted, environment_error, sizeof environment_error);
    }
    atomic_store(&table_in_use, best);
}

const tri_kernels *tri_kernel_table(void)
{
    const tri_kernels *table = atomic_load_explicit(&table_in_use, memory_order_acquire);
    if (table != NULL) return table;
    pthread_once(&chosen, choose_table);
    return atomic_load(&table_in_use);
}

const char *tri_isa_environment_error(void)
{
    pthread_once(&chosen, choose_table);
    return environment_error[0] != '\0' ? environment_error : NULL;
}

const char *tr_isa(void)
{
    return tri_kernel_table()->isa;
}

tr_status tr_set_isa(const char *name)
{
    if (!tri_given(name, "set_isa: the name")) return tr_status_get();
    if (tri_failed()) return tr_status_get();
    const tri_kernels *table = name != NULL ? tri_kernel_table_named(name) : NULL;
    if (table == NULL) {
        char text[160];
        describe_unknown(name != NULL ? name : "", text, sizeof text);
        return tr_fail(TR_ERR_VALUE, "%s", text);
    }
    pthread_once(&chosen, choose_table);
    atomic_store(&table_in_use, table);
    return TR_OK;
}
