/* The other sources of images: shapes and their factors, CIFAR-10, npy, folders of pictures. */
#include "datasets/datasets.h"
#include "tests/files.h"
#include "tests/suite.h"

#include <math.h>

static void setup(void)
{
    enter_folder();
    unsetenv("TENREC_DATA");
    setenv("XDG_DATA_HOME", "/nowhere", 1);
}

static tr_dataset *open_set(const char *spec, tr_dataset_options options)
{
    tr_dataset *d = tr_dataset_open(spec, &options);
    ck_assert_msg(d != NULL, "%s", tr_error());
    return d;
}

static void expect_open_error(const char *spec, tr_status kind, const char *message)
{
    ck_assert_ptr_null(tr_dataset_open(spec, NULL));
    expect_error(kind, message);
}

static float value(const tr_dataset *d, tr_data_split split, int64_t image, int64_t k)
{
    tr_tensor *x = tr_dataset_images(d, split, image, image + 1);
    ck_assert_msg(x != NULL, "%s", tr_error());
    return ((float *)x->data)[k];
}

/* --- shapes ---------------------------------------------------------------------------- */

/* Area and centre of mass of a drawn shape agree with its factors. */
START_TEST(shapes_have_their_factors)
{
    tr_dataset *d = open_set("shapes", (tr_dataset_options){ .seed = 4 });
    ck_assert_int_eq(d->classes, 3);
    ck_assert_int_eq(d->height, 32);
    ck_assert_str_eq(d->class_names[2], "heart");
    const float *x = tr_dataset_images(d, TR_TEST, 0, 300)->data;
    for (int64_t n = 0; n < 300; n++) {
        double f[8], mass = 0, mx = 0, my = 0;
        ck_assert_int_eq(tr_dataset_factors(d, TR_TEST, n, f), 5);
        ck_assert_int_eq((int)f[0], ((int64_t *)tr_dataset_labels(d, TR_TEST, n, n + 1)->data)[0]);
        ck_assert(f[1] >= 0.5 && f[1] <= 1 && f[2] >= 0 && f[2] < 6.2832);
        ck_assert(f[3] >= 0 && f[3] <= 1 && f[4] >= 0 && f[4] <= 1);
        for (int i = 0; i < 32; i++) {
            for (int j = 0; j < 32; j++) {
                double ink = (double)x[n * 1024 + i * 32 + j];
                mass += ink;
                mx += ink * (j + 0.5);
                my += ink * (i + 0.5);
            }
        }
        double r = 9 * f[1], pi = 3.14159265358979;
        const double unit_area[3] = { 1.32 * 1.32, 0.95 * 0.5 * pi, 3.66197 / (1.4 * 1.4) };
        double area = unit_area[(int)f[0]] * r * r;
        ck_assert_msg(fabs(mass - area) < 0.03 * area + 0.5, "area %g, not %g", mass, area);
        if ((int)f[0] < 2) { /* a heart's centre of mass is not its origin */
            ck_assert_msg(fabs(mx / mass - (9 + 14 * f[3])) < 0.2, "x %g", mx / mass);
            ck_assert_msg(fabs(my / mass - (9 + 14 * f[4])) < 0.2, "y %g", my / mass);
        }
    }
    double f[8];
    ck_assert_int_eq(tr_dataset_factors(d, TR_TEST, 10000, f), 0);
    ck_assert_int_eq(
        tr_dataset_factors(open_set("digits", (tr_dataset_options){ 0 }), TR_TEST, 0, f), 0);
    expect_open_error("shapes:big", TR_ERR_VALUE, "shapes: takes no argument, got shapes:big");
}
END_TEST

/* An ellipse at angle a has its long axis there: the main direction of its second moments. */
START_TEST(shapes_turn)
{
    tr_dataset *d = open_set("shapes", (tr_dataset_options){ 0 });
    const float *x = tr_dataset_images(d, TR_TRAIN, 0, 300)->data;
    for (int64_t n = 1; n < 300; n += 3) {
        double f[8], mass = 0, mx = 0, my = 0, xx = 0, xy = 0, yy = 0;
        tr_dataset_factors(d, TR_TRAIN, n, f);
        for (int k = 0; k < 1024; k++) {
            double ink = (double)x[n * 1024 + k], px = k % 32, py = -(k / 32);
            mass += ink, mx += ink * px, my += ink * py;
            xx += ink * px * px, xy += ink * px * py, yy += ink * py * py;
        }
        mx /= mass, my /= mass;
        double angle =
            0.5 * atan2(2 * (xy / mass - mx * my), xx / mass - mx * mx - yy / mass + my * my);
        double off = fabs(remainder(angle - f[2], 3.14159265358979));
        ck_assert_msg(off < 0.06, "image %d: angle %g, off by %g", (int)n, f[2], off);
    }
}
END_TEST

