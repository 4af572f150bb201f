/* The built-in digits: sizes, labels, and that each picture is a pure function of seed, split,
 * index. */
#include "datasets/datasets.h"
#include "datasets/stroke.h"
#include "tests/suite.h"

#include <string.h>

static uint64_t hash_bytes(const void *bytes, size_t n) /* FNV-1a */
{
    const unsigned char *b = bytes;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ b[i]) * 0x100000001b3u;
    return h;
}

static uint64_t hash_images(const tr_dataset *d, tr_data_split split, int64_t begin, int64_t end)
{
    tr_tensor *x = tr_dataset_images(d, split, begin, end);
    ck_assert_ptr_nonnull(x);
    unsigned char bytes[784];
    uint64_t h = 0;
    for (int64_t i = 0; i < end - begin; i++) {
        for (int k = 0; k < 784; k++)
            bytes[k] = (unsigned char)(((float *)x->data)[i * 784 + k] * 255 + 0.5f);
        h = h * 31 + hash_bytes(bytes, 784);
    }
    return h;
}

START_TEST(sizes_and_labels)
{
    tr_dataset *d = tr_dataset_open("digits", NULL);
    ck_assert_ptr_nonnull(d);
    ck_assert_str_eq(d->name, "digits");
    ck_assert_int_eq(d->height, 28);
    ck_assert_int_eq(d->width, 28);
    ck_assert_int_eq(d->channels, 1);
    ck_assert_int_eq(d->classes, 10);
    ck_assert_int_eq(d->count[TR_TRAIN], 60000);
    ck_assert_int_eq(d->count[TR_TEST], 10000);
    tr_tensor *labels = tr_dataset_labels(d, TR_TEST, 9990, 10000);
    for (int i = 0; i < 10; i++) ck_assert_int_eq(((int64_t *)labels->data)[i], i);
}
END_TEST

/* The stored numbers fix the format: the same pictures on every machine and in every release. */
START_TEST(pure_function)
{
    tr_dataset *d = tr_dataset_open("digits", NULL);
    uint64_t train = hash_images(d, TR_TRAIN, 0, 100);
    uint64_t test = hash_images(d, TR_TEST, 9900, 10000);
    ck_assert_uint_eq(train, 8190378164557362720u);
    ck_assert_uint_eq(test, 10742356204257649293u);

    for (int threads = 1; threads <= 3; threads++) {
        tr_set_threads(threads);
        tr_dataset *again = tr_dataset_open("digits", NULL);
        hash_images(again, TR_TRAIN, 37, 63); /* another order of drawing */
        ck_assert_uint_eq(hash_images(again, TR_TRAIN, 0, 100), train);
        ck_assert_uint_eq(hash_images(again, TR_TEST, 9900, 10000), test);
    }
    tr_dataset *other = tr_dataset_open("digits", &(tr_dataset_options){ .seed = 1 });
    ck_assert_uint_ne(hash_images(other, TR_TRAIN, 0, 100), train);
    ck_assert_uint_ne(hash_images(d, TR_TEST, 0, 100), train);
}
END_TEST

/* Every picture has ink, none touches the edge by more than its soft rim, and sizes are MNIST's. */
START_TEST(looks_in_numbers)
{
    tr_dataset *d = tr_dataset_open("digits", NULL);
    tr_tensor *x = tr_dataset_images(d, TR_TRAIN, 0, 5000);
    double sum = 0, rim = 0;
    int outside = 0;
    for (int i = 0; i < 5000; i++) {
        const float *p = (const float *)x->data + 784 * i;
        double ink = 0;
        for (int k = 0; k < 784; k++) {
            outside += !(p[k] >= 0 && p[k] <= 1);
            ink += (double)p[k];
            if (k < 28 || k >= 756 || k % 28 == 0 || k % 28 == 27) rim += (double)p[k];
        }
        ck_assert_msg(ink > 15 && ink < 330, "picture %d has ink %g", i, ink);
        sum += ink;
    }
    ck_assert_int_eq(outside, 0);
    double mean = sum / 5000 / 784; /* of MNIST: 0.1307 */
    ck_assert_msg(mean > 0.12 && mean < 0.145, "mean %g", mean);
    ck_assert_msg(rim / sum < 0.002, "ink on the rim %g", rim / sum);
}
END_TEST

/* A straight stroke against the exact distance of each pixel to it. */
START_TEST(distance_to_a_line)
{
    float x[2] = { 6, 20 }, y[2] = { 9, 17 };
    uint8_t pen[2] = { TRI_SMOOTH, TRI_LIFT };
    tri_path path;
    tri_path_from_points(&path, x, y, pen, 2, 5);
    ck_assert_int_eq(path.count, 6);
    for (int i = 0; i < path.count; i++) path.radius[i] = 1.5f;
    uint8_t pixels[784];
    tri_path_draw(&path, 1.25f, pixels);
    for (int i = 0; i < 28; i++) {
        for (int j = 0; j < 28; j++) {
            double px = j + 0.5 - 6, py = i + 0.5 - 9;
            double t = (px * 14 + py * 8) / (14 * 14 + 8 * 8);
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            double ex = px - 14 * t, ey = py - 8 * t;
            double ink = 0.5 - (__builtin_sqrt(ex * ex + ey * ey) - 1.5) / 1.25;
            ink = ink < 0 ? 0 : ink > 1 ? 1 : ink;
            ck_assert_msg(__builtin_fabs(ink * 255 - pixels[28 * i + j]) < 0.51, "pixel %d %d", i,
                          j);
        }
    }
}
END_TEST

START_TEST(takes_no_argument)
{
    ck_assert_ptr_null(tr_dataset_open("digits:here", NULL));
    ck_assert_str_eq(tr_error(), "digits: takes no argument, got digits:here");
    tr_error_clear();
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { sizes_and_labels },
        { pure_function },
        { looks_in_numbers },
        { distance_to_a_line },
        { takes_no_argument },
        { 0 },
    };
    return run_tests("digits", NULL, NULL, tests);
}
