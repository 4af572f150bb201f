/* kernels_neon.c: the kernels compiled for AArch64's NEON. See kernels.h for what they do and
 * kernels_body.inc for the source. This unit is compiled with the instruction set enabled
 * (CMakeLists.txt), so nothing outside may call into it before cpu.c has found that the machine has
 * it.                         */
#if defined(__aarch64__)
#define VECTOR_BYTES 16
#define TABLE        tri_kernels_neon
#define ISA_NAME     "neon"
#include "tensor/kernels_body.inc"
#else
typedef int tri_no_kernels_neon; /* ISO C wants a declaration in every unit */
#endif