/* --- CIFAR-10 -------------------------------------------------------------------------- */

static void write_cifar(const char *name, int records, int label)
{
    static uint8_t bytes[10 * 3073];
    for (int r = 0; r < records; r++) {
        bytes[r * 3073] = (uint8_t)(label + r);
        for (int k = 0; k < 3072; k++) /* red k % 100, green 100 more, blue 200 less */
            bytes[r * 3073 + 1 + k] =
                (uint8_t)(k % 1024 % 100 + 100 * (k / 1024) - (k >= 2048) * 150);
    }
    write_file(name, bytes, (size_t)records * 3073);
}

START_TEST(cifar)
{
    expect_open_error(
        "cifar10", TR_ERR_FILE,
        "cifar10: no data_batch_1.bin in data/cifar10, data/cifar-10-batches-bin, data, "
        "/nowhere/tenrec/cifar10, /nowhere/tenrec/cifar-10-batches-bin, /nowhere/tenrec "
        "(TENREC_DATA is not set): run scripts/download cifar10");
    write_cifar("data_batch_1.bin", 4, 2);
    write_cifar("data_batch_3.bin", 3, 7);
    write_cifar("test_batch.bin", 2, 0);
    expect_open_error("cifar10:.", TR_ERR_FILE,
                      "cifar10: no data_batch_2.bin in ., where other files of the set are: "
                      "scripts/download cifar10 . fetches it");
    tr_dataset *d = open_set("cifar10:.", (tr_dataset_options){ .allow_partial = true });
    ck_assert_int_eq(d->count[TR_TRAIN], 7);
    ck_assert_int_eq(d->count[TR_TEST], 2);
    ck_assert_int_eq(d->channels, 3);
    const int64_t expected[7] = { 2, 3, 4, 5, 7, 8, 9 };
    ck_assert_mem_eq(tr_dataset_labels(d, TR_TRAIN, 0, 7)->data, expected, sizeof expected);
    for (int c = 0; c < 3; c++) {
        int byte = (1001 % 100) + 100 * c - (c == 2) * 150;
        ck_assert(value(d, TR_TRAIN, 5, 3 * 1001 + c) == (float)byte / 255);
    }
}
END_TEST

START_TEST(cifar_broken)
{
    uint8_t bytes[3074] = { 0 };
    tr_dataset_options partial = { .allow_partial = true };
    write_file("data_batch_1.bin", bytes, 3074);
    ck_assert_ptr_null(tr_dataset_open("cifar10:.", &partial));
    ck_assert_str_eq(tr_error(), "./data_batch_1.bin: has 3074 bytes, expected a multiple of 3073");
    tr_error_clear();
    bytes[0] = 10;
    write_file("data_batch_1.bin", bytes, 3073);
    ck_assert_ptr_null(tr_dataset_open("cifar10:.", &partial));
    ck_assert_str_eq(tr_error(), "./data_batch_1.bin: label of record 0 is 10, expected 0 to 9");
}
END_TEST

START_TEST(real_cifar)
{
    const char *place = real_data("cifar-10-batches-bin");
    if (!place) return;
    char spec[1200];
    snprintf(spec, sizeof spec, "cifar10:%s", place);
    tr_dataset *d = open_set(spec, (tr_dataset_options){ .allow_partial = true });
    ck_assert_int_ge(d->count[TR_TRAIN], 10000);
    ck_assert_int_ge(d->count[TR_TEST], 1000);
    const int64_t first[6] = {
        6, 9, 9, 4, 1, 1
    }; /* frog, truck, truck, deer, automobile, automobile */
    ck_assert_mem_eq(tr_dataset_labels(d, TR_TRAIN, 0, 6)->data, first, sizeof first);
    for (int c = 0; c < 3; c++) { /* the first pixel of the frog: 59, 62, 63 */
        const int published[3] = { 59, 62, 63 };
        ck_assert(value(d, TR_TRAIN, 0, c) == (float)published[c] / 255);
    }
}
END_TEST

