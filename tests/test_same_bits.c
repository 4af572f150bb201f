/* test_same_bits.c: the same seed gives the same weights and the same log, byte by byte: of every
 * model, on 1, 2, 3 and 4 threads, a second time, in another working directory, and with a progress
 * bar on a terminal. Random numbers have their own test, against the published vectors:
 * test_random.c. */
#include "tests/files.h"
#include "tests/small.h"
#include "tests/suite.h"

#include <fcntl.h>
#include <sys/wait.h>

static const tr_train_options options = {
    .epochs = 2, .batch = 24, .limit = 72, .val_limit = 20, .seed = 11
};

START_TEST(any_number_of_threads_and_twice)
{
    int                         count;
    const tr_model_type *const *types = tr_model_types(&count);
    for (int m = 0; m < count; m++)
        for (int i = 0; i < 5; i++) { /* threads 1, 2, 3, 4, and 1 again */
            char one[200], dir[200];
            snprintf(one, sizeof one, "%s-0", types[m]->name);
            snprintf(dir, sizeof dir, "%s-%d", types[m]->name, i);
            tr_scope *scope = tr_scope_push();
            tr_set_threads(1 + i % 4);
            tr_run *run = small_run(types[m], dir, &options);
            ck_assert_msg(tr_run_train(run, NULL) == TR_OK, "%s", tr_error());
            tr_scope_pop(scope);
            assert_same_run(one, dir);
        }
}
END_TEST

#ifdef TENREC_COMMAND
/* Runs the command in this directory; on a terminal of its own where `terminal` is set, then true
 * where it drew a bar. */
static bool run_command(const char *directory, const char *out, bool terminal)
{
    const int screen = terminal ? posix_openpt(O_RDWR | O_NOCTTY) : -1;
    ck_assert(!terminal || (grantpt(screen) == 0 && unlockpt(screen) == 0));
    const pid_t child = fork();
    if (child == 0) {
        const int output = open(terminal ? ptsname(screen) : "/dev/null", O_RDWR | O_NOCTTY);
        if (output < 0 || dup2(output, 1) < 0 || chdir(directory) != 0) _exit(3);
        execl(TENREC_COMMAND, "tenrec", "train", "vae", "--limit", "256", "--val-limit", "20",
              "--batch", "16", "--epochs", "2", "--set", "hidden=16", "--no-report", "--out", out,
              (char *)NULL);
        _exit(4);
    }
    char    text[4096];
    bool    bar = false;
    ssize_t got;
    while (terminal && (got = read(screen, text, sizeof text - 1)) > 0) {
        text[got] = '\0';
        bar = bar || strstr(text, "\xe2\x94\x81") != NULL || strstr(text, "\xe2\x94\x80") != NULL;
        if (strstr(text, "model.safetensors") != NULL) break;
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the command failed: %d", status);
    if (screen >= 0) close(screen);
    return bar;
}

START_TEST(any_directory_with_or_without_a_bar)
{
    ck_assert_int_eq(mkdir("other", 0777), 0);
    run_command(".", "plain", false);
    run_command("other", "run", false);
    setenv("TERM", "xterm", 1);
    ck_assert_msg(run_command(".", "bar", true), "no bar was drawn");
    assert_same_run("plain", "other/run");
    assert_same_run("plain", "bar");
}
END_TEST
#endif

int main(void)
{
    const test_entry tests[] = {
        { any_number_of_threads_and_twice },
#ifdef TENREC_COMMAND
        { any_directory_with_or_without_a_bar },
#endif
        { 0 },
    };
    return run_tests("same bits", enter_folder, leave_folder, tests);
}
