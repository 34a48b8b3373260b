//! The last step before the container's program: a tiny program of our own, sealed in memory.
//!
//! An entry point `#!/proc/self/exe` makes the kernel execute whatever the calling process runs.
//! Were that rrun, the container would run rrun from the host's file, and could open and
//! overwrite it (CVE-2019-5736). So no container path is ever executed from rrun's own image:
//! rrun executes this stub from a sealed memfd, and the stub executes the path.
//!
//! The stub takes its orders in its argument list: `argv[0]` is [`STUB_MARK`], `argv[1]` the path,
//! the rest is the program's own argument list. A stub that is started without the mark (as
//! an interpreter, so by itself) says so and exits. When a call fails it writes the errno, 4
//! bytes, to the report descriptor, which closes on success.
//!
//! Into a pid namespace that others live in only a child can be born ([`Executor`]). The stub makes
//! it: so nothing of rrun, neither its file nor its memory nor its rights, is ever where a process
//! with CAP_SYS_PTRACE could take hold of it. It then writes the child's number, made negative.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags};

use super::{Errno, Result, answer};

/// What `argv[0]` of the stub must be.
pub const STUB_MARK: &CStr = c"\x01";

/// What the stub says that is started by an interpreter line; the assembler has it once more.
const MESSAGE: &str = "exec: /proc/self/exe is no program of this container\n";

/// Where in the code the report descriptor's number stands: its first four bytes.
const NUMBER_AT: usize = 0;
/// Where it stands which process executes the path.
const EXECUTOR_AT: usize = 4;