/* --- npy -------------------------------------------------------------------------------- */

START_TEST(npy)
{
    tr_tensor *bytes = tr_empty(TR_U8, TR_SHAPE(20, 2, 3));
    for (int i = 0; i < 120; i++) ((uint8_t *)bytes->data)[i] = (uint8_t)(2 * i);
    ck_assert_int_eq(tr_save_npy("b.npy", bytes), TR_OK);
    tr_dataset *d = open_set("npy:b.npy", (tr_dataset_options){ 0 });
    ck_assert_int_eq(d->count[TR_TRAIN], 18);
    ck_assert_int_eq(d->height * 100 + d->width * 10 + d->channels, 231);
    ck_assert(value(d, TR_TEST, 1, 5) == (float)(2 * 119) / 255);

    tr_tensor *rows = tr_linspace(TR_F64, -3, 3, 7);
    ck_assert_int_eq(tr_save_npy("r.npy", rows), TR_OK);
    expect_open_error(
        "npy:r.npy", TR_ERR_SHAPE,
        "r.npy: holds f64[7], expected [N, D], [N, H, W] or [N, H, W, C] and no size 0");
    double values[6] = { -1, 2, 3.5, 4, 5, 6 };
    ck_assert_int_eq(tr_save_npy("r.npy", tr_from(TR_F64, TR_SHAPE(2, 3), values)), TR_OK);
    d = open_set("npy:r.npy", (tr_dataset_options){ 0 });
    ck_assert_int_eq(d->height * 100 + d->width * 10 + d->channels, 131);
    ck_assert(value(d, TR_TRAIN, 0, 2) == 3.5f);
    values[4] = 1e300;
    ck_assert_int_eq(tr_save_npy("r.npy", tr_from(TR_F64, TR_SHAPE(2, 3), values)), TR_OK);
    expect_open_error("npy:r.npy", TR_ERR_FILE,
                      "r.npy: value 1 of row 1 is inf, expected finite numbers");
    ck_assert_int_eq(tr_save_npy("i.npy", tr_randint(TR_SHAPE(2, 3), 9, &(tr_rng){ 0 })), TR_OK);
    expect_open_error("npy:i.npy", TR_ERR_DTYPE, "i.npy: holds i64[2, 3], expected u8, f32 or f64");
}
END_TEST

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

/* --- Folders of pictures --------------------------------------------------------------- */

/* A colour picture H x W of one colour with a bright left half. */
static void write_picture(const char *path, int64_t height, int64_t width, int level)
{
    tr_tensor *t = tr_empty(TR_U8, TR_SHAPE(height, width, 3));
    for (int64_t i = 0; i < height * width; i++)
        for (int c = 0; c < 3; c++)
            ((uint8_t *)t->data)[3 * i + c] = i % width < width / 2 ? 200 : (uint8_t)(level + c);
    ck_assert_msg(tr_save_image(path, t) == TR_OK, "%s", tr_error());
}

START_TEST(folder_of_classes)
{
    char path[64];
    ck_assert_int_eq(mkdir("p", 0755) | mkdir("p/cat", 0755) | mkdir("p/ant", 0755), 0);
    for (int i = 0; i < 10; i++) {
        snprintf(path, sizeof path, "p/%s/%d.ppm", i < 5 ? "ant" : "cat", i);
        write_picture(path, 8, 16, 10 * i);
    }
    write_text("p/cat/notes.txt", "no picture");
    tr_dataset *d = open_set("images:p", (tr_dataset_options){ .height = 4, .width = 4 });
    ck_assert_int_eq(d->classes, 2);
    ck_assert_str_eq(d->class_names[0], "ant");
    ck_assert_str_eq(d->class_names[1], "cat");
    ck_assert_int_eq(d->count[TR_TRAIN], 9);
    ck_assert_int_eq(d->count[TR_TEST], 1);
    int seen[10] = { 0 }, sorted = 1, before = -1;
    for (int s = 0; s < 2; s++) {
        for (int64_t i = 0; i < d->count[s]; i++) {
            /* The middle 8 x 8 of 8 x 16, halved: two columns of 200, two of the picture's own
             * level. */
            int level = (int)(value(d, (tr_data_split)s, i, 3 * 3) * 255 + 0.5f), k = level / 10;
            ck_assert_int_eq((int)(value(d, (tr_data_split)s, i, 3 * 1) * 255 + 0.5f), 200);
            ck_assert_int_eq((int)(value(d, (tr_data_split)s, i, 3 * 3 + 2) * 255 + 0.5f),
                             level + 2);
            ck_assert_int_eq(((int64_t *)tr_dataset_labels(d, (tr_data_split)s, i, i + 1)->data)[0],
                             k >= 5);
            seen[k]++;
            sorted &= k > before;
            before = k;
        }
    }
    for (int i = 0; i < 10; i++) ck_assert_int_eq(seen[i], 1);
    ck_assert_int_eq(sorted, 0);
}
END_TEST

