/* Runs a command and prints the peak resident memory of it and its children, in KiB.
 *
 *   peak COMMAND [ARGUMENT…]
 *
 * The kernel counts the memory of the program that called exec as well: so this one is small,
 * static, and uses vfork. What it prints can't be less than its own size.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct rusage used;
    int status;
    if (argc < 2) {
        dprintf(2, "usage: peak COMMAND…\n");
        return 2;
    }
    pid_t pid = vfork();
    if (pid == 0) {
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &used) < 0)
        return 125;
    dprintf(1, "%ld\n", used.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
