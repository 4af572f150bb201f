/* fault.c: a library for LD_PRELOAD that lets the n-th system call on a file fail, or kills the
 * process before it. It counts the calls that a program makes by name: open, read, write, fsync,
 * close, rename, mkdir, unlink, remove, opendir, flock; those within libc and those on /proc, /sys
 * and /dev are left alone. No privileges are needed. Used by test_disk.sh:
 *
 *   TENREC_FAULT=KIND:N     at call N: enospc, eio, erofs, kill, vanish
 *   TENREC_FAULT=KIND:N+    at call N and all that follow
 *   TENREC_FAULT=eintr      each call that can be interrupted is, once
 *   TENREC_FAULT=short      each read and write does a part
 *   TENREC_FAULT_FOLDER     what `vanish` moves away, to FOLDER.gone
 *   TENREC_FAULT_LOG=FILE   a line a call: its number, name and path; "hit" where it failed      */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES = 1024 };

/* What a call does, which tells how it can fail. */
enum { READS = 1, WRITES = 2, CHANGES_FOLDER = 4, INTERRUPTIBLE = 8 };

static long calls;
static bool ours[FILES], interrupted; /* descriptors of files that are counted */

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

/* A build that measures coverage writes .gcda files when it ends. */
static bool counted_path(const char *path)
{
    const size_t length = strlen(path);
    if (length > 5 && strcmp(path + length - 5, ".gcda") == 0) return false;
    return strncmp(path, "/proc/", 6) != 0 && strncmp(path, "/sys/", 5) != 0 &&
           strncmp(path, "/dev/", 5) != 0;
}

static bool counted_file(int file)
{
    return file >= 0 && file < FILES && ours[file];
}

static void note(const char *text, long number, const char *call, const char *path)
{
    const char *log = getenv("TENREC_FAULT_LOG");
    char        line[600];
    if (log == NULL) return;
    const long file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0666);
    const int  length = snprintf(line, sizeof line, "%s%ld %s %s\n", text, number, call, path);
    syscall(SYS_write, file, line, length);
    syscall(SYS_close, file);
}

static void vanish(void)
{
    const char *folder = getenv("TENREC_FAULT_FOLDER");
    char        gone[512];
    snprintf(gone, sizeof gone, "%s.gone", folder != NULL ? folder : "");
    syscall(SYS_renameat2, AT_FDCWD, folder, AT_FDCWD, gone, 0);
}

/* The error that a fault of this kind is for such a call; 0: it goes well. */
static int error_of(const char *kind, int what)
{
    if (strncmp(kind, "eio", 3) == 0) return EIO;
    if (strncmp(kind, "enospc", 6) == 0) return what & WRITES ? ENOSPC : 0;
    if (strncmp(kind, "erofs", 5) == 0) return what & CHANGES_FOLDER ? EROFS : 0;
    if (strncmp(kind, "kill", 4) == 0) raise(SIGKILL);
    if (strncmp(kind, "vanish", 6) == 0) vanish();
    return 0;
}

/* Counts a call; true where it has to fail, with errno. */
static bool fails(const char *call, const char *path, int what)
{
    const char *fault = getenv("TENREC_FAULT");
    const long  number = ++calls;
    note("", number, call, path);
    if (fault == NULL) return false;
    if (strcmp(fault, "eintr") == 0 && what & INTERRUPTIBLE) {
        interrupted = !interrupted;
        errno = EINTR;
        return interrupted;
    }
    const char *colon = strchr(fault, ':');
    if (colon == NULL) return false;
    char      *end;
    const long first = strtol(colon + 1, &end, 10);
    if (number != first && !(*end == '+' && number > first)) return false;
    const int error = error_of(fault, what);
    if (error != 0) note("hit ", number, call, path);
    errno = error;
    return error != 0;
}

static size_t part_of(size_t count)
{
    const char *fault = getenv("TENREC_FAULT");
    return fault != NULL && strcmp(fault, "short") == 0 ? (count + 2) / 3 : count;
}

static int open_counted(const char *path, int flags, mode_t mode)
{
    if (!counted_path(path)) return REAL(open)(path, flags, mode);
    const bool writes = (flags & O_ACCMODE) != O_RDONLY;
    if (fails("open", path, INTERRUPTIBLE | (writes ? WRITES | CHANGES_FOLDER : READS))) return -1;
    const int file = REAL(open)(path, flags, mode);
    if (file >= 0 && file < FILES) ours[file] = true;
    return file;
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    return open_counted(path, flags, mode);
}

/* What open is called where file offsets have 64 bits. */
int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    return open_counted(path, flags, mode);
}

ssize_t read(int file, void *bytes, size_t count)
{
    if (!counted_file(file)) return REAL(read)(file, bytes, count);
    return fails("read", "", READS | INTERRUPTIBLE) ? -1 : REAL(read)(file, bytes, part_of(count));
}

ssize_t write(int file, const void *bytes, size_t count)
{
    if (!counted_file(file)) return REAL(write)(file, bytes, count);
    return fails("write", "", WRITES | INTERRUPTIBLE) ? -1
                                                      : REAL(write)(file, bytes, part_of(count));
}

int fsync(int file)
{
    return counted_file(file) && fails("fsync", "", WRITES | INTERRUPTIBLE) ? -1
                                                                            : REAL(fsync)(file);
}

/* As on Linux, a descriptor is closed also where close fails. */
int close(int file)
{
    const bool failed = counted_file(file) && fails("close", "", INTERRUPTIBLE | WRITES);
    const int  error = errno;
    if (file >= 0 && file < FILES) ours[file] = false;
    const int result = REAL(close)(file);
    if (failed) errno = error;
    return failed ? -1 : result;
}

int rename(const char *from, const char *to)
{
    return fails("rename", to, WRITES | CHANGES_FOLDER) ? -1 : REAL(rename)(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    struct stat info; /* a folder that is there is no change */
    if (stat(path, &info) == 0) return REAL(mkdir)(path, mode);
    return fails("mkdir", path, WRITES | CHANGES_FOLDER) ? -1 : REAL(mkdir)(path, mode);
}

int unlink(const char *path)
{
    return fails("unlink", path, CHANGES_FOLDER) ? -1 : REAL(unlink)(path);
}

int unlinkat(int folder, const char *name, int flags)
{
    return fails("unlink", name, CHANGES_FOLDER) ? -1 : REAL(unlinkat)(folder, name, flags);
}

int remove(const char *path)
{
    return fails("remove", path, CHANGES_FOLDER) ? -1 : REAL(remove)(path);
}

int flock(int file, int operation)
{
    return fails("flock", "", INTERRUPTIBLE) ? -1 : REAL(flock)(file, operation);
}

DIR *opendir(const char *path)
{
    return counted_path(path) && fails("opendir", path, READS) ? NULL : REAL(opendir)(path);
}
