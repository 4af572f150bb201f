/* bench.h: the timed cases behind `tenrec bench`. Part of the command, not of the library.
 *
 * cases.c lists the cases and runs one, peak.c finds what the processor could do at best.
 * bench/pytorch.py has the same cases under the same names.
 * Read next: README.md (how to repeat the table).                                              */
#ifndef TENREC_BENCH_H
#define TENREC_BENCH_H

#include "models/models.h"

#include <stdint.h>

typedef enum bench_kind {
    BENCH_GEMM,   /* c = a b */
    BENCH_TRAIN,  /* a whole step: loss, backward, Adam */
    BENCH_INFER,  /* decode(encode(x)), nothing recorded */
    BENCH_STARTUP /* a new process to the end of its first step */
} bench_kind;

/* A model of the zoo and the settings that it is timed with: key, value, ..., NULL. */
typedef struct bench_model {
    const char *name; /* in names of cases */
    const char *zoo;
    const char *settings[3];
} bench_model;

typedef struct bench_case {
    char               name[48];
    bench_kind         kind;
    const bench_model *model;
    int64_t            batch;              /* images in a step */
    int64_t            m, n, k;            /* of a product */
    bool               a_turned, b_turned; /* stored transposed, as in a backward pass */
} bench_case;

/* The i-th case, false after the last; and the one of that name, false where there is none. */
bool bench_case_at(int i, bench_case *c);
bool bench_case_named(const char *name, bench_case *c);

typedef struct bench_result {
    double  seconds;    /* of a step: the median of five stretches */
    double  images;     /* in a step; 0 for products */
    double  flops;      /* of a step, as direct convolutions and products count them; 0 unknown */
    double  peak;       /* bench_peak between the stretches: their median */
    double  share;      /* of the peak: each stretch's of those beside it, the median; 0 unknown */
    int64_t peak_bytes; /* the most physical memory the process held during the case; 0 unknown */
} bench_result;

/* Measures for about `seconds`; errors are the library's. */
tr_status bench_run(const bench_case *c, double seconds, bench_result *result);

/* Takes exactly `steps` steps, untimed. */
tr_status bench_steps(const bench_case *c, int64_t steps);

/* Multiplications and additions a second, f32, of `threads` threads that touch no memory; measured
 * for about `seconds`. */
double bench_peak(int threads, double seconds);

/* Bytes a second that `threads` threads read from beyond the second cache, 8 MiB each; 0 where there is
 * no memory for it. Measured for about `seconds`. */
double bench_reading(int threads, double seconds);

double bench_now(void); /* in seconds, from anywhere */

#endif
