/* Specifications, places, and the IDX reader, with hostile files; the real MNIST where it is
 * present. */
#include "datasets/datasets.h"
#include "tests/files.h"
#include "tests/suite.h"

#ifdef TENREC_HAVE_ZLIB
#include <zlib.h>
#endif

static void setup(void)
{
    enter_folder();
    unsetenv("TENREC_DATA");
    setenv("XDG_DATA_HOME", "/nowhere", 1);
}

static void expect_open_error(const char *spec, tr_status kind, const char *message)
{
    ck_assert_ptr_null(tr_dataset_open(spec, NULL));
    expect_error(kind, message);
}

/* --- Specifications -------------------------------------------------------------------- */

START_TEST(kinds)
{
    int n = 0;
    for (const tr_dataset_kind *k; (k = tr_dataset_kind_at(n)) != NULL; n++) {
        ck_assert_int_gt((int)strlen(k->help), 10);
        ck_assert_int_eq(strncmp(k->usage, k->name, strlen(k->name)), 0);
    }
    ck_assert_int_ge(n, 4);
    ck_assert_ptr_null(tr_dataset_kind_at(-1));
}
END_TEST

START_TEST(unknown_kind)
{
    ck_assert_ptr_null(tr_dataset_open("mnits:here", NULL));
    const char *begin = "dataset: there is no kind \"mnits\"; known are digits, ";
    ck_assert_msg(strncmp(tr_error(), begin, strlen(begin)) == 0, "%s", tr_error());
    for (int i = 0; tr_dataset_kind_at(i); i++)
        ck_assert_ptr_nonnull(strstr(tr_error(), tr_dataset_kind_at(i)->usage));
    tr_error_clear();
    expect_open_error(NULL, TR_ERR_VALUE, "dataset: the specification is NULL");
    expect_open_error("idx", TR_ERR_VALUE,
                      "idx: which file? expected idx:IMAGES or idx:IMAGES,LABELS");
    ck_assert_ptr_null(tr_dataset_open("idx:x", &(tr_dataset_options){ .test_fraction = 1.5 }));
    ck_assert_str_eq(tr_error(),
                     "dataset: test_fraction is 1.5, expected more than 0 and at most 1");
}
END_TEST

START_TEST(ranges)
{
    tr_dataset *d = tr_dataset_open("digits", NULL);
    ck_assert_ptr_null(tr_dataset_images(d, TR_TEST, 9999, 10001));
    ck_assert_str_eq(
        tr_error(), "dataset_images: images 9999 to 10001 of digits's test split, which has 10000");
    tr_error_clear();
    ck_assert_ptr_null(tr_dataset_labels(d, TR_TRAIN, -1, 2));
    ck_assert_str_eq(tr_error(),
                     "dataset_labels: images -1 to 2 of digits's train split, which has 60000");
    tr_error_clear();
    ck_assert_int_eq(tr_dim(tr_dataset_images(d, TR_TEST, 5, 5), 0), 0);
}
END_TEST

/* --- Places ---------------------------------------------------------------------------- */

START_TEST(places)
{
    expect_open_error(
        "mnist", TR_ERR_FILE,
        "mnist: no train-images-idx3-ubyte or train-images-idx3-ubyte.gz in data/mnist, data, "
        "/nowhere/tenrec/mnist, /nowhere/tenrec (TENREC_DATA is not set): run "
        "scripts/download mnist");
    setenv("TENREC_DATA", "/elsewhere", 1);
    expect_open_error(
        "fashion-mnist", TR_ERR_FILE,
        "fashion-mnist: no train-images-idx3-ubyte or train-images-idx3-ubyte.gz in "
        "data/fashion-mnist, /elsewhere/fashion-mnist, /nowhere/tenrec/fashion-mnist: run "
        "scripts/download fashion-mnist");
    expect_open_error("mnist:/there", TR_ERR_FILE,
                      "mnist: no train-images-idx3-ubyte or train-images-idx3-ubyte.gz in /there: "
                      "scripts/download mnist /there fetches it");
}
END_TEST

/* A small set in MNIST's four files: n images whose pixels are all i, with labels i % 10. */
static void write_mnist(int n, const char *prefix)
{
    char name[64];
    uint8_t images[16 + 50 * 784] = { 0, 0, 8, 3, 0, 0, 0, (uint8_t)n, 0, 0, 0, 28, 0, 0, 0, 28 };
    uint8_t labels[8 + 50] = { 0, 0, 8, 1, 0, 0, 0, (uint8_t)n };
    for (int i = 0; i < n; i++) {
        memset(images + 16 + 784 * i, i, 784);
        labels[8 + i] = (uint8_t)(i % 10);
    }
    snprintf(name, sizeof name, "%s-images-idx3-ubyte", prefix);
    write_file(name, images, 16 + 784 * (size_t)n);
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", prefix);
    write_file(name, labels, 8 + (size_t)n);
}

