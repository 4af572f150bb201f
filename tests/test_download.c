/* scripts/download without a network: usage, unreachable and wrong mirrors, and, with checksums put
 * into a copy of the script, complete and interrupted downloads from a mirror in a folder. */
#include "tests/files.h"
#include "tests/suite.h"

static char output[4096];

/* Runs a shell command in the test's folder; its status, with stdout and stderr in `output`. */
static int run(const char *command)
{
    char line[2048];
    snprintf(line, sizeof line, "{ %s; } 2>&1", command);
    FILE *pipe = popen(line, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t n = fread(output, 1, sizeof output - 1, pipe);
    output[n] = 0;
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *command, int status, const char *text)
{
    int got = run(command);
    ck_assert_msg(got == status, "%s: status %d, not %d: %s", command, got, status, output);
    ck_assert_msg(strstr(output, text) != NULL, "%s: no \"%s\" in: %s", command, text, output);
}

/* Copies the script to ./download, with the checksums of the mirror's files in their places. */
static void setup(void)
{
    enter_folder();
    ck_assert_int_eq(run("mkdir mirror batches batches/cifar-10-batches-bin"), 0);
    expect("cp " TENREC_SOURCE_DIR "/scripts/download real && cp real download", 0, "");
    ck_assert_int_eq(
        run("for f in train-images-idx3 train-labels-idx1 t10k-images-idx3 "
            "t10k-labels-idx1; do echo $f | gzip > mirror/$f-ubyte.gz; done;"
            "for b in data_batch_1 data_batch_2 data_batch_3 data_batch_4 data_batch_5 "
            "test_batch; do echo $b > batches/cifar-10-batches-bin/$b.bin; done;"
            "tar -czf mirror/cifar-10-binary.tar.gz -C batches cifar-10-batches-bin;"
            "for f in mirror/*; do sum=$(md5sum < $f | cut -d' ' -f1);"
            "sed \"s/^\\(.*${f#mirror/}\\) [0-9a-f]\\{32\\}/\\1 $sum/\" download > d;"
            "mv d download; done; chmod +x download real"),
        0);
    char mirror[256];
    snprintf(mirror, sizeof mirror, "file://%s/mirror", folder);
    setenv("TENREC_MIRROR", mirror, 1);
}

START_TEST(usage)
{
    expect("./real --help", 0, "usage: scripts/download mnist|fashion-mnist|cifar10 [DIR]\n");
    expect("./real", 2,
           "download: which data set? expected mnist, fashion-mnist or cifar10 (--help "
           "tells more)\n");
    expect("./real mnits", 2,
           "download: unknown data set \"mnits\": expected mnist, fashion-mnist or "
           "cifar10\n");
    expect("./real mnist a b", 2,
           "download: too many arguments: expected a data set and a folder\n");
}
END_TEST

START_TEST(no_network)
{
    setenv("TENREC_MIRROR", "file:///nowhere", 1);
    expect("./real mnist d", 1,
           "download: train-images-idx3-ubyte.gz: no mirror could be reached: check "
           "the network and run the same command again\n");
    expect("ls d | wc -l", 0, "0");
}
END_TEST

START_TEST(wrong_files)
{
    expect("./real mnist d", 1, ", expected f68b3c2dcbeaaa9fbdd348bbdeb94873\n");
    ck_assert_ptr_nonnull(strstr(output,
                                 "download: train-images-idx3-ubyte.gz: no mirror has the right "
                                 "file: checksum "));
    expect("ls d | wc -l", 0, "0");
}
END_TEST

START_TEST(complete)
{
    expect("./download mnist", 0, "mnist: complete in data/mnist\n");
    expect("ls data/mnist | wc -l && diff -r mirror data/mnist", 1, "4\n");
    expect("diff -r mirror data/mnist", 1, "Only in mirror: cifar-10-binary.tar.gz\n");
    expect("./download mnist", 0, "t10k-labels-idx1-ubyte.gz: already there\n");
    expect("echo changed > data/mnist/t10k-labels-idx1-ubyte.gz && ./download mnist", 0,
           "t10k-labels-idx1-ubyte.gz: fetching from ");
    expect("diff -r mirror data/mnist | wc -l", 0, "1\n");
}
END_TEST

START_TEST(goes_on)
{
    ck_assert_int_eq(
        run("mkdir d && head -c 20 mirror/train-images-idx3-ubyte.gz > "
            "d/train-images-idx3-ubyte.gz.part && cp mirror/train-labels-idx1-ubyte.gz "
            "d/train-labels-idx1-ubyte.gz.part"),
        0);
    expect("./download mnist d", 0, "mnist: complete in d\n");
    expect("diff -r mirror d | wc -l", 0, "1\n");
}
END_TEST

START_TEST(archive)
{
    expect("./download cifar10 d", 0, "cifar10: complete in d\n");
    expect("diff -r batches/cifar-10-batches-bin d && echo same", 0, "same\n");
}
END_TEST

int main(void)
{
    if (system("command -v curl md5sum tar gzip > /dev/null") != 0) {
        printf("skipped: curl, md5sum, tar and gzip are needed\n");
        return 0;
    }
    const test_entry tests[] = {
        { usage },
        { no_network },
        { wrong_files },
        { complete },
        { goes_on },
        { archive },
        { 0 },
    };
    return run_tests("download", setup, leave_folder, tests);
}
