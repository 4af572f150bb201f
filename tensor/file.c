/* file.c: reading whole files, and writing them so that a reader sees the old file or the new one,
 * never a part: temporary file in the same folder, fsync, rename, fsync of the folder. A process
 * that dies on the way leaves the temporary file, NAME.tmp-PID. And the order of bytes in numbers,
 * which is the same in files for every machine.
 *
 * System calls are used directly, not stdio: an interrupted call (EINTR) is made again, a short
 * write goes on, and each failure is seen with its reason. tests/test_disk.sh lets every one of
 * these calls fail in turn.                                                                      */
#include "tensor/core.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 1 << 16 };

static tr_status fail_path(const char *verb, const char *path)
{
    return tr_fail(TR_ERR_FILE, "%s: cannot %s: %s", path, verb, strerror(errno));
}

static int open_file(const char *path, int flags)
{
    int file;
    do file = open(path, flags | O_CLOEXEC, 0666);
    while (file < 0 && errno == EINTR);
    return file;
}

static bool write_all(int file, const char *bytes, size_t count)
{
    while (count > 0) {
        const ssize_t written = write(file, bytes, count);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        bytes += written;
        count -= (size_t)written;
    }
    return true;
}

static bool sync_file(int file)
{
    int result;
    do result = fsync(file);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

/* --- Writing ------------------------------------------------------------------------------ */

tr_status tri_writer_open(tri_writer *w, const char *path)
{
    *w = (tri_writer){ .file = -1, .failed = true };
    if (tri_failed()) return tr_status_get();
    const size_t length = strlen(path) + 32;
    w->path = tr_scope_alloc(length);
    w->temporary = tr_scope_alloc(length);
    w->buffer = tri_scratch(BUFFER);
    if (w->buffer == NULL) return tr_status_get();
    snprintf(w->path, length, "%s", path);
    snprintf(w->temporary, length, "%s.tmp-%ld", path, (long)getpid());
    w->file = open_file(w->temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (w->file < 0) return fail_path("create the file", path);
    w->failed = false;
    return TR_OK;
}

static tr_status fail_write(tri_writer *w)
{
    if (!w->failed) fail_path("write", w->path);
    w->failed = true;
    return tr_status_get();
}

static tr_status flush(tri_writer *w)
{
    if (!write_all(w->file, w->buffer, w->used)) return fail_write(w);
    w->used = 0;
    return TR_OK;
}

tr_status tri_writer_write(tri_writer *w, const void *bytes, size_t count)
{
    if (w->failed) return tr_status_get();
    if (count > BUFFER - w->used && flush(w) != TR_OK) return tr_status_get();
    if (count > BUFFER) return write_all(w->file, bytes, count) ? TR_OK : fail_write(w);
    if (count > 0) memcpy(w->buffer + w->used, bytes, count);
    w->used += count;
    return TR_OK;
}

tr_status tri_writer_printf(tri_writer *w, const char *format, ...)
{
    if (w->failed) return tr_status_get();
    char    text[512], *long_text = NULL;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof text) {
        long_text = tri_scratch((uint64_t)length + 1);
        if (long_text == NULL) return tr_status_get();
        va_start(arguments, format);
        vsnprintf(long_text, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    return tri_writer_write(w, long_text != NULL ? long_text : text, (size_t)length);
}

void tri_writer_abandon(tri_writer *w)
{
    if (w->file < 0) return;
    close(w->file);
    unlink(w->temporary);
    w->file = -1;
}

/* Makes the rename itself last. A folder that may not be read, or a file system that cannot do it
 * for folders (EINVAL), is no error. */
static bool sync_folder(char *path)
{
    const int folder = open_file(dirname(path), O_RDONLY);
    if (folder < 0) return true;
    const bool done = sync_file(folder) || errno == EINVAL;
    const int  reason = errno;
    close(folder);
    errno = reason;
    return done;
}

tr_status tri_writer_close(tri_writer *w)
{
    if (w->file < 0) return tr_status_get();
    if (!w->failed && flush(w) == TR_OK && !sync_file(w->file)) fail_write(w);
    if (w->failed || tri_failed()) {
        tri_writer_abandon(w);
        return tr_status_get();
    }
    const bool closed = close(w->file) == 0 || errno == EINTR; /* closed as well then */
    w->file = -1;
    if (!closed || rename(w->temporary, w->path) != 0) {
        fail_write(w);
        unlink(w->temporary);
        return tr_status_get();
    }
    return sync_folder(w->temporary) ? TR_OK : fail_write(w);
}

/* --- Reading ------------------------------------------------------------------------------ */

bool tri_file_missing(const char *path)
{
    struct stat info;
    return stat(path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* Reads up to `count` bytes; less at the end of the file, -1 on error. */
static int64_t read_all(int file, char *bytes, int64_t count)
{
    int64_t got = 0;
    while (got < count) {
        const ssize_t part = read(file, bytes + got, (size_t)(count - got));
        if (part < 0 && errno != EINTR) return -1;
        if (part == 0) break;
        if (part > 0) got += part;
    }
    return got;
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
    const int file = open_file(path, O_RDONLY);
    if (file < 0) {
        fail_path("open", path);
        return NULL;
    }
    struct stat info;
    char       *bytes = NULL;
    if (fstat(file, &info) != 0) {
        fail_path("read", path);
    } else if (S_ISDIR(info.st_mode)) {
        tr_fail(TR_ERR_FILE, "%s: is a folder; a file was expected", path);
    } else if (info.st_size > max_bytes) {
        tr_fail(TR_ERR_FILE, "%s: %lld bytes are more than the %lld allowed here", path,
                (long long)info.st_size, (long long)max_bytes);
    } else if ((bytes = tri_scratch((uint64_t)info.st_size + 1)) != NULL) {
        const int64_t got = read_all(file, bytes, info.st_size);
        if (got < 0) fail_path("read", path);
        if (got >= 0 && got < info.st_size)
            tr_fail(TR_ERR_FILE, "%s: the file ends after %lld of %lld bytes", path, (long long)got,
                    (long long)info.st_size);
        bytes[got < 0 ? 0 : got] = '\0';
        *count = got;
    }
    close(file);
    return tri_failed() ? NULL : bytes;
}
