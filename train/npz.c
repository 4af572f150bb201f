/* npz.c: tensors as NumPy's .npz: a zip archive (PKWARE, APPNOTE 6.3) of .npy files without
 * compression. An archive of 4 GiB or more would need another format and is refused.
 * Read next: export.c. */
#include "train/export.h"

#include <string.h>

typedef struct entry {
    char     name[200];
    uint32_t crc, bytes, offset;
} entry;

/* CRC-32 of zip (ISO 3309); 0 to begin with. */
static uint32_t crc32_of(uint32_t crc, const void *bytes, size_t count)
{
    uint32_t table[256];
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int k = 0; k < 8; k++) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xEDB88320U : 0);
    }
    crc = ~crc;
    for (size_t i = 0; i < count; i++)
        crc = crc >> 8 ^ table[(crc ^ ((const uint8_t *)bytes)[i]) & 255];
    return ~crc;
}

/* A number of so many bytes, the low one first. */
static void put(tri_writer *w, uint32_t value, int bytes)
{
    uint8_t part[4];
    tri_put_little(part, bytes, value);
    tri_writer_write(w, part, (size_t)bytes);
}

/* The .npy header of format 1.0, padded so that the data begin at a multiple of 64. */
static size_t npy_header(const tr_tensor *t, char header[512])
{
    static const char *const kinds[] = { "<f4", "<f8", "<i8", "|u1" };
    char                     shape[200] = "";
    for (int i = 0, used = 0; i < t->rank; i++)
        used +=
            snprintf(shape + used, sizeof shape - (size_t)used, "%lld,", (long long)t->shape[i]);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    size_t size = 10 + (size_t)snprintf(header + 10, 500,
                                        "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                                        kinds[t->dtype], shape);
    while (size % 64 != 63) header[size++] = ' ';
    header[size++] = '\n';
    header[8] = (char)((size - 10) & 255);
    header[9] = (char)((size - 10) >> 8);
    return size;
}

/* What the local header and the central directory have in common. */
static void put_common(tri_writer *w, const entry *e)
{
    put(w, 20, 2);         /* version needed */
    put(w, 0, 2);          /* flags */
    put(w, 0, 2);          /* stored */
    put(w, 0x00210000, 4); /* 1 January 1980, so that equal weights make equal files */
    put(w, e->crc, 4);
    put(w, e->bytes, 4);
    put(w, e->bytes, 4);
    put(w, (uint32_t)strlen(e->name), 2);
    put(w, 0, 2); /* no extra field */
}

static uint64_t write_tensor(tri_writer *w, const tr_named *named, entry *e, uint64_t offset)
{
    char             header[512];
    const tr_tensor *t = named->tensor;
    const void      *values = tri_file_values(t);
    if (tri_failed()) return offset;
    const size_t head = npy_header(t, header);
    const size_t data = (size_t)tr_numel(t) * tr_dtype_size(t->dtype);
    snprintf(e->name, sizeof e->name, "%s.npy", named->name);
    if (offset + head + data + sizeof e->name + 64 > UINT32_MAX / 2) {
        tr_fail(TR_ERR_VALUE, "export: the weights are too large for .npz, which ends at 2 GiB");
        return offset;
    }
    e->offset = (uint32_t)offset;
    e->bytes = (uint32_t)(head + data);
    e->crc = crc32_of(crc32_of(0, header, head), values, data);
    put(w, 0x04034B50, 4);
    put_common(w, e);
    tri_writer_write(w, e->name, strlen(e->name));
    tri_writer_write(w, header, head);
    tri_writer_write(w, values, data);
    return offset + 30 + strlen(e->name) + head + data;
}

static void write_directory(tri_writer *w, const entry *entries, int64_t count, uint64_t offset)
{
    uint32_t size = 0;
    for (int64_t i = 0; i < count; i++) {
        const entry *e = &entries[i];
        put(w, 0x02014B50, 4);
        put(w, 20, 2); /* made by */
        put_common(w, e);
        put(w, 0, 4); /* no comment, first disk */
        put(w, 0, 2); /* internal, */
        put(w, 0, 4); /* external attributes */
        put(w, e->offset, 4);
        tri_writer_write(w, e->name, strlen(e->name));
        size += 46 + (uint32_t)strlen(e->name);
    }
    put(w, 0x06054B50, 4);
    put(w, 0, 4);
    put(w, (uint32_t)count, 2);
    put(w, (uint32_t)count, 2);
    put(w, size, 4);
    put(w, (uint32_t)offset, 4);
    put(w, 0, 2);
}

tr_status tri_save_npz(const char *path, const tr_named_list *tensors)
{
    tri_writer w;
    tr_scope  *scope = tr_scope_push();
    entry     *entries = tr_scope_alloc((uint64_t)(tensors->count + 1) * sizeof *entries);
    uint64_t   offset = 0;
    if (entries != NULL && tri_writer_open(&w, path) == TR_OK) {
        for (int64_t i = 0; i < tensors->count && !tri_failed(); i++)
            offset = write_tensor(&w, &tensors->items[i], &entries[i], offset);
        write_directory(&w, entries, tensors->count, offset);
        if (tri_failed())
            tri_writer_abandon(&w);
        else
            tri_writer_close(&w);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}
