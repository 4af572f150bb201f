/* folder.c: a folder of pictures as a dataset. Sub-folders are classes; without them there are
 * none.
 *
 * Pictures are read when the set is opened, scaled so that they cover the asked size, and cropped
 * in the middle. Their order is a fixed shuffle of the sorted names: the first n are a fair sample
 * of all classes, whatever the file system lists first. Read next: picture.c (the formats). */
#include "datasets/source.h"

#include "tensor/core.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* --- Names ----------------------------------------------------------------------------- */

typedef struct item {
    struct item *next;
    const char *path;
    int64_t class_index;
} item;

typedef struct items {
    item *first;
    int64_t count;
} items;

static bool add_item(items *list, const char *folder, const char *name, int64_t class_index)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    item *it = tr_scope_alloc(sizeof *it);
    char *path = tr_scope_alloc(size);
    if (!path) return false;
    snprintf(path, size, "%s/%s", folder, name);
    *it = (item){ list->first, path, class_index };
    list->first = it;
    list->count++;
    return true;
}

static bool is_picture(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot &&
           (!strcasecmp(dot, ".png") || !strcasecmp(dot, ".pgm") || !strcasecmp(dot, ".ppm"));
}

/* Adds the sub-folders (class_index < 0), or the pictures, of a folder to the list. Hidden ones are
 * left out. */
static tr_status list_folder(const char *folder, int64_t class_index, items *list)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return tr_fail(TR_ERR_FILE, "%s: cannot be read as a folder: %s", folder, strerror(errno));
    for (struct dirent *e; !tri_failed() && (e = readdir(dir)) != NULL;) {
        char path[TRI_PATH_SIZE];
        struct stat info;
        int n = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || n >= TRI_PATH_SIZE || stat(path, &info) != 0) continue;
        if (class_index < 0 ? S_ISDIR(info.st_mode)
                            : S_ISREG(info.st_mode) && is_picture(e->d_name))
            add_item(list, folder, e->d_name, class_index);
    }
    closedir(dir);
    return tr_status_get();
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(item *const *)a)->path, (*(item *const *)b)->path);
}

/* The items as an array in the order of their paths. */
static item **sorted(const items *list)
{
    item **array = tr_scope_alloc(sizeof *array * (uint64_t)(list->count + 1));
    if (!array) return NULL;
    int64_t n = 0;
    for (item *it = list->first; it; it = it->next) array[n++] = it;
    qsort(array, (size_t)n, sizeof *array, by_path);
    return array;
}

/* --- Pictures -------------------------------------------------------------------------- */

/* The mean of channel c over the rectangle from (y0, x0) to (y1, x1), in pixels, edges weighted by
 * the part that lies inside. */
static double area_mean(const tr_tensor *p, int64_t c, double y0, double x0, double y1, double x1)
{
    const uint8_t *bytes = p->data;
    double sum = 0, weight = 0;
    for (int64_t i = (int64_t)y0; i < p->shape[0] && (double)i < y1; i++) {
        double h = ((double)i + 1 < y1 ? (double)i + 1 : y1) - ((double)i > y0 ? (double)i : y0);
        for (int64_t j = (int64_t)x0; j < p->shape[1] && (double)j < x1; j++) {
            double w =
                ((double)j + 1 < x1 ? (double)j + 1 : x1) - ((double)j > x0 ? (double)j : x0);
            sum += h * w * bytes[(i * p->shape[1] + j) * p->shape[2] + c];
            weight += h * w;
        }
    }
    return weight > 0 ? sum / weight : 0;
}

/* Grey of a colour by Rec. 601; a grey picture has the same value in all channels. */
static void set_pixel(uint8_t *out, const double rgb[3], int64_t channels)
{
    double grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
    for (int64_t c = 0; c < channels; c++)
        out[c] = (uint8_t)((channels == 1 ? grey : rgb[c]) + 0.5);
}

