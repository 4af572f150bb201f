/* seeds.c: seeds FOLDER: writes the first files of the corpus, FOLDER/NAME/seed-*, with the writers
 * of tenrec where it has one, by hand where not. All small: a fuzzer changes them a byte at a time.
 * The names of the folders are those of targets.c. */
#include "train/run.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef TENREC_HAVE_ZLIB
#include <zlib.h>
#endif

static const char *root;

/* FOLDER/TARGET/seed-NAME, with the folder made. */
static const char *seed(const char *target, const char *name)
{
    static char path[2][4096];
    static int  turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", root, target);
    mkdir(path[turn], 0777);
    snprintf(path[turn], sizeof path[turn], "%s/%s/seed-%s", root, target, name);
    return path[turn];
}

static void put(const char *target, const char *name, const void *bytes, size_t count)
{
    FILE *f = fopen(seed(target, name), "wb");
    if (f == NULL || fwrite(bytes, 1, count, f) != count || fclose(f) != 0) abort();
}

static void put_text(const char *target, const char *name, const char *text)
{
    put(target, name, text, strlen(text));
}

/* --- By hand ---------------------------------------------------------------------------------- */

static void put_gzip(const char *name, const char *bytes, size_t count)
{
#ifdef TENREC_HAVE_ZLIB
    gzFile f = gzopen(seed("gz", name), "wb9");
    if (f == NULL || gzwrite(f, bytes, (unsigned)count) != (int)count || gzclose(f) != Z_OK)
        abort();
#else
    (void)name, (void)bytes, (void)count;
#endif
}

static void write_idx(void)
{
    static const char images[] = "\0\0\10\3\0\0\0\2\0\0\0\3\0\0\0\2abcdefghijkl";
    static const char colours[] = "\0\0\10\4\0\0\0\1\0\0\0\1\0\0\0\2\0\0\0\3abcdef";
    static const char labels[] = "\0\0\10\1\0\0\0\4\0\1\2\1";
    put("idx", "images", images, sizeof images - 1);
    put("idx", "colours", colours, sizeof colours - 1);
    put("idx-labels", "labels", labels, sizeof labels - 1);
    put_gzip("images", images, sizeof images - 1);
    put_gzip("colours", colours, sizeof colours - 1);
    static char large[16 + 40 * 28 * 28] = "\0\0\10\3\0\0\0\50\0\0\0\34\0\0\0\34";
    put_gzip("zeros", large, sizeof large);
    put("gz", "plain", images, sizeof images - 1);
}

static void write_cifar(void)
{
    static unsigned char records[2 * 3073];
    for (size_t i = 0; i < sizeof records; i++) records[i] = (unsigned char)(i % 3073 / 512);
    put("cifar", "one", records, 3073);
    put("cifar", "two", records, sizeof records);
}