/// Which process executes the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Executor {
    /// The one that is there.
    Itself = 0,
    /// A child of its parent's, born into the pid namespace that was joined. It has a session of
    /// its own, of which standard input is the terminal if it is one.
    Sibling = 1,
    /// A child of such a sibling, which ends at once: the pid namespace's first process gets it.
    Orphan = 2,
}

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".pushsection .rodata.rrun_stub, \"a\"",
    ".globl rrun_stub_start",
    ".globl rrun_stub_end",
    "rrun_stub_start:",
    ".long 0",
    ".long 0",
    // Entry: rsp points at argc, argv follows, then a null, then the environment.
    "mov r12, [rsp]",
    "cmp r12, 3",
    "jb 3f",
    "mov rax, [rsp + 8]",
    "cmp word ptr [rax], 1", // the mark: byte 1, then the end of the text
    "jne 3f",
    "mov r13d, dword ptr [rip + rrun_stub_start]",
    // fcntl(report, F_SETFD, FD_CLOEXEC)
    "mov eax, 72",
    "mov edi, r13d",
    "mov esi, 2",
    "mov edx, 1",
    "syscall",
    "test eax, eax", // a filter forbids it: the program would inherit the pipe
    "js 4f",
    "mov r14d, dword ptr [rip + rrun_stub_start + 4]",
    "test r14d, r14d",
    "jz 7f",
    // prctl(PR_SET_DUMPABLE, 0): until execve nobody looks into the child
    "mov eax, 157",
    "mov edi, 4",
    "xor esi, esi",
    "syscall",
    // clone(CLONE_PARENT, 0, 0, 0, 0)
    "mov edi, 0x8000",
    "call 6f",
    "jnz 4f", // a failure, or in the parent the child's number
    "cmp r14d, 2",
    "jne 8f",
    // clone(SIGCHLD, 0, 0, 0, 0)
    "mov edi, 17",
    "call 6f",
    "js 4f",
    "jnz 2f",
    "8:",
    // setsid(): the session that we are in ends with its leader
    "mov eax, 112",
    "syscall",
    // ioctl(0, TIOCSCTTY, 0): if standard input is no terminal, there is none to be had
    "mov eax, 16",
    "xor edi, edi",
    "mov esi, 0x540e",
    "xor edx, edx",
    "syscall",
    "7:",
    // execve(argv[1], argv + 2, environment)
    "mov eax, 59",
    "mov rdi, [rsp + 16]",
    "lea rsi, [rsp + 24]",
    "lea rdx, [rsp + 8*r12 + 16]",
    "syscall",
    "4:",
    // write(report, -eax, 4): an errno, or minus the number of a process
    "neg eax",
    "push rax",
    "mov eax, 1",
    "mov edi, r13d",
    "mov rsi, rsp",
    "mov edx, 4",
    "syscall",
    "2:",
    // exit_group(127)
    "mov eax, 231",
    "mov edi, 127",
    "syscall",
    "ud2",
    "3:",
    // write(2, the message, its length)
    "mov eax, 1",
    "mov edi, 2",
    "lea rsi, [rip + 5f]",
    "mov edx, {length}",
    "syscall",
    "jmp 2b",
    "6:",
    "mov eax, 56",
    "xor esi, esi",
    "xor edx, edx",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "syscall",
    "test eax, eax",
    "ret",
    "5:",
    ".ascii \"exec: /proc/self/exe is no program of this container\\n\"",
    "rrun_stub_end:",
    ".popsection",
    length = const MESSAGE.len(),
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".pushsection .rodata.rrun_stub, \"a\"",
    ".globl rrun_stub_start",
    ".globl rrun_stub_end",
    ".balign 8",
    "rrun_stub_start:",
    ".long 0",
    ".long 0",
    "ldr x19, [sp]",
    "cmp x19, #3",
    "b.lo 3f",
    "ldr x9, [sp, #8]",
    "ldrh w10, [x9]",
    "cmp w10, #1",
    "b.ne 3f",
    "adr x9, rrun_stub_start",
    "ldr w20, [x9]",
    // fcntl(report, F_SETFD, FD_CLOEXEC)
    "mov x8, #25",
    "mov w0, w20",
    "mov x1, #2",
    "mov x2, #1",
    "svc #0",
    "tbnz w0, #31, 4f", // a filter forbids it: the program would inherit the pipe
    "ldr w21, [x9, #4]",
    "cbz w21, 7f",
    // prctl(PR_SET_DUMPABLE, 0)
    "mov x8, #167",
    "mov x0, #4",
    "mov x1, #0",
    "svc #0",
    // clone(CLONE_PARENT, 0, 0, 0, 0)
    "mov x0, #0x8000",
    "bl 6f",
    "cbnz w0, 4f",
    "cmp w21, #2",
    "b.ne 8f",
    // clone(SIGCHLD, 0, 0, 0, 0)
    "mov x0, #17",
    "bl 6f",
    "tbnz w0, #31, 4f",
    "cbnz w0, 2f",
    "8:",
    // setsid()
    "mov x8, #157",
    "svc #0",
    // ioctl(0, TIOCSCTTY, 0)
    "mov x8, #29",
    "mov x0, #0",
    "mov x1, #0x540e",
    "mov x2, #0",
    "svc #0",
    "7:",
    // execve(argv[1], argv + 2, environment)
    "mov x8, #221",
    "ldr x0, [sp, #16]",
    "add x1, sp, #24",
    "add x2, sp, x19, lsl #3",
    "add x2, x2, #16",
    "svc #0",
    "4:",
    // write(report, -w0, 4)
    "neg w9, w0",
    "str w9, [sp, #-16]!",
    "mov x8, #64",
    "mov w0, w20",
    "mov x1, sp",
    "mov x2, #4",
    "svc #0",
    "2:",
    // exit_group(127)
    "mov x8, #94",
    "mov x0, #127",
    "svc #0",
    "brk #0",
    "3:",
    // write(2, the message, its length)
    "mov x8, #64",
    "mov x0, #2",
    "adr x1, 5f",
    "mov x2, #{length}",
    "svc #0",
    "b 2b",
    "6:",
    "mov x8, #220",
    "mov x1, #0",
    "mov x2, #0",
    "mov x3, #0",
    "mov x4, #0",
    "svc #0",
    "ret",
    "5:",
    ".ascii \"exec: /proc/self/exe is no program of this container\\n\"",
    ".balign 4",
    "rrun_stub_end:",
    ".popsection",
    length = const MESSAGE.len(),
);

