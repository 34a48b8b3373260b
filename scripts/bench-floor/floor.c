/* The least work that does what a runtime does for runc's default config, and nothing else.
 *
 *   floor [--cgroup DIR] [--binds FILE] [--binds-ro] ROOTFS COMMAND [ARGUMENT…]
 *
 * One clone with all namespaces (but user), the seven standard mounts with the new mount API and
 * targets pinned by openat2, six device nodes, masked and read-only paths, a read-only root,
 * pivot_root, the loopback up, three capabilities, exec. With --cgroup also a cgroup with a filter
 * that says what the default device rules say. No JSON, no state, no words for people: what a
 * runtime takes beyond this is its own.
 *
 * --binds FILE: lines "SOURCE TARGET"; a TARGET is below ROOTFS and exists.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

/* <sys/mount.h> and <linux/mount.h> clash in glibc 2.36: these are all that is used of it. */
#define MS_SLAVE_FLAG (1 << 19)
#define MNT_DETACH_FLAG 2
int umount2(const char *target, int flags);

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define HARDENED (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static const char *binds_file, *cgroup, *rootfs;
static int binds_read_only, root_tree;
static char **command;

static void die(const char *what)
{
    dprintf(2, "floor: %s: %s\n", what, strerror(errno));
    _exit(125);
}

static int sure(long result, const char *what)
{
    if (result < 0)
        die(what);
    return (int) result;
}

static int open_tree(int at, const char *path, unsigned flags)
{
    return syscall(SYS_open_tree, at, path, flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static int set_attributes(int tree, unsigned flags, struct mount_attr *attr)
{
    return syscall(SYS_mount_setattr, tree, "", flags | AT_EMPTY_PATH, attr, sizeof *attr);
}

static int open_below_root(const char *path)
{
    struct open_how how = { .flags = O_PATH | O_CLOEXEC,
                            .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    return sure(syscall(SYS_openat2, root_tree, path, &how, sizeof how), path);
}

/* Attaches a detached tree to a pinned target, and closes both. */
static void attach(int tree, int target, const char *what)
{
    unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    sure(syscall(SYS_move_mount, tree, "", target, "", flags), what);
    close(tree);
    close(target);
}

/* new_filesystem(TYPE, ATTRIBUTES, KEY, VALUE, …, NULL); a NULL value makes a flag. */
static int new_filesystem(const char *type, unsigned attributes, ...)
{
    int context = sure(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), type);
    const char *key;
    va_list options;
    va_start(options, attributes);
    while ((key = va_arg(options, const char *))) {
        const char *value = va_arg(options, const char *);
        unsigned kind = value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
        sure(syscall(SYS_fsconfig, context, kind, key, value, 0), key);
    }
    va_end(options);
    sure(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0), type);
    int tree = sure(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes), type);
    close(context);
    return tree;
}

static void mount_at(const char *target, int tree)
{
    attach(tree, open_below_root(target), target);
}

static void make_devices(int dev)
{
    static const struct { const char *name; int major, minor; } nodes[] = {
        { "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 },
        { "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
    };
    umask(0);
    for (unsigned i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        dev_t number = makedev(nodes[i].major, nodes[i].minor);
        sure(mknodat(dev, nodes[i].name, S_IFCHR | 0666, number), nodes[i].name);
    }
    umask(022);
    sure(symlinkat("/proc/self/fd", dev, "fd"), "fd");
    sure(symlinkat("/proc/self/fd/0", dev, "stdin"), "stdin");
    sure(symlinkat("/proc/self/fd/1", dev, "stdout"), "stdout");
    sure(symlinkat("/proc/self/fd/2", dev, "stderr"), "stderr");
    sure(symlinkat("/proc/kcore", dev, "core"), "core");
    sure(symlinkat("pts/ptmx", dev, "ptmx"), "ptmx");
}

static void standard_mounts(void)
{
    mount_at("proc", new_filesystem("proc", 0, NULL));
    mount_at("dev", new_filesystem("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME,
                                   "mode", "755", "size", "65536k", NULL));
    int dev = open_below_root("dev");
    sure(mkdirat(dev, "pts", 0755), "pts");
    sure(mkdirat(dev, "shm", 0755), "shm");
    sure(mkdirat(dev, "mqueue", 0755), "mqueue");
    mount_at("dev/pts", new_filesystem("devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                                       "newinstance", NULL, "ptmxmode", "0666",
                                       "mode", "0620", "gid", "5", NULL));
    mount_at("dev/shm", new_filesystem("tmpfs", HARDENED, "mode", "1777",
                                       "size", "65536k", NULL));
    mount_at("dev/mqueue", new_filesystem("mqueue", HARDENED, NULL));
    mount_at("sys", new_filesystem("sysfs", HARDENED | MOUNT_ATTR_RDONLY, NULL));
    mount_at("sys/fs/cgroup", new_filesystem("cgroup2", HARDENED | MOUNT_ATTR_RDONLY, NULL));
    make_devices(dev);
    close(dev);
}

static void bind_mounts(void)
{
    FILE *list = fopen(binds_file, "re");
    if (!list)
        die(binds_file);
    struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
    char line[8192];
    while (fgets(line, sizeof line, list)) {
        char *source = strtok(line, " \n"), *target = strtok(NULL, " \n");
        if (!source || !target)
            continue;
        int tree = sure(open_tree(AT_FDCWD, source, AT_RECURSIVE), source);
        if (binds_read_only)
            sure(set_attributes(tree, AT_RECURSIVE, &read_only), source);
        mount_at(target, tree);
    }
    fclose(list);
}

static void mask_paths(void)
{
    static const char *masked[] = {
        "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
        "/proc/scsi", NULL,
    };
    int empty = -1;
    for (const char **path = masked; *path; path++) {
        int target = open(*path, O_PATH | O_CLOEXEC), mask;
        struct stat seen;
        if (target < 0)
            continue;
        sure(fstat(target, &seen), *path);
        if (S_ISDIR(seen.st_mode)) {
            if (empty < 0)
                empty = new_filesystem("tmpfs", MOUNT_ATTR_RDONLY | HARDENED,
                                       "size", "0", "nr_inodes", "1", NULL);
            mask = open_tree(empty, "", AT_EMPTY_PATH);
        } else {
            mask = open_tree(AT_FDCWD, "/dev/null", 0);
        }
        attach(sure(mask, *path), target, *path);
    }
}

static void make_paths_read_only(void)
{
    static const char *paths[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                   "/proc/sysrq-trigger", NULL };
    struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
    for (const char **path = paths; *path; path++) {
        int target = open(*path, O_PATH | O_CLOEXEC);
        if (target < 0)
            continue;
        int tree = sure(open_tree(target, "", AT_EMPTY_PATH | AT_RECURSIVE), *path);
        sure(set_attributes(tree, AT_RECURSIVE, &read_only), *path);
        attach(tree, target, *path);
    }
}

static void keep_three_capabilities(void)
{
    uint32_t keep = 1u << CAP_AUDIT_WRITE | 1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE;
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
        if (cap > 31 || !(keep >> cap & 1))
            prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    setgroups(0, NULL);
    sure(syscall(SYS_setresgid, 0, 0, 0), "setresgid");
    sure(syscall(SYS_setresuid, 0, 0, 0), "setresuid");
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct sets[2] = { { keep, keep, keep }, { 0, 0, 0 } };
    sure(syscall(SYS_capset, &header, sets), "capset");
    for (int cap = 0; cap < 32; cap++)
        if (keep >> cap & 1)
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void run_command(void)
{
    static const char *directories[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                         "/usr/bin", "/sbin", "/bin" };
    char *environment[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", NULL,
    };
    if (strchr(command[0], '/'))
        execve(command[0], command, environment);
    for (unsigned i = 0; i < sizeof directories / sizeof *directories; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", directories[i], command[0]);
        execve(path, command, environment);
    }
    die("exec");
}

static void loopback_up(void)
{
    struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int any = sure(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    sure(ioctl(any, SIOCSIFFLAGS, &loopback), "lo up");
    close(any);
}

static void child(void)
{
    struct mount_attr slave = { .propagation = MS_SLAVE_FLAG };
    struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
    struct rlimit files = { 1024, 1024 };

    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "_ses.floor", 0, 0, 0);
    loopback_up();
    sure(sethostname("runc", 4), "sethostname");
    setrlimit(RLIMIT_NOFILE, &files);
    sure(syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof slave), "slave");
    root_tree = sure(open_tree(AT_FDCWD, rootfs, AT_RECURSIVE), rootfs);
    sure(syscall(SYS_move_mount, root_tree, "", AT_FDCWD, rootfs, MOVE_MOUNT_F_EMPTY_PATH),
         rootfs);
    standard_mounts();
    if (binds_file)
        bind_mounts();
    sure(fchdir(root_tree), "fchdir");
    sure(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    sure(umount2(".", MNT_DETACH_FLAG), "umount");
    sure(chdir("/"), "chdir");
    mask_paths();
    make_paths_read_only();
    sure(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &read_only, sizeof read_only), "root");
    sure(syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */), "close_range");
    keep_three_capabilities();
    run_command();
}

static void attach_device_filter(int directory)
{
    enum { LOAD = 0x61, MOVE = 0xb7, COPY = 0xbf, AND = 0x57, SHIFT = 0x77, SHIFT32_BY = 0x7c,
           JUMP = 0x05, IF_EQUAL = 0x15, UNLESS_EQUAL = 0x55, IF_GREATER = 0x25, EXIT = 0x95 };
#define DO(operation, target, source, distance, constant) \
    { .code = operation, .dst_reg = target, .src_reg = source, .off = distance, .imm = constant }
    /* Character devices 136:*, 5:0 to 5:2, and 1:3, 5, 7, 8, 9; else mknod only. */
    struct bpf_insn rules[] = {
        DO(LOAD, 2, 1, 0, 0), DO(LOAD, 3, 1, 4, 0), DO(LOAD, 4, 1, 8, 0),
        DO(COPY, 5, 2, 0, 0), DO(AND, 5, 0, 0, 0xffff), DO(UNLESS_EQUAL, 5, 0, 10, 2),
        DO(IF_EQUAL, 3, 0, 13, 136), DO(UNLESS_EQUAL, 3, 0, 2, 5),
        DO(IF_GREATER, 4, 0, 7, 2), DO(JUMP, 0, 0, 10, 0),
        DO(UNLESS_EQUAL, 3, 0, 5, 1), DO(IF_GREATER, 4, 0, 4, 31), DO(MOVE, 5, 0, 0, 0x3a8),
        DO(SHIFT32_BY, 5, 4, 0, 0), DO(AND, 5, 0, 0, 1), DO(UNLESS_EQUAL, 5, 0, 4, 0),
        DO(SHIFT, 2, 0, 0, 16), DO(AND, 2, 0, 0, 6), DO(MOVE, 0, 0, 0, 0),
        DO(UNLESS_EQUAL, 2, 0, 1, 0), DO(MOVE, 0, 0, 0, 1), DO(EXIT, 0, 0, 0, 0),
    };
    union bpf_attr load = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE };
    load.insn_cnt = sizeof rules / sizeof *rules;
    load.insns = (uintptr_t) rules;
    load.license = (uintptr_t) "GPL";
    int program = sure(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load), "bpf load");
    union bpf_attr link = { .target_fd = directory, .attach_type = BPF_CGROUP_DEVICE };
    link.attach_bpf_fd = program;
    link.attach_flags = BPF_F_ALLOW_MULTI;
    sure(syscall(SYS_bpf, BPF_PROG_ATTACH, &link, sizeof link), "bpf attach");
    close(program);
}

