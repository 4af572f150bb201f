/* compose.h: what functions composed of several operations share. Not installed. */
#ifndef TENREC_COMPOSE_H
#define TENREC_COMPOSE_H

#include "autograd/tape.h"

/* Fails with "NAME: problem: x is f32[2, 3]"; returns NULL. */
tr_tensor *tri_refuse(tr_status kind, const char *name, const tr_tensor *x, const char *problem,
                      ...) TR_PRINTF(4, 5);

/* True where x is alive and no error is recorded: its fields may be read. */
bool tri_usable(const tr_tensor *x, const char *name);

/* x's shape with another size along one axis. */
tr_shape tri_with_size(const tr_tensor *x, int axis, int64_t size);

#endif
