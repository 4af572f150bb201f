/* png.c: PNG in memory, by libpng's simplified interface, where tenrec was built with libpng. This
 * is the only file that knows the library; without it the two functions fail and name the package.
 * Read next: picture.c. */
#include "datasets/picture.h"

#include "tensor/core.h"

#ifdef TENREC_HAVE_PNG

#include <png.h>
#include <string.h>

/* A PNG inflates by a factor of 1032 at most, so a header that promises more lies. */
enum { DEFLATE_FACTOR = 1032 };

bool tri_png_built(void)
{
    return true;
}

void *tri_png_encode(const tri_picture *p, const char *what, int64_t *bytes)
{
    if (p->height > INT32_MAX / 4 || p->width > INT32_MAX / 16) {
        tr_fail(TR_ERR_VALUE, "%s: %lld x %lld pixels are too many for a PNG", what,
                (long long)p->height, (long long)p->width);
        return NULL;
    }
    png_image image = { .version = PNG_IMAGE_VERSION };
    image.width = (png_uint_32)p->width;
    image.height = (png_uint_32)p->height;
    image.format = p->channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *file = tri_scratch(size);
    if (!file) return NULL;
    if (!png_image_write_to_memory(&image, file, &size, 0, p->bytes, 0, NULL)) {
        tr_fail(TR_ERR_FILE, "%s: PNG encoding failed: %s", what, image.message);
        return NULL;
    }
    *bytes = (int64_t)size;
    return file;
}

static tr_tensor *decode(const char *path, png_image *image, int64_t file_bytes)
{
    bool colour = image->format & PNG_FORMAT_FLAG_COLOR;
    int64_t channels = colour ? 3 : 1;
    int64_t values = (int64_t)image->width * image->height; /* < 2^62: both are 31 bits */
    if (values > TRI_PICTURE_LIMIT / channels || values / 8 > file_bytes * DEFLATE_FACTOR) {
        tr_fail(TR_ERR_FILE, "%s: its header promises %u x %u pixels, more than %s", path,
                image->height, image->width,
                values > TRI_PICTURE_LIMIT / channels ? "tenrec reads" : "the file can hold");
        return NULL;
    }
    image->format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    tr_tensor *t =
        tr_empty(TR_U8, TR_SHAPE((int64_t)image->height, (int64_t)image->width, channels));
    if (!t) return NULL;
    png_color black = { 0, 0, 0 };
    if (!png_image_finish_read(image, &black, t->data, 0, NULL)) {
        tr_fail(TR_ERR_FILE, "%s: damaged PNG: %s", path, image->message);
        return NULL;
    }
    return t;
}

tr_tensor *tri_png_decode(const char *path, const void *file, int64_t bytes)
{
    png_image image = { .version = PNG_IMAGE_VERSION };
    if (!png_image_begin_read_from_memory(&image, file, (size_t)bytes)) {
        tr_fail(TR_ERR_FILE, "%s: damaged PNG: %s", path, image.message);
        return NULL;
    }
    tr_tensor *t = decode(path, &image, bytes);
    png_image_free(&image);
    return t;
}

#else

static const char remedy[] = "this build has no PNG: install libpng's development package "
                             "(libpng-dev, libpng-devel) and rebuild, or use .pgm or .ppm";

bool tri_png_built(void)
{
    return false;
}

void *tri_png_encode(const tri_picture *p, const char *what, int64_t *bytes)
{
    (void)p, (void)bytes;
    tr_fail(TR_ERR_FILE, "%s: %s", what, remedy);
    return NULL;
}

tr_tensor *tri_png_decode(const char *path, const void *file, int64_t bytes)
{
    (void)file, (void)bytes;
    tr_fail(TR_ERR_FILE, "%s: %s", path, remedy);
    return NULL;
}

#endif
