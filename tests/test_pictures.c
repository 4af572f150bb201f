/* Pictures: what is saved is what is loaded, PNG is what an independent reader of the format
 * expects, grids, bytes for a browser, and files that are not pictures. */
#include "datasets/datasets.h"
#include "tests/files.h"
#include "tests/suite.h"

/* u8 [5, 7, channels] with different values. */
static tr_tensor *sample(int channels)
{
    tr_tensor *t = tr_empty(TR_U8, TR_SHAPE(5, 7, channels));
    for (int i = 0; i < 35 * channels; i++) ((uint8_t *)t->data)[i] = (uint8_t)(i * 37);
    return t;
}

static void round_trip(const char *path, int channels)
{
    tr_tensor *t = sample(channels);
    ck_assert_msg(tr_save_image(path, t) == TR_OK, "%s", tr_error());
    tr_tensor *back = tr_load_image(path);
    ck_assert_msg(back != NULL, "%s", tr_error());
    ck_assert_int_eq(back->dtype, TR_U8);
    ck_assert(tr_same_shape(t, back));
    ck_assert_mem_eq(t->data, back->data, (size_t)tr_numel(t));
}

START_TEST(round_trips)
{
    round_trip("a.pgm", 1);
    round_trip("a.ppm", 3);
#ifdef TENREC_HAVE_PNG
    round_trip("grey.png", 1);
    round_trip("colour.png", 3);
#endif
    /* Grey in a .ppm becomes three equal channels. */
    ck_assert_int_eq(tr_save_image("b.ppm", sample(1)), TR_OK);
    tr_tensor *back = tr_load_image("b.ppm");
    ck_assert_int_eq(tr_dim(back, 2), 3);
    ck_assert_int_eq(((uint8_t *)back->data)[3 * 4 + 2], 4 * 37);
}
END_TEST

START_TEST(floats_are_clamped)
{
    float      values[6] = { -1, 0.5f, 2, 0.2f, __builtin_nanf(""), 1 };
    tr_tensor *t = tr_from(TR_F32, TR_SHAPE(2, 3), values);
    ck_assert_int_eq(tr_save_image("f.pgm", t), TR_OK);
    const uint8_t expected[6] = { 0, 128, 255, 51, 0, 255 };
    ck_assert_mem_eq(tr_load_image("f.pgm")->data, expected, 6);
}
END_TEST

START_TEST(save_errors)
{
    tr_save_image("x.gif", sample(1));
    ck_assert_str_eq(tr_error(),
                     "save_image: x.gif: expected a name that ends in .png, .pgm or .ppm");
    tr_error_clear();
    tr_save_image("x.pgm", sample(3));
    ck_assert_str_eq(tr_error(), "save_image: x.pgm: a .pgm holds no colours: name it .ppm");
    tr_error_clear();
    tr_save_image("x.ppm", sample(2));
    ck_assert_str_eq(tr_error(),
                     "save_image: got u8[5, 7, 2], expected [H, W] or [H, W, C] with C = 1 "
                     "or 3 and no size 0");
    tr_error_clear();
    tr_save_image("x.ppm", tr_arange(TR_I64, 4));
    tr_error_clear();
    tr_save_image("x.pgm", tr_empty(TR_I64, TR_SHAPE(2, 2)));
    ck_assert_str_eq(tr_error(), "save_image: got i64[2, 2], expected u8, f32 or f64");
    tr_error_clear();
    ck_assert_int_eq(tr_save_image("no/such/folder.pgm", sample(1)), TR_ERR_FILE);
    ck_assert_int_ne(access("x.pgm", F_OK), 0);
    ck_assert_int_ne(access("x.ppm", F_OK), 0);
}
END_TEST

static void expect_load_error(const char *text, size_t count, const char *message)
{
    write_file("x", text, count);
    ck_assert_ptr_null(tr_load_image("x"));
    ck_assert_str_eq(tr_error(), message);
    tr_error_clear();
}

#ifdef TENREC_HAVE_PNG
/* A grey PNG of no pixels whose header says otherwise: width, height and the header's checksum. */
static void lying_png(const uint8_t says[12], const char *message)
{
    uint8_t file[] = { 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49,
                       0x48, 0x44, 0x52,
                       /* width, height, 8 bits, grey, checksum */
                       0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x00,
                       0x49, 0xef, 0x6f, 0x3f,
                       /* pixels: an empty stream; the end */
                       0x00, 0x00, 0x00, 0x08, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x03, 0x00, 0x00,
                       0x00, 0x00, 0x01, 0x48, 0x06, 0x89, 0xd2, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45,
                       0x4e, 0x44, 0xae, 0x42, 0x60, 0x82 };
    memcpy(file + 16, says, 8);
    memcpy(file + 29, says + 8, 4);
    expect_load_error((const char *)file, sizeof file, message);
}
#endif

START_TEST(text_pictures)
{
    const char text[] = "P2 # grey\n# two by two\n2 2\n# top\n4\n0 1\n2 4";
    write_file("t", text, sizeof text - 1);
    const uint8_t expected[4] = { 0, 64, 128, 255 };
    tr_tensor    *t = tr_load_image("t");
    ck_assert_msg(t != NULL, "%s", tr_error());
    ck_assert_mem_eq(t->data, expected, 4);
}
END_TEST

