//! Which system calls the default profile allows, by what they are for.
//!
//! Left out, and so blocked for everyone: keyrings (add_key, keyctl, request_key), io_uring,
//! userfaultfd, kexec, swap, nfsservctl, the page-moving calls (move_pages, migrate_pages),
//! pivot_root and the obsolete ones. All of them reach kernel state that no namespace divides,
//! or have been the way out of containers before.

use caps::Capability;

/// Allowed to every container.
pub(super) fn always() -> String {
    [
        FILES,
        PATHS,
        OWNERS_AND_MODES,
        XATTRS,
        DESCRIPTORS,
        POLLING,
        MEMORY,
        PROCESSES,
        SIGNALS,
        SCHEDULING,
        LOCKS,
        IDS,
        LIMITS,
        TIME,
        TIMERS,
        IPC,
        NETWORK,
        ASYNC_IO,
        SECURITY,
        SYSTEM,
    ]
    .join(" ")
}

/// Reading, writing and sizing of what is open.
const FILES: &str = "\
    read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek \
    truncate truncate64 ftruncate ftruncate64 fallocate fadvise64 fadvise64_64 readahead sendfile \
    sendfile64 copy_file_range splice tee vmsplice sync syncfs fsync fdatasync sync_file_range \
    cachestat getdents getdents64 fstat fstat64 fstatfs fstatfs64 flock";

/// What takes a path.
const PATHS: &str = "\
    open openat openat2 creat name_to_handle_at access faccessat faccessat2 stat stat64 lstat \
    lstat64 newfstatat fstatat64 statx statfs statfs64 readlink readlinkat link linkat symlink \
    symlinkat unlink unlinkat rename renameat renameat2 mkdir mkdirat rmdir mknod mknodat chdir \
    fchdir getcwd umask inotify_init inotify_init1 inotify_add_watch inotify_rm_watch \
    fanotify_mark statmount listmount";

/// Who owns a file, what may be done with it, and when it was.
const OWNERS_AND_MODES: &str = "\
    chmod fchmod fchmodat fchmodat2 chown chown32 lchown lchown32 fchown fchown32 fchownat utime \
    utimes futimesat utimensat utimensat_time64";

/// Extended attributes; the kernel asks for capabilities where they matter.
const XATTRS: &str = "\
    getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr \
    llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat";

/// Descriptors, whatever they are open on.
const DESCRIPTORS: &str = "\
    close close_range dup dup2 dup3 fcntl fcntl64 ioctl pipe pipe2 eventfd eventfd2 signalfd \
    signalfd4 memfd_create memfd_secret pidfd_open pidfd_send_signal";

/// Waiting for descriptors.
const POLLING: &str = "\
    select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 \
    epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2";

/// The process's own memory.
const MEMORY: &str = "\
    brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock \
    munlockall mseal membarrier remap_file_pages pkey_alloc pkey_free pkey_mprotect \
    map_shadow_stack process_mrelease";

/// Making, watching and ending processes. clone and clone3 have rules of their own. ptrace and
/// its kin are safe with the kernels rrun runs on: since 4.8 a tracer cannot undo a filter.
const PROCESSES: &str = "\
    fork vfork execve execveat exit exit_group wait4 waitid waitpid prctl ptrace process_vm_readv \
    process_vm_writev rseq set_tid_address get_thread_area set_thread_area uretprobe \
    restart_syscall";

/// Signals.
const SIGNALS: &str = "\
    kill tkill tgkill pause sigaltstack sigprocmask sigreturn rt_sigaction rt_sigpending \
    rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait \
    rt_sigtimedwait_time64 rt_tgsigqueueinfo";

/// Priorities and processors.
const SCHEDULING: &str = "\
    sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam \
    sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max \
    sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64 getpriority \
    setpriority ioprio_get ioprio_set getcpu";

/// Locks between threads.
const LOCKS: &str = "\
    futex futex_time64 futex_wait futex_waitv futex_wake futex_requeue get_robust_list \
    set_robust_list";

