/* Which instructions of a static program run: executes it step by step, with its children up to
 * their exec, and prints the address of every instruction that was reached, 16 digits, and by
 * whom: `child` where a child was there, `host` where only the first process was.
 *
 *   steps PROGRAM [ARGUMENT…]    (to the descriptor 3)
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* A static program that is not position-independent lies below this. */
#define END (64L << 20)

static unsigned char reached[END];
enum { HOST = 1, CHILD = 2 };

static void step(pid_t process, int signal)
{
    ptrace(PTRACE_SINGLESTEP, process, 0, signal);
}

/* Steps all processes until the last one has ended or executed another program. */
static void trace(pid_t host)
{
    int alive = 1, status;
    while (alive > 0) {
        pid_t process = waitpid(-1, &status, __WALL);
        if (process < 0)
            return;
        if (!WIFSTOPPED(status)) {
            alive--;
            continue;
        }
        int event = status >> 16, signal = WSTOPSIG(status);
        if (event == PTRACE_EVENT_EXEC) {
            ptrace(PTRACE_DETACH, process, 0, 0);
            alive--;
        } else if (event) {
            alive++;
            step(process, 0);
        } else if (signal == SIGTRAP || signal == SIGSTOP) {
            long at = ptrace(PTRACE_PEEKUSER, process, offsetof(struct user_regs_struct, rip), 0);
            if (at >= 0 && at < END)
                reached[at] |= process == host ? HOST : CHILD;
            step(process, 0);
        } else {
            step(process, signal);
        }
    }
}

int main(int count, char **argument)
{
    int status;
    if (count < 2)
        return 2;
    pid_t process = fork();
    if (!process) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execv(argument[1], argument + 1);
        _exit(127);
    }
    waitpid(process, &status, 0);
    ptrace(PTRACE_SETOPTIONS, process, 0,
           PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
    ptrace(PTRACE_CONT, process, 0, 0);
    waitpid(process, &status, 0);
    step(process, 0);
    trace(process);
    FILE *out = fdopen(3, "w");
    for (long at = 0; out && at < END; at++)
        if (reached[at])
            fprintf(out, "%016lx %s\n", at, reached[at] & CHILD ? "child" : "host");
    return !out || fclose(out) != 0;
}
