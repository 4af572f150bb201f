/* export.h: what export.c and npz.c share. Not installed. */
#ifndef TENREC_EXPORT_H
#define TENREC_EXPORT_H

#include "tensor/core.h"

/* The tensors as NumPy's .npz: a zip archive of .npy files, stored. */
tr_status tri_save_npz(const char *path, const tr_named_list *tensors);

#endif