/* What a run keeps of its data: a relative folder, given or found, as an absolute one. */
START_TEST(a_relative_place_is_made_absolute)
{
    char expected[640], here[256];
    write_mnist(20, "train");
    write_mnist(10, "t10k");
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    const tr_dataset *typed = tr_dataset_open("mnist:.", NULL);
    ck_assert_str_eq(typed->spec, "mnist:.");
    snprintf(expected, sizeof expected, "mnist:%s/.", here);
    ck_assert_str_eq(typed->place, expected);
    const tr_dataset *two =
        tr_dataset_open("idx:./train-images-idx3-ubyte,train-labels-idx1-ubyte", NULL);
    snprintf(expected, sizeof expected,
             "idx:%s/train-images-idx3-ubyte,%s/train-labels-idx1-ubyte", here, here);
    ck_assert_str_eq(two->place, expected);
    ck_assert_ptr_nonnull(tr_dataset_open(two->place, NULL));
    setenv("TENREC_DATA", folder, 1);
    ck_assert_str_eq(tr_dataset_open("mnist", NULL)->place, "mnist");
    setenv("TENREC_DATA", ".", 1);
    snprintf(expected, sizeof expected, "mnist:%s/.", here);
    ck_assert_str_eq(tr_dataset_open("mnist", NULL)->place, expected);
    ck_assert_str_eq(tr_dataset_open("digits", NULL)->place, "digits");
}
END_TEST

START_TEST(found_in_environment)
{
    write_mnist(20, "train");
    setenv("TENREC_DATA", folder, 1);
    char expected[512];
    snprintf(
        expected, sizeof expected,
        "mnist: no t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz in %s, where other files "
        "of the set are: scripts/download mnist %s fetches it",
        folder, folder);
    expect_open_error("mnist", TR_ERR_FILE, expected);
    write_mnist(10, "t10k");
    tr_dataset *d = tr_dataset_open("mnist", NULL);
    ck_assert_msg(d != NULL, "%s", tr_error());
    ck_assert_int_eq(d->count[TR_TRAIN], 20);
    ck_assert_int_eq(d->count[TR_TEST], 10);
    tr_tensor *x = tr_dataset_images(d, TR_TRAIN, 13, 15);
    ck_assert(((float *)x->data)[0] == 13 / 255.0f);
    ck_assert(((float *)x->data)[784] == 14 / 255.0f);
    ck_assert_int_eq(((int64_t *)tr_dataset_labels(d, TR_TRAIN, 13, 15)->data)[1], 4);
    /* The same file names in a folder of another name are not taken for clothes. */
    ck_assert_ptr_null(tr_dataset_open("fashion-mnist", NULL));
}
END_TEST

START_TEST(mnist_of_another_size)
{
    uint8_t images[16 + 4] = { 0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2 };
    write_file("train-images-idx3-ubyte", images, sizeof images);
    expect_open_error("mnist:.", TR_ERR_FILE,
                      "./train-images-idx3-ubyte: holds images 2 x 2 x 1, expected 28 x 28 x 1");
}
END_TEST

/* --- IDX: what hostile and broken files get -------------------------------------------- */

/* Two images 2 x 3, and what is wrong with them. */
static const uint8_t good[16 + 12] = { 0, 0, 8, 3,  0,   0,   0,   2,   0, 0, 0, 2, 0, 0,
                                       0, 3, 0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6 };

static void expect_idx_error(const uint8_t *bytes, size_t count, const char *message)
{
    write_file("x", bytes, count);
    expect_open_error("idx:x", TR_ERR_FILE, message);
}

START_TEST(idx_good)
{
    write_file("x", good, sizeof good);
    tr_dataset *d = tr_dataset_open("idx:x", NULL);
    ck_assert_msg(d != NULL, "%s", tr_error());
    ck_assert_int_eq(d->height, 2);
    ck_assert_int_eq(d->width, 3);
    ck_assert_int_eq(d->channels, 1);
    ck_assert_int_eq(d->classes, 0);
    ck_assert_int_eq(d->count[TR_TRAIN] + d->count[TR_TEST], 2);
    tr_tensor *x = tr_dataset_images(d, TR_TRAIN, 0, 1);
    for (int i = 0; i < 6; i++) ck_assert(((float *)x->data)[i] == (float)(51 * i) / 255);
    ck_assert_ptr_null(tr_dataset_labels(d, TR_TRAIN, 0, 1));
    ck_assert_str_eq(tr_error(), "dataset_labels: idx:x has no labels");
}
END_TEST

