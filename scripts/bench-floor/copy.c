/* Copies a directory tree with one thread: copy_file_range by descriptor, with owners, modes,
 * times and extended attributes. What a copy-up must do, and nothing else.
 *
 *   copy SOURCE TARGET      TARGET does not exist
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int sure(long result, const char *what)
{
    if (result < 0) {
        dprintf(2, "copy: %s: %s\n", what, strerror(errno));
        exit(1);
    }
    return (int) result;
}

static void copy_attributes(int source, int target, const struct stat *seen, const char *name)
{
    char names[4096], value[65536];
    struct timespec times[2] = { seen->st_atim, seen->st_mtim };
    ssize_t length = flistxattr(source, names, sizeof names);
    for (char *x = names; length > 0 && x < names + length; x += strlen(x) + 1) {
        ssize_t size = sure(fgetxattr(source, x, value, sizeof value), x);
        sure(fsetxattr(target, x, value, (size_t) size, 0), x);
    }
    sure(fchown(target, seen->st_uid, seen->st_gid), name);
    sure(fchmod(target, seen->st_mode & 07777), name);
    sure(futimens(target, times), name);
}

static void copy_file(int from, int to, const char *name, const struct stat *seen)
{
    int source = sure(openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), name);
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    int target = sure(openat(to, name, flags, 0600), name);
    for (off_t left = seen->st_size; left > 0;) {
        ssize_t done = copy_file_range(source, NULL, target, NULL, (size_t) left, 0);
        sure(done, name);
        if (done == 0)
            break;
        left -= done;
    }
    copy_attributes(source, target, seen, name);
    close(source);
    close(target);
}

/* Takes over both descriptors. */
static void copy_directory(int source, int target)
{
    struct stat own;
    struct dirent *entry;
    DIR *list = fdopendir(source);
    if (!list)
        sure(-1, "fdopendir");
    while ((entry = readdir(list))) {
        const char *name = entry->d_name;
        struct stat seen;
        if (!strcmp(name, ".") || !strcmp(name, ".."))
            continue;
        sure(fstatat(source, name, &seen, AT_SYMLINK_NOFOLLOW), name);
        if (S_ISDIR(seen.st_mode)) {
            int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
            sure(mkdirat(target, name, 0700), name);
            copy_directory(sure(openat(source, name, flags), name),
                           sure(openat(target, name, flags), name));
        } else if (S_ISREG(seen.st_mode)) {
            copy_file(source, target, name, &seen);
        } else {
            errno = ENOTSUP;
            sure(-1, name);
        }
    }
    sure(fstat(source, &own), "fstat");
    copy_attributes(source, target, &own, "directory");
    closedir(list);
    close(target);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        dprintf(2, "usage: copy SOURCE TARGET\n");
        return 2;
    }
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int source = sure(open(argv[1], flags), argv[1]);
    sure(mkdir(argv[2], 0700), argv[2]);
    copy_directory(source, sure(open(argv[2], flags), argv[2]));
    return 0;
}