static void write_csv(void)
{
    put_text("csv", "plain", "1,2,3\n4,5,6\n7,8,9\n");
    put_text("csv", "header", "a,b\r\n-1.5e3,+.25\r\n 0 ,\t1e-2 \r\n");
    put_text("csv", "column", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n");
    put_text("ratings", "movielens", "1::2::5::978\n1::3::4::978\n2::2::1::979\n");
    put_text("ratings", "header", "user,item,rating\r\n\r\na, x ,1e0\r\nb,x,-2\r\nb,y,3\r\n");
    put_text("table", "all",
             "{\"format\":1,\"columns\":[{\"name\":\"a\",\"kind\":\"number\",\"low\":0,"
             "\"high\":2,\"mean\":1},{\"name\":\"b\",\"kind\":\"category\",\"categories\":[\"x\"],"
             "\"shares\":[1]},{\"name\":\"c\",\"kind\":\"left out\"}]}");
    put_text("csv", "missing", "name,size\nred,1\n,2\nblue,NA\n\"a, b\",4\n");
}

static void write_json(void)
{
    put_text("json", "all",
             "{\"a\":[1,-2.5e3,true,false,null],\"b\":{\"\\u00e9\\n\":\"\xc3\xa9\"}}");
    put_text("json", "numbers",
             "[0,-0,9223372036854775807,1e308,5e-324,0.1,123456789012345678901]");
    put_text("json", "pair", "\"\\ud83d\\ude00\\\\\\/\"");
    put_text("json", "deep", " [[[[[[[[{\"x\":[[[[[]]]]]}]]]]]]]] ");
}

static void write_text_pictures(void)
{
    put_text("pnm", "grey-text", "P2\n# a comment\n3 2\n15\n0 1 2 13 14 15\n");
    put_text("pnm", "colour-text", "P3 1 2 255 0 1 2 253 254 255");
}

/* --- By tenrec's writers ---------------------------------------------------------------------- */

static void write_npy(void)
{
    tr_save_npy(seed("npy", "f4"), tr_arange(TR_F32, 6));
    tr_save_npy(seed("npy", "f8"), tr_full(TR_F64, TR_SHAPE(2, 3), 0.5));
    tr_save_npy(seed("npy", "i8"), tr_arange(TR_I64, 3));
    tr_save_npy(seed("npy", "u1"), tr_full(TR_U8, TR_SHAPE(2, 2, 2, 3), 7));
    tr_save_npy(seed("npy", "empty"), tr_zeros(TR_F32, TR_SHAPE(0, 5)));
    static const char fortran[] =
        "\x93NUMPY\2\0\x38\0\0\0{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2)}\n"
        "0123456789abcdef";
    put("npy", "fortran", fortran, sizeof fortran - 1);
}

static void write_pictures(void)
{
    tr_rng                   rng = tr_rng_seed(7);
    tr_tensor               *grey = tr_uniform(TR_F32, TR_SHAPE(5, 4), &rng);
    tr_tensor               *colour = tr_uniform(TR_F32, TR_SHAPE(3, 3, 3), &rng);
    static const char *const names[] = { "/tmp/tenrec-seed.png", "/tmp/tenrec-seed.ppm" };
    static const char *const targets[] = { "png", "pnm" };
    for (int i = 0; i < 2; i++) {
        tr_save_image(names[i], grey);
        if (!tri_failed()) rename(names[i], seed(targets[i], "grey"));
        tr_save_image(names[i], colour);
        if (!tri_failed()) rename(names[i], seed(targets[i], "colour"));
    }
}

static void write_safetensors(void)
{
    tr_named_list list = { 0 };
    tr_save_safetensors(seed("safetensors", "empty"), &list, NULL);
    tr_named_push(&list, "w", tr_arange(TR_F32, 3));
    tr_save_safetensors(seed("safetensors", "one"), &list, NULL);
    tr_named_push(&list, "b", tr_full(TR_U8, TR_SHAPE(2, 1), 65));
    tr_named_push(&list, "n", tr_scalar(TR_I64, 7));
    tr_named_push(&list, "x\n\xc3\xa9", tr_zeros(TR_F64, TR_SHAPE(0, 4)));
    tr_save_safetensors(seed("safetensors", "four"), &list,
                        (const char *const[]){ "format", "pt", "k", "v", NULL });
}

static void move(const char *from, const char *file, const char *to)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", from, file);
    if (rename(path, to) != 0) abort();
}

/* The run that the target "checkpoint" makes, after some epochs, and a config.json. */
static void write_runs(void)
{
    static const float pixels[] = { 0, 0.25F, 0.5F, 1 };
    static char        folder[] = "/tmp/tenrec-seeds-XXXXXX";
    char               file[128], spec[160];
    if (mkdtemp(folder) == NULL) abort();
    snprintf(file, sizeof file, "%s/x.npy", folder);
    snprintf(spec, sizeof spec, "npy:%s", file);
    tr_save_npy(file, tr_from(TR_F32, TR_SHAPE(4, 1, 1), pixels));
    tr_dataset  *data = tr_dataset_open(spec, &(tr_dataset_options){ .test_fraction = 0.5 });
    tr_settings *s = tr_settings_new(tr_model_find("undercomplete")->options);
    tr_settings_set(s, "latent", "1");
    tr_model *m = tr_model_new(tr_model_find("undercomplete"), s, TR_SHAPE(1, 1, 1), 0, 7);
    char      dir[160];
    snprintf(dir, sizeof dir, "%s/run", folder);
    tr_run *run = tr_run_new(dir, m, data, &(tr_train_options){ .epochs = 3, .early_stop = 2 });
    tr_run_train(run, NULL);
    if (tri_failed()) return;
    move(dir, "checkpoint/checkpoint.safetensors", seed("checkpoint", "three-epochs"));
    char command[200];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) abort();
}

static void write_config(void)
{
    put_text("config", "all",
             "{\"format\":1,\"tenrec\":\"0.1.0\",\"model\":\"fuzz\",\"settings\":{\"latent\":\"3\","
             "\"beta\":\"0.5\",\"tied\":\"true\",\"loss\":\"mse\",\"hidden\":\"8,4\"},\"data\":"
             "\"digits\",\"train_classes\":\"!9\",\"input\":[28,28,1],\"classes\":10,\"epochs\":5,"
             "\"batch\":32,\"lr\":0.001,\"seed\":7,\"limit\":0,\"val_limit\":0,\"val_split\":0,"
             "\"early_stop\":0,\"checkpoint_every\":0}");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: seeds FOLDER\n");
        return 2;
    }
    root = argv[1];
    mkdir(root, 0777);
    write_idx();
    write_cifar();
    write_csv();
    write_json();
    write_text_pictures();
    write_npy();
    write_pictures();
    write_safetensors();
    write_runs();
    write_config();
    return tr_status_print();
}
