//! The start of a program without that of Rust's runtime.
//!
//! The runtime reads /proc/self/maps and makes a second stack with handlers for SIGSEGV and
//! SIGBUS, to be able to say "stack overflow": 80 µs of a container's 3 ms. What else it does for
//! every program is done here.

/// Makes `$main`, a `fn() -> i32`, the entry of a program that is `#![no_main]`.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        #[global_allocator]
        static HEAP: $crate::sys::heap::Heap = $crate::sys::heap::Heap::new();

        /// Called by the C library; the arguments are std's to read as well.
        #[unsafe(no_mangle)]
        pub extern "C" fn main(_count: i32, _arguments: *const *const std::ffi::c_char) -> i32 {
            HEAP.begin();
            $crate::sys::start::begin();
            $main()
        }
    };
}

/// Opens what is closed of the standard streams, so that no other file gets their numbers, and
/// ignores SIGPIPE, so that a write to a pipe without a reader is an error that can be told.
pub fn begin() {
    let mut streams = [0, 1, 2].map(|fd| libc::pollfd { fd, events: 0, revents: 0 });
    // SAFETY: poll writes to the three structs that it is given; it waits for nothing.
    let asked = unsafe { libc::poll(streams.as_mut_ptr(), 3, 0) } >= 0;
    for (number, stream) in (0..).zip(streams) {
        if asked && stream.revents & libc::POLLNVAL == 0 {
            continue;
        }
        // Open across execve, as a standard stream is: the lowest free number is this one.
        // SAFETY: the path is a C string; nobody owns this number.
        let null = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
        if null != number {
            super::process::exit_now(125);
        }
    }
    // SAFETY: there is one thread, and no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}
