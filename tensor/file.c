/* file.c: reading whole files, and writing them so that a reader sees the old file or the new one,
 * never a part: temporary file in the same folder, fsync, rename, fsync of the folder. And the
 * order of bytes in numbers, which is the same in files for every machine. */
#include "tensor/core.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static tr_status fail_path(const char *verb, const char *path)
{
    return tr_fail(TR_ERR_FILE, "%s: cannot %s: %s", path, verb, strerror(errno));
}

tr_status tri_writer_open(tri_writer *w, const char *path)
{
    *w = (tri_writer){ .failed = true };
    if (tri_failed()) return tr_status_get();
    const size_t length = strlen(path) + 32;
    w->path = tr_scope_alloc(length);
    w->temporary = tr_scope_alloc(length);
    if (w->path == NULL || w->temporary == NULL) return tr_status_get();
    snprintf(w->path, length, "%s", path);
    snprintf(w->temporary, length, "%s.tmp-%ld", path, (long)getpid());
    w->stream = fopen(w->temporary, "wb");
    if (w->stream == NULL) return fail_path("create the file", path);
    w->failed = false;
    return TR_OK;
}

static tr_status fail_write(tri_writer *w)
{
    if (!w->failed) fail_path("write", w->path);
    w->failed = true;
    return tr_status_get();
}

tr_status tri_writer_write(tri_writer *w, const void *bytes, size_t count)
{
    if (w->failed) return tr_status_get();
    return count == 0 || fwrite(bytes, 1, count, w->stream) == count ? TR_OK : fail_write(w);
}

tr_status tri_writer_printf(tri_writer *w, const char *format, ...)
{
    if (w->failed) return tr_status_get();
    va_list arguments;
    va_start(arguments, format);
    const int written = vfprintf(w->stream, format, arguments);
    va_end(arguments);
    return written >= 0 ? TR_OK : fail_write(w);
}

void tri_writer_abandon(tri_writer *w)
{
    if (w->stream == NULL) return;
    fclose(w->stream);
    unlink(w->temporary);
    w->stream = NULL;
}

/* Makes the rename itself last; a file system that cannot do it for folders is no error. */
static void sync_folder(char *path)
{
    const int folder = open(dirname(path), O_RDONLY | O_CLOEXEC);
    if (folder < 0) return;
    (void)fsync(folder);
    close(folder);
}

tr_status tri_writer_close(tri_writer *w)
{
    if (w->stream == NULL) return tr_status_get();
    if (!w->failed && (fflush(w->stream) != 0 || fsync(fileno(w->stream)) != 0)) fail_write(w);
    if (w->failed || tri_failed()) {
        tri_writer_abandon(w);
        return tr_status_get();
    }
    const bool closed = fclose(w->stream) == 0;
    w->stream = NULL;
    if (!closed || rename(w->temporary, w->path) != 0) {
        fail_write(w);
        unlink(w->temporary);
        return tr_status_get();
    }
    sync_folder(w->temporary);
    return TR_OK;
}

static bool low_byte_first(void)
{
    const uint16_t one = 1;
    return *(const uint8_t *)&one == 1;
}

void tri_swap_to_little(void *values, int64_t count, size_t size)
{
    for (int64_t i = 0; !low_byte_first() && i < count; i++) {
        uint8_t *value = (uint8_t *)values + (size_t)i * size;
        for (size_t low = 0, high = size - 1; low < high; low++, high--) {
            const uint8_t kept = value[low];
            value[low] = value[high];
            value[high] = kept;
        }
    }
}

const void *tri_file_values(const tr_tensor *t)
{
    const tr_tensor *values = tri_contiguous(t);
    if (values == NULL || low_byte_first()) return values != NULL ? values->data : NULL;
    tr_tensor *swapped = tr_from(t->dtype, tr_shape_of(t), values->data);
    if (swapped == NULL) return NULL;
    tri_swap_to_little(swapped->data, tr_numel(t), tr_dtype_size(t->dtype));
    return swapped->data;
}

uint64_t tri_get_little(const void *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint64_t)((const uint8_t *)bytes)[i] << 8 * i;
    return value;
}

void tri_put_little(void *bytes, int count, uint64_t value)
{
    for (int i = 0; i < count; i++) ((uint8_t *)bytes)[i] = (uint8_t)(value >> 8 * i);
}

char *tri_read_file(const char *path, int64_t max_bytes, int64_t *count)
{
    if (tri_failed()) return NULL;
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        fail_path("open", path);
        return NULL;
    }
    struct stat info;
    char       *bytes = NULL;
    if (fstat(fileno(stream), &info) != 0) {
        fail_path("read", path);
    } else if (S_ISDIR(info.st_mode)) {
        tr_fail(TR_ERR_FILE, "%s: is a folder; a file was expected", path);
    } else if (info.st_size > max_bytes) {
        tr_fail(TR_ERR_FILE, "%s: %lld bytes are more than the %lld allowed here", path,
                (long long)info.st_size, (long long)max_bytes);
    } else if ((bytes = tri_scratch((uint64_t)info.st_size + 1)) != NULL) {
        const size_t got = fread(bytes, 1, (size_t)info.st_size, stream);
        if (ferror(stream) || got != (size_t)info.st_size) {
            if (ferror(stream)) fail_path("read", path);
            tr_fail(TR_ERR_FILE, "%s: the file ends after %zu of %lld bytes", path, got,
                    (long long)info.st_size);
            bytes = NULL;
        } else {
            bytes[got] = '\0';
            *count = (int64_t)got;
        }
    }
    fclose(stream);
    return bytes;
}