static int usage(void)
{
    dprintf(2, "usage: floor [--cgroup DIR] [--binds FILE] [--binds-ro] ROOTFS COMMAND…\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct clone_args how = { .exit_signal = SIGCHLD };
    int pidfd = -1, status, n = 1;
    for (; n < argc && !strncmp(argv[n], "--", 2); n++) {
        if (!strcmp(argv[n], "--cgroup") && n + 1 < argc)
            cgroup = argv[++n];
        else if (!strcmp(argv[n], "--binds") && n + 1 < argc)
            binds_file = argv[++n];
        else if (!strcmp(argv[n], "--binds-ro"))
            binds_read_only = 1;
        else
            return usage();
    }
    if (argc - n < 2)
        return usage();
    rootfs = argv[n];
    command = argv + n + 1;

    how.flags = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS
                | CLONE_NEWCGROUP | CLONE_PIDFD;
    how.pidfd = (uintptr_t) &pidfd;
    if (cgroup) {
        sure(mkdir(cgroup, 0755), cgroup);
        int directory = sure(open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC), cgroup);
        attach_device_filter(directory);
        how.flags |= CLONE_INTO_CGROUP;
        how.cgroup = (uint64_t) directory;
    }
    int pid = sure(syscall(SYS_clone3, &how, sizeof how), "clone3");
    if (!pid)
        child();
    sure(waitpid(pid, &status, 0), "waitpid");
    for (int tries = 0; cgroup && rmdir(cgroup) < 0; tries++) {
        if (errno != EBUSY || tries > 1000)
            die("rmdir");
        usleep(100);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
