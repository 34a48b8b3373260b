//! Making a step fail, or something happen before it: in builds for tests only.

use super::outcome::Fault;

#[cfg(not(feature = "fault-injection"))]
pub(crate) fn before(_index: usize) -> Result<(), Fault> {
    Ok(())
}

/// `RRUN_FAULT_STEP=N` makes step N (from 1) fail with EIO, or with `RRUN_FAULT_ERRNO`;
/// `RRUN_FAULT_KILL=N` kills the process before it; `RRUN_FAULT_HOOK=N:COMMAND` runs a shell
/// command before it.
#[cfg(feature = "fault-injection")]
pub(crate) fn before(index: usize) -> Result<(), Fault> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<i32>().ok());
    let here = i32::try_from(index + 1).ok();
    if let Ok(text) = std::env::var("RRUN_FAULT_HOOK")
        && let Some((at, command)) = text.split_once(':')
        && at.parse().ok() == here
    {
        crate::sys::test_hook::run(command);
    }
    if number("RRUN_FAULT_KILL") == here {
        // The first process of a pid namespace takes no signal from itself, but its own faults.
        std::process::abort();
    }
    if number("RRUN_FAULT_STEP") == here {
        let errno = number("RRUN_FAULT_ERRNO").unwrap_or(libc::EIO);
        return Err(rustix::io::Errno::from_raw_os_error(errno).into());
    }
    Ok(())
}
