/* kernels_portable.c: the kernels compiled for the baseline of any machine, in vectors of 16 bytes
 * that the compiler maps to what there is (SSE2 on x86-64). They are the specification of the other
 * tables. See kernels.h for what they do and kernels_body.inc for the source. */
#define VECTOR_BYTES 16
#define TABLE        tri_kernels_portable
#define ISA_NAME     "portable"
#include "tensor/kernels_body.inc"