START_TEST(folder_without_classes)
{
    ck_assert_int_eq(mkdir("p", 0755), 0);
    expect_open_error("images:p", TR_ERR_FILE,
                      "images: p has no .png, .pgm or .ppm files, nor have its sub-folders");
    expect_open_error("images:q", TR_ERR_FILE,
                      "q: cannot be read as a folder: No such file or directory");
    write_picture("p/a.ppm", 3, 2, 100);
    tr_dataset *d = open_set("images:p", (tr_dataset_options){ .gray = true });
    ck_assert_int_eq(d->classes, 0);
    ck_assert_int_eq(d->height, 64);
    ck_assert_int_eq(d->channels, 1);
    ck_assert(value(d, TR_TRAIN, 0, 0) == 200 / 255.0f);
    ck_assert(value(d, TR_TRAIN, 0, 63) == 101 / 255.0f);
    write_text("p/b.pgm", "P5 9 9 255 short");
    expect_open_error("images:p", TR_ERR_FILE,
                      "p/b.pgm: ends inside the pixels: 5 bytes for 81 values");
}
END_TEST

/* --- Out of memory ---------------------------------------------------------------------- */

/* Every allocation that opening, loading, saving and loading pictures make may fail: an error,
 * never a crash, and nothing half-made. The bound is far above the number there is. */
static int64_t allowed;

static void *failing_alloc(void *context, size_t alignment, size_t bytes)
{
    (void)context;
    return allowed-- > 0 ? aligned_alloc(alignment, bytes) : NULL;
}

static void plain_release(void *context, void *block, size_t bytes)
{
    (void)context, (void)bytes;
    free(block);
}

static bool use_everything(void)
{
    tr_batch b;
    tr_scope *scope = tr_scope_push();
    tr_dataset *d = tr_dataset_open("shapes", NULL);
    tr_loader *loader =
        tr_loader_new(d, &(tr_loader_options){ .shuffle = true, .batch = 70, .limit = 100 });
    while (tr_loader_next(loader, &b)) tr_image_grid(b.x, NULL);
    tr_save_image("x.ppm", tr_image_grid(tr_dataset_images(d, TR_TEST, 0, 9), NULL));
    tr_dataset_open("images:.", NULL);
    tr_dataset_open("csv:t.csv", NULL);
    tr_scope_pop(scope);
    return tr_status_get() == TR_OK;
}

START_TEST(out_of_memory)
{
    write_text("t.csv", "a,b,c\n1,2,x\n3,?,y\n");
    write_picture("x.ppm", 8, 8, 9);
    ck_assert_msg(use_everything(), "%s", tr_error());
    tr_memory_trim();
    tr_set_allocator(&(tr_allocator){ failing_alloc, plain_release, NULL });
    int failures = 0;
    for (int64_t n = 0; n < 1000; n++) {
        tr_memory_trim();
        allowed = n;
        if (use_everything()) break;
        ck_assert_int_eq(tr_status_get(), TR_ERR_MEMORY);
        tr_error_clear();
        failures++;
    }
    tr_memory_trim();
    tr_set_allocator(NULL);
    ck_assert_msg(failures >= 10 && failures < 1000, "%d failures", failures);
    int64_t live = tr_memory().live_bytes;
    ck_assert_int_le(live, 4096 * 2);
    ck_assert_int_eq(system("test $(ls -A | wc -l) = 2"), 0); /* no temporary file stays */
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { shapes_have_their_factors },
        { shapes_turn },
        { cifar },
        { cifar_broken },
        { real_cifar },
        { npy },
        { folder_of_classes },
        { folder_without_classes },
        { out_of_memory },
        { 0 },
    };
    return run_tests("readers", setup, leave_folder, tests);
}
