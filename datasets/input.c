/* input.c: one way to read a data file, plain or gzip-compressed (with zlib, where it was built
 * in).
 *
 * The caller asks for the bytes that a header promised; at_most lets it refuse a promise that the
 * file cannot keep before it takes memory for it: deflate never inflates by more than a factor of
 * 1032. Read next: idx.c. */
#include "datasets/input.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#ifdef TENREC_HAVE_ZLIB
#include <zlib.h>
#endif

enum { DEFLATE_FACTOR = 1032 };

static bool ends_in_gz(const char *path)
{
    size_t n = strlen(path);
    return n > 3 && strcmp(path + n - 3, ".gz") == 0;
}

#ifdef TENREC_HAVE_ZLIB

static tr_status open_gzip(tri_input *in)
{
    in->gzip = gzopen(in->path, "rb");
    if (!in->gzip) return tr_fail(TR_ERR_FILE, "%s: cannot be read: %s", in->path, strerror(errno));
    return TR_OK;
}

/* Reads up to count bytes; -1 for a damaged stream. */
static int64_t read_gzip(tri_input *in, unsigned char *bytes, int64_t count)
{
    int64_t done = 0;
    while (done < count) {
        unsigned piece = count - done < (1 << 30) ? (unsigned)(count - done) : 1u << 30;
        int n = gzread(in->gzip, bytes + done, piece);
        if (n < 0) return -1;
        if (n == 0) break;
        done += n;
    }
    int code = Z_OK;
    gzerror(in->gzip, &code);
    return code == Z_OK || code == Z_STREAM_END ? done : -1;
}

static void close_gzip(tri_input *in)
{
    gzclose_r(in->gzip);
}

#else

static tr_status open_gzip(tri_input *in)
{
    return tr_fail(TR_ERR_FILE,
                   "%s: this build reads no gzip files: install zlib's development package "
                   "(zlib1g-dev, zlib-devel) and rebuild, or gunzip the file",
                   in->path);
}

static int64_t read_gzip(tri_input *in, unsigned char *bytes, int64_t count)
{
    (void)in, (void)bytes, (void)count;
    return -1;
}

static void close_gzip(tri_input *in)
{
    (void)in;
}

#endif

tr_status tri_input_open(tri_input *in, const char *path)
{
    *in = (tri_input){ .path = path };
    struct stat info;
    in->plain = fopen(path, "rb");
    if (!in->plain) return tr_fail(TR_ERR_FILE, "%s: cannot be read: %s", path, strerror(errno));
    if (fstat(fileno(in->plain), &info) != 0 || !S_ISREG(info.st_mode)) {
        tri_input_close(in);
        return tr_fail(TR_ERR_FILE, "%s: is not a regular file", path);
    }
    in->at_most = info.st_size;
    if (!ends_in_gz(path)) return TR_OK;
    tri_input_close(in);
    bool huge = info.st_size > INT64_MAX / DEFLATE_FACTOR;
    in->at_most = huge ? INT64_MAX : info.st_size * DEFLATE_FACTOR;
    return open_gzip(in);
}

tr_status tri_input_read(tri_input *in, void *bytes, int64_t count, const char *what)
{
    int64_t n =
        in->gzip ? read_gzip(in, bytes, count) : (int64_t)fread(bytes, 1, (size_t)count, in->plain);
    if (n < 0)
        return tr_fail(TR_ERR_FILE, "%s: the compressed data are damaged: fetch the file again",
                       in->path);
    if (n < count)
        return tr_fail(TR_ERR_FILE, "%s: ends at byte %lld inside %s, %lld bytes are missing",
                       in->path, (long long)(in->at + n), what, (long long)(count - n));
    in->at += n;
    return TR_OK;
}

tr_status tri_input_expect_end(tri_input *in)
{
    unsigned char extra;
    int64_t n = in->gzip ? read_gzip(in, &extra, 1) : (int64_t)fread(&extra, 1, 1, in->plain);
    if (n < 0)
        return tr_fail(TR_ERR_FILE, "%s: the compressed data are damaged: fetch the file again",
                       in->path);
    if (n > 0)
        return tr_fail(TR_ERR_FILE, "%s: goes on after byte %lld, where its header says it ends",
                       in->path, (long long)in->at);
    return TR_OK;
}

void tri_input_close(tri_input *in)
{
    if (in->plain) fclose(in->plain);
    if (in->gzip) close_gzip(in);
    in->plain = NULL;
    in->gzip = NULL;
}
