/* window.c: how many windows fit, how much padding 'same' means, and which numbers make sense. See
 * window.h. */
#include "autograd/window.h"

int64_t tri_window_count(int64_t length, int64_t size, int64_t stride, const int64_t pad[2],
                         int64_t dilation, bool ceil)
{
    if (size < 1 || size > INT32_MAX || length > INT64_MAX / 4) return 0;
    const int64_t room = length + pad[0] + pad[1] - ((size - 1) * dilation + 1);
    if (room < 0) return 0;
    int64_t count = room / stride + 1;
    if (ceil && room % stride != 0 && count * stride < length + pad[0]) count++;
    return count;
}

void tri_same_padding(int64_t length, int64_t size, int64_t stride, int64_t dilation,
                      int64_t pad[2])
{
    pad[0] = pad[1] = 0;
    if (size < 1 || size > INT32_MAX || length < 1) return;
    const int64_t count = (length - 1) / stride + 1;
    const int64_t total = (count - 1) * stride + (size - 1) * dilation + 1 - length;
    if (total <= 0) return;
    pad[0] = total / 2;
    pad[1] = total - total / 2;
}

bool tri_check_extent(const char *op, const char *what, int64_t value, int64_t least)
{
    if (value >= least && value <= INT32_MAX) return true;
    tr_fail(TR_ERR_VALUE, "%s: %s is %lld, not in %lld .. %ld", op, what, (long long)value,
            (long long)least, (long)INT32_MAX);
    return false;
}

bool tri_window_options(const char *op, int64_t stride[2], const int64_t pad[2][2],
                        int64_t dilation[2], tr_padding padding)
{
    for (int axis = 0; axis < 2; axis++) {
        if (stride[axis] == 0) stride[axis] = 1;
        if (dilation[axis] == 0) dilation[axis] = 1;
        if (!tri_check_extent(op, "stride", stride[axis], 1) ||
            !tri_check_extent(op, "dilation", dilation[axis], 1) ||
            !tri_check_extent(op, "pad", pad[axis][0], 0) ||
            !tri_check_extent(op, "pad", pad[axis][1], 0))
            return false;
        if (padding == TR_PAD_SAME && (pad[axis][0] != 0 || pad[axis][1] != 0)) {
            tr_fail(TR_ERR_VALUE, "%s: TR_PAD_SAME computes the padding; leave pad at 0", op);
            return false;
        }
    }
    return true;
}