/* The largest rectangle in the middle of p with the wanted proportions, brought to d's size. */
static void fit(const tr_dataset *d, const tr_tensor *p, uint8_t *out)
{
    double ph = (double)p->shape[0], pw = (double)p->shape[1];
    double sy = ph / (double)d->height, sx = pw / (double)d->width;
    double step = sy < sx ? sy : sx;
    double top = 0.5 * (ph - step * (double)d->height), left = 0.5 * (pw - step * (double)d->width);
    for (int64_t i = 0; i < d->height; i++) {
        for (int64_t j = 0; j < d->width; j++) {
            double y = top + step * (double)i, x = left + step * (double)j, rgb[3];
            for (int64_t c = 0; c < 3; c++)
                rgb[c] = area_mean(p, p->shape[2] == 3 ? c : 0, y, x, y + step, x + step);
            set_pixel(out + (i * d->width + j) * d->channels, rgb, d->channels);
        }
    }
}

/* --- The dataset ----------------------------------------------------------------------- */

/* Lists the pictures, and names the classes where there are sub-folders. */
static tr_status list_pictures(tr_dataset *d, const char *root, items *pictures)
{
    items folders = { 0 };
    if (list_folder(root, -1, &folders) != TR_OK) return tr_status_get();
    if (folders.count == 0) return list_folder(root, 0, pictures);
    item **classes = sorted(&folders);
    const char **names = tr_scope_alloc(sizeof *names * (uint64_t)folders.count);
    if (!names) return tr_status_get();
    for (int64_t i = 0; i < folders.count; i++) {
        names[i] = strrchr(classes[i]->path, '/') + 1;
        if (list_folder(classes[i]->path, i, pictures) != TR_OK) return tr_status_get();
    }
    d->classes = folders.count;
    d->class_names = names;
    return TR_OK;
}

static tr_status load_pictures(const tr_dataset *d, item *const *list, int64_t count,
                               uint8_t *bytes, int64_t *labels)
{
    tr_rng rng = tr_rng_seed(0);
    tr_tensor *order = tr_permutation(count, &rng);
    for (int64_t i = 0; i < count && order; i++) {
        const item *it = list[((int64_t *)order->data)[i]];
        tr_scope *scope = tr_scope_push();
        tr_tensor *picture = tr_load_image(it->path);
        if (picture) fit(d, picture, bytes + i * d->height * d->width * d->channels);
        tr_scope_pop(scope);
        labels[i] = it->class_index;
        if (tri_failed()) break;
    }
    return tr_status_get();
}

tr_status tri_open_images(tr_dataset *d, const char *argument, const tr_dataset_options *options)
{
    if (!argument) return tr_fail(TR_ERR_VALUE, "images: which folder? expected images:DIR");
    d->height = options->height ? options->height : 64;
    d->width = options->width ? options->width : 64;
    d->channels = options->gray ? 1 : 3;
    if (d->height < 1 || d->height > 4096 || d->width < 1 || d->width > 4096)
        return tr_fail(TR_ERR_VALUE, "images: size %lld x %lld, expected 1 to 4096",
                       (long long)d->height, (long long)d->width);
    items pictures = { 0 };
    if (list_pictures(d, argument, &pictures) != TR_OK) return tr_status_get();
    if (pictures.count == 0)
        return tr_fail(TR_ERR_FILE,
                       "images: %s has no .png, .pgm or .ppm files, nor have its sub-folders",
                       argument);
    item **list = sorted(&pictures);
    size_t size = (size_t)(d->height * d->width * d->channels);
    uint8_t *bytes = tri_scratch((uint64_t)pictures.count * size);
    int64_t *labels = tr_scope_alloc(sizeof(int64_t) * (uint64_t)pictures.count);
    if (!labels || load_pictures(d, list, pictures.count, bytes, labels) != TR_OK)
        return tr_status_get();
    tri_rows rows = { .bytes = bytes, .labels = d->classes > 0 ? labels : NULL };
    return tri_split_rows(d, rows, pictures.count, options->test_fraction);
}