unsafe extern "C" {
    static rrun_stub_start: u8;
    static rrun_stub_end: u8;
}

/// The stub's machine code, as the linker put it into our own read-only data.
fn code() -> &'static [u8] {
    // SAFETY: both symbols bound one run of read-only bytes in this program.
    unsafe {
        let start = &raw const rrun_stub_start;
        let length = (&raw const rrun_stub_end).offset_from(start);
        std::slice::from_raw_parts(start, length.unsigned_abs())
    }
}

/// The smallest ELF file around `code`: a header, one loadable segment, nothing else.
fn elf(report: u32, executor: Executor) -> Vec<u8> {
    const HEADERS: u64 = 64 + 56;
    const LOADED_AT: u64 = 0x40_0000;
    const MACHINE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let code = code();
    let total = HEADERS + code.len() as u64;
    let mut file = Vec::with_capacity(512);
    // e_ident: 64 bits, little endian, version 1; then ET_EXEC, machine, version, entry.
    file.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    file.extend_from_slice(&2u16.to_le_bytes());
    file.extend_from_slice(&MACHINE.to_le_bytes());
    file.extend_from_slice(&1u32.to_le_bytes());
    file.extend_from_slice(&(LOADED_AT + HEADERS + 8).to_le_bytes());
    file.extend_from_slice(&64u64.to_le_bytes()); // the program header follows
    file.extend_from_slice(&0u64.to_le_bytes());
    file.extend_from_slice(&0u32.to_le_bytes());
    for half in [64u16, 56, 1, 64, 0, 0] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    // PT_LOAD, readable and executable, the whole file.
    file.extend_from_slice(&1u32.to_le_bytes());
    file.extend_from_slice(&5u32.to_le_bytes());
    for word in [0, LOADED_AT, LOADED_AT, total, total, 0x1000] {
        file.extend_from_slice(&u64::to_le_bytes(word));
    }
    let at = file.len();
    file.extend_from_slice(code);
    for (offset, value) in [(NUMBER_AT, report), (EXECUTOR_AT, executor as u32)] {
        file[at + offset..at + offset + 4].copy_from_slice(&value.to_le_bytes());
    }
    file
}

/// Makes the sealed stub that reports to the descriptor `report`.
pub fn make(report: BorrowedFd<'_>, executor: Executor) -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let stub = rustix::fs::memfd_create("rrun-stub", flags)?;
    let file = elf(report.as_raw_fd().unsigned_abs(), executor);
    if rustix::io::write(&stub, &file)? != file.len() {
        // A container's RLIMIT_FSIZE is in force already.
        return Err(Errno::FBIG);
    }
    rustix::fs::fcntl_add_seals(
        &stub,
        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
    )?;
    Ok(stub)
}

/// A null-terminated list of C strings for execve.
#[derive(Debug)]
pub struct StringList {
    _texts: Vec<CString>,
    pointers: Vec<*const libc::c_char>,
}

impl StringList {
    /// Makes the list of `texts`.
    pub fn new(texts: Vec<CString>) -> Self {
        let mut pointers: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
        pointers.push(std::ptr::null());
        Self { _texts: texts, pointers }
    }
}

/// Executes `stub`; on success this does not return.
pub fn execute(stub: impl AsFd, arguments: &StringList, environment: &StringList) -> Errno {
    // SAFETY: both lists are null-terminated, of C strings that live as long as the lists.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_execveat,
            stub.as_fd().as_raw_fd(),
            c"".as_ptr(),
            arguments.pointers.as_ptr(),
            environment.pointers.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    answer(returned).err().unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message stands in the code as it is counted.
    #[test]
    fn the_message_is_whole() {
        let at = code().windows(MESSAGE.len()).position(|part| part == MESSAGE.as_bytes());
        assert!(at.is_some());
    }
}