/// Who a process is: users, groups, sessions, capabilities.
const IDS: &str = "\
    getpid getppid gettid getpgid getpgrp setpgid getsid setsid getuid getuid32 geteuid geteuid32 \
    getgid getgid32 getegid getegid32 getgroups getgroups32 getresuid getresuid32 getresgid \
    getresgid32 setuid setuid32 setgid setgid32 setgroups setgroups32 setreuid setreuid32 \
    setregid setregid32 setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid \
    setfsgid32 capget capset";

/// Resource limits and use.
const LIMITS: &str = "\
    getrlimit ugetrlimit setrlimit prlimit64 getrusage times";

/// Reading clocks and sleeping. The adjtime calls only read without CAP_SYS_TIME.
const TIME: &str = "\
    time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 \
    clock_nanosleep clock_nanosleep_time64 nanosleep adjtimex clock_adjtime clock_adjtime64";

/// Timers.
const TIMERS: &str = "\
    alarm getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime \
    timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime \
    timerfd_gettime64 timerfd_settime timerfd_settime64";

/// System V and POSIX message queues, semaphores, shared memory: divided by the ipc namespace.
const IPC: &str = "\
    ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl \
    shmdt shmget mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 \
    mq_timedsend mq_timedsend_time64 mq_unlink";

/// The network; `socket` has rules of its own.
const NETWORK: &str = "\
    socketcall socketpair bind listen accept accept4 connect shutdown getsockname getpeername \
    getsockopt setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg \
    recvmmsg_time64";

/// The older asynchronous I/O. io_uring is not allowed: it does system calls past the filter.
const ASYNC_IO: &str =
    "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64";

/// What only takes rights away from the caller.
const SECURITY: &str = "\
    seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self";

/// What the system is.
const SYSTEM: &str = "\
    uname sysinfo getrandom riscv_hwprobe";

/// What only one architecture has.
pub(super) fn native() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "arch_prctl modify_ldt",
        "aarch64" => {
            "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"
        }
        "powerpc64" => "sync_file_range2 swapcontext",
        "s390x" => "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr",
        "riscv64" => "riscv_flush_icache",
        _ => "",
    }
}

/// What is allowed to those who hold a capability for it.
pub(super) const BY_CAPABILITY: &[(Capability, &str)] = &[
    (Capability::CAP_DAC_READ_SEARCH, "open_by_handle_at"),
    (
        Capability::CAP_SYS_ADMIN,
        "mount umount umount2 mount_setattr move_mount open_tree open_tree_attr fsopen fsconfig \
         fsmount fspick clone clone3 unshare setns sethostname setdomainname bpf perf_event_open \
         fanotify_init quotactl quotactl_fd lookup_dcookie syslog lsm_get_self_attr \
         lsm_set_self_attr lsm_list_modules",
    ),
    (Capability::CAP_SYS_BOOT, "reboot"),
    (Capability::CAP_SYS_CHROOT, "chroot"),
    (Capability::CAP_SYS_MODULE, "init_module finit_module delete_module"),
    (Capability::CAP_SYS_PACCT, "acct"),
    (Capability::CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise"),
    (Capability::CAP_SYS_RAWIO, "iopl ioperm"),
    (Capability::CAP_SYS_TIME, "settimeofday stime clock_settime clock_settime64"),
    (Capability::CAP_SYS_TTY_CONFIG, "vhangup"),
    (Capability::CAP_SYS_NICE, "get_mempolicy set_mempolicy set_mempolicy_home_node mbind"),
    (Capability::CAP_SYSLOG, "syslog"),
    (Capability::CAP_BPF, "bpf"),
    (Capability::CAP_PERFMON, "perf_event_open"),
];

/// Address families that no container gets: DECnet, Econet, ATM SVC, IrDA, WANPIPE, ISDN, CAIF
/// (dead code that only attackers load), ALG (the kernel's crypto, a way up more than once) and
/// VSOCK (the hypervisor and other machines: no namespace divides it).
pub(super) const BLOCKED_FAMILIES: &[u64] = &[12, 19, 20, 23, 25, 34, 37, 38, 40];

/// The first number that is no address family (MCTP, 45, is the last).
pub(super) const FAMILIES_END: u64 = 46;