START_TEST(idx_broken)
{
    uint8_t b[64];
    expect_idx_error(good, 0, "x: ends at byte 0 inside the magic number, 4 bytes are missing");
    expect_idx_error(good, 10, "x: ends at byte 10 inside the sizes, 2 bytes are missing");
    expect_idx_error(good, 27, "x: its header promises 12 values, at most 11 can follow");
    memcpy(b, good, sizeof good);
    expect_idx_error(b, sizeof good + 1, "x: goes on after byte 28, where its header says it ends");
    b[0] = 0x89;
    expect_idx_error(b, sizeof good, "x: is no IDX file: begins with 89000803, expected 0000");
    b[0] = 0x1f, b[1] = 0x8b;
    expect_idx_error(b, sizeof good, "x: is gzip-compressed: rename it to end in .gz");
    memcpy(b, good, sizeof good);
    b[2] = 0x0d;
    expect_idx_error(b, sizeof good,
                     "x: holds values of type 0x0d, expected 0x08 (unsigned bytes)");
    b[2] = 8, b[3] = 255;
    expect_idx_error(b, sizeof good, "x: has 255 dimensions, expected 3 or 4 (images)");
    b[3] = 3, b[7] = 0;
    expect_idx_error(b, sizeof good, "x: dimension 0 is 0: there are no values");
    memset(b + 4, 0xff, 12); /* 2^96: a product that overflows */
    expect_idx_error(b, sizeof good,
                     "x: its header promises 9223372036854775807 values, at most 12 can follow");
    expect_open_error("idx:absent", TR_ERR_FILE,
                      "absent: cannot be read: No such file or directory");
    expect_open_error("idx:.", TR_ERR_FILE, ".: is not a regular file");
}
END_TEST

START_TEST(idx_labels)
{
    uint8_t labels[8 + 3] = { 0, 0, 8, 1, 0, 0, 0, 3, 4, 0, 9 };
    write_file("x", good, sizeof good);
    write_file("y", labels, sizeof labels);
    expect_open_error("idx:x,y", TR_ERR_FILE, "y: has 3 labels, but there are 2 images");
    labels[7] = 2;
    write_file("y", labels, 10);
    tr_dataset *d = tr_dataset_open("idx:x,y", &(tr_dataset_options){ .test_fraction = 0.5 });
    ck_assert_msg(d != NULL, "%s", tr_error());
    ck_assert_int_eq(d->classes, 5);
    ck_assert_int_eq(d->count[TR_TRAIN], 1);
    ck_assert_int_eq(((int64_t *)tr_dataset_labels(d, TR_TRAIN, 0, 1)->data)[0], 4);
    ck_assert_int_eq(((int64_t *)tr_dataset_labels(d, TR_TEST, 0, 1)->data)[0], 0);
    write_mnist(12, "train");
    uint8_t wrong[8 + 12] = { 0, 0, 8, 1, 0, 0, 0, 12, 1, 2, 3, 10 };
    write_file("train-labels-idx1-ubyte", wrong, sizeof wrong);
    expect_open_error("mnist:.", TR_ERR_FILE,
                      "./train-labels-idx1-ubyte: label 3 is 10, expected 0 to 9");
}
END_TEST

/* Rows that came in one piece: both splits together hold each row once, tests evenly spaced. */
START_TEST(split_of_one_piece)
{
    enum { N = 37 };
    uint8_t b[16 + N] = { 0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, 1, 0, 0, 0, 1 };
    for (int i = 0; i < N; i++) b[16 + i] = (uint8_t)i;
    write_file("x", b, sizeof b);
    tr_dataset *d = tr_dataset_open("idx:x", NULL);
    ck_assert_int_eq(d->count[TR_TRAIN], 34);
    ck_assert_int_eq(d->count[TR_TEST], 3);
    int seen[N] = { 0 };
    for (int s = 0; s < 2; s++) {
        tr_tensor *x = tr_dataset_images(d, (tr_data_split)s, 0, d->count[s]);
        for (int64_t i = 0; i < d->count[s]; i++)
            seen[(int)(((float *)x->data)[i] * 255 + 0.5f)] += s + 1;
    }
    for (int i = 0; i < N; i++) ck_assert_int_eq(seen[i], i == 9 || i == 19 || i == 29 ? 2 : 1);
}
END_TEST

/* --- gzip ------------------------------------------------------------------------------ */

#ifdef TENREC_HAVE_ZLIB

