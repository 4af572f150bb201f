/* kernels_avx512.c: the kernels compiled for AVX-512 (F, DQ, BW, VL). See kernels.h for what they
 * do and kernels_body.inc for the source. This unit is compiled with the instruction set enabled
 * (CMakeLists.txt), so nothing outside may call into it before cpu.c has found that the machine has
 * it.                         */
#if defined(__x86_64__)
#define VECTOR_BYTES 64
#define TABLE        tri_kernels_avx512
#define ISA_NAME     "avx512"
#include "tensor/kernels_body.inc"
#else
typedef int tri_no_kernels_avx512; /* ISO C wants a declaration in every unit */
#endif