START_TEST(load_errors)
{
    expect_load_error("", 0, "x: is neither PNG nor PGM nor PPM");
    expect_load_error("GIF89a..", 8, "x: is neither PNG nor PGM nor PPM");
    expect_load_error("P5 2 2 255 abc", 14, "x: ends inside the pixels: 3 bytes for 4 values");
    expect_load_error("P2 2 2 9 1 2 3 x", 16, "x: value 3 of the pixels is missing");
    expect_load_error("P2 2 2 9 1 2 3 10", 17, "x: value 3 of the pixels is above the maximum");
    expect_load_error(
        "P6 99999999999 99999999999 255 ", 31,
        "x: bad PGM or PPM header: width -1, height -1, maximum 255 (expected 1 to 255)");
    expect_load_error("P6 268435456 268435456 255 ", 27,
                      "x: bad PGM or PPM header: width 268435456, height 268435456, maximum 255 "
                      "(expected 1 to 255)");
    expect_load_error(
        "P5 2 2 65535 abcdefgh", 21,
        "x: bad PGM or PPM header: width 2, height 2, maximum 65535 (expected 1 to 255)");
#ifdef TENREC_HAVE_PNG
    lying_png(
        (const uint8_t[]){ 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x49, 0xef, 0x6f, 0x3f },
        "x: its header promises 65536 x 65536 pixels, more than tenrec reads");
    lying_png(
        (const uint8_t[]){ 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x10, 0x00, 0xd7, 0xc8, 0x7b, 0xcb },
        "x: its header promises 4096 x 4096 pixels, more than the file can hold");
#endif
    ck_assert_ptr_null(tr_load_image("absent.png"));
    ck_assert_int_eq(tr_status_get(), TR_ERR_FILE);
}
END_TEST

#ifdef TENREC_HAVE_PNG
START_TEST(damaged_png)
{
    ck_assert_int_eq(tr_save_image("x.png", sample(3)), TR_OK);
    uint8_t bytes[4096], copy[4096];
    FILE   *f = fopen("x.png", "rb");
    size_t  n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t cut = 8; cut < n - 12; cut++) { /* the last 12 bytes say only that it ends */
        write_file("y.png", bytes, cut);
        ck_assert_msg(tr_load_image("y.png") == NULL, "cut at %zu of %zu", cut, n);
        ck_assert_int_eq(strncmp(tr_error(), "y.png: ", 7), 0);
        tr_error_clear();
    }
    for (size_t i = 8; i < n - 12; i++) { /* nothing breaks, whatever is read */
        memcpy(copy, bytes, n);
        copy[i] ^= 0x55;
        write_file("y.png", copy, n);
        tr_load_image("y.png");
        tr_error_clear();
    }
}
END_TEST
#endif

START_TEST(grid)
{
    tr_tensor *images = tr_empty(TR_F32, TR_SHAPE(3, 2, 2, 1));
    for (int i = 0; i < 12; i++) ((float *)images->data)[i] = (float)(i * 10) / 255.0f;
    tr_tensor *g = tr_image_grid(images, &(tr_image_grid_options){ .gap = 1, .background = 7 });
    ck_assert_msg(g != NULL, "%s", tr_error());
    const uint8_t expected[7 * 7] = {
        7, 7,   7,   7, 7,  7,  7, /**/
        7, 0,   10,  7, 40, 50, 7, /**/
        7, 20,  30,  7, 60, 70, 7, /**/
        7, 7,   7,   7, 7,  7,  7, /**/
        7, 80,  90,  7, 7,  7,  7, /**/
        7, 100, 110, 7, 7,  7,  7, /**/
        7, 7,   7,   7, 7,  7,  7,
    };
    ck_assert_int_eq(tr_dim(g, 0), 7);
    ck_assert_int_eq(tr_dim(g, 1), 7);
    ck_assert_mem_eq(g->data, expected, sizeof expected);
    g = tr_image_grid(images, &(tr_image_grid_options){ .columns = 3, .gap = -1, .zoom = 3 });
    ck_assert_int_eq(tr_dim(g, 0), 6);
    ck_assert_int_eq(tr_dim(g, 1), 18);
    ck_assert_int_eq(((uint8_t *)g->data)[18 * 5 + 17], 110);
    ck_assert_int_eq(((uint8_t *)g->data)[18 * 2 + 2], 0);
    ck_assert_ptr_null(tr_image_grid(images, &(tr_image_grid_options){ .zoom = 65 }));
    ck_assert_str_eq(tr_error(),
                     "image_grid: columns 2, gap 2, zoom 65: expected columns >= 0, gap -1 "
                     "to 1024, zoom 0 to 64");
    tr_error_clear();
    ck_assert_ptr_null(tr_image_grid(sample(1), NULL));
    ck_assert_str_eq(tr_error(),
                     "image_grid: got u8[5, 7, 1], expected images [N, H, W, C] with C = 1 "
                     "or 3 and no size 0");
}
END_TEST

START_TEST(encoded)
{
    int64_t        bytes = 0;
    const char    *type = NULL;
    const uint8_t *file = tr_encode_image(sample(3), &bytes, &type);
    ck_assert_msg(file != NULL, "%s", tr_error());
#ifdef TENREC_HAVE_PNG
    ck_assert_str_eq(type, "image/png");
    write_file("e", file, (size_t)bytes);
    ck_assert_mem_eq(tr_load_image("e")->data, sample(3)->data, 105);
#else
    ck_assert_str_eq(type, "image/bmp");
    ck_assert_int_eq(bytes, 54 + 5 * 24);
    ck_assert_int_eq(file[54 + 4 * 24 + 2], 0);  /* red of the first pixel: last row, third byte */
    ck_assert_int_eq(file[54 + 4 * 24 + 1], 37); /* its green */
    ck_assert_int_eq(file[54 + 3 + 0], (uint8_t)((4 * 21 + 5) * 37)); /* blue of pixel (4, 1) */
#endif
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { round_trips },
        { floats_are_clamped },
        { save_errors },
        { text_pictures },
        { load_errors },
#ifdef TENREC_HAVE_PNG
        { damaged_png },
#endif
        { grid },
        { encoded },
        { 0 },
    };
    return run_tests("pictures", enter_folder, leave_folder, tests);
}