static void write_gzip(const char *path, const void *bytes, unsigned count)
{
    gzFile f = gzopen(path, "wb");
    ck_assert_int_eq(gzwrite(f, bytes, count), (int)count);
    ck_assert_int_eq(gzclose(f), Z_OK);
}

START_TEST(gzip_equals_plain)
{
    write_file("x", good, sizeof good);
    write_gzip("x.gz", good, sizeof good);
    tr_tensor *a = tr_dataset_images(tr_dataset_open("idx:x", NULL), TR_TRAIN, 0, 2);
    tr_tensor *b = tr_dataset_images(tr_dataset_open("idx:x.gz", NULL), TR_TRAIN, 0, 2);
    ck_assert_msg(a && b, "%s", tr_error());
    ck_assert_mem_eq(a->data, b->data, 12 * sizeof(float));
}
END_TEST

START_TEST(gzip_broken)
{
    uint8_t b[64];
    memcpy(b, good, sizeof good);
    write_gzip("x.gz", b, sizeof good - 1);
    expect_open_error("idx:x.gz", TR_ERR_FILE,
                      "x.gz: ends at byte 27 inside the values, 1 bytes are missing");
    write_gzip("x.gz", b, sizeof good + 1);
    expect_open_error("idx:x.gz", TR_ERR_FILE,
                      "x.gz: goes on after byte 28, where its header says it ends");
    memset(b + 4, 0x7f, 12);
    write_gzip("x.gz", b, sizeof good);
    ck_assert_ptr_null(tr_dataset_open("idx:x.gz", NULL));
    ck_assert_ptr_nonnull(
        strstr(tr_error(), "x.gz: its header promises 9223372036854775807 values"));
    tr_error_clear();

    uint8_t bytes[4096];
    write_gzip("x.gz", good, sizeof good);
    FILE *f = fopen("x.gz", "rb");
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    bytes[n - 6] ^= 0x40; /* the checksum */
    write_file("x.gz", bytes, n);
    expect_open_error("idx:x.gz", TR_ERR_FILE,
                      "x.gz: the compressed data are damaged: fetch the file again");
    write_file("x.gz", bytes, n - 9); /* cut inside the deflate stream */
    ck_assert_ptr_null(tr_dataset_open("idx:x.gz", NULL));
    ck_assert_int_eq(tr_status_get(), TR_ERR_FILE);
}
END_TEST

START_TEST(real_mnist)
{
    const char *place = real_data("mnist");
    if (!place) return;
    char spec[1200];
    snprintf(spec, sizeof spec, "mnist:%s", place);
    tr_dataset *d = tr_dataset_open(spec, NULL);
    ck_assert_msg(d != NULL, "%s", tr_error());
    ck_assert_int_eq(d->count[TR_TRAIN], 60000);
    ck_assert_int_eq(d->count[TR_TEST], 10000);
    const int64_t first[8] = { 7, 2, 1, 0, 4, 1, 4, 9 }; /* as published */
    int64_t *labels = tr_dataset_labels(d, TR_TEST, 0, 10000)->data;
    int64_t of_class[10] = { 0 };
    for (int i = 0; i < 8; i++) ck_assert_int_eq(labels[i], first[i]);
    for (int i = 0; i < 10000; i++) of_class[labels[i]]++;
    ck_assert_int_eq(of_class[1], 1135);
    ck_assert_int_eq(of_class[5], 892);
    const float *x = tr_dataset_images(d, TR_TRAIN, 0, 60000)->data;
    double sum = 0;
    for (int64_t i = 0; i < 60000 * 784; i++) sum += (double)x[i];
    ck_assert_double_eq_tol(sum / 60000 / 784, 0.1307, 5e-5); /* the published mean */
}
END_TEST

#else

START_TEST(gzip_missing)
{
    write_file("x.gz", good, sizeof good);
    expect_open_error("idx:x.gz", TR_ERR_FILE,
                      "x.gz: this build reads no gzip files: install zlib's development package "
                      "(zlib1g-dev, zlib-devel) and rebuild, or gunzip the file");
}
END_TEST

#endif

int main(void)
{
    const test_entry tests[] = {
        { kinds },
        { unknown_kind },
        { ranges },
        { places },
        { a_relative_place_is_made_absolute },
        { found_in_environment },
        { mnist_of_another_size },
        { idx_good },
        { idx_broken },
        { idx_labels },
        { split_of_one_piece },
#ifdef TENREC_HAVE_ZLIB
        { gzip_equals_plain },
        { gzip_broken },
        { real_mnist },
#else
        { gzip_missing },
#endif
        { 0 },
    };
    return run_tests("datasets", setup, leave_folder, tests);
}
