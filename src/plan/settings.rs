//! What the kernel keeps for a namespace: names, sysctls, the loopback device.

use super::compiler::Compiler;
use super::error::CompileError;
use super::step::{Actor, Op};
use crate::sys::namespace::Namespace;

/// Host name, sysctl and what else the kernel keeps for the namespaces.
pub(super) fn all(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    c.plan.actor(Actor::Child);
    loopback(c);
    if let Some(name) = c.input.spec.hostname().clone() {
        c.plan.origin_text("/hostname");
        own_uts(c, "/hostname")?;
        c.push(Op::SetHostname { name }, "the uts namespace starts with a copy of the host's name");
    }
    if let Some(name) = c.input.spec.domainname().clone() {
        c.plan.origin_text("/domainname");
        own_uts(c, "/domainname")?;
        c.push(
            Op::SetDomainname { name },
            "the uts namespace starts with a copy of the host's name",
        );
    }
    sysctls(c)
}

/// A new network namespace has one device, and it is down.
fn loopback(c: &mut Compiler<'_>) {
    if c.namespaces.is_new(Namespace::Network) {
        c.plan.origin_text("/linux/namespaces");
        c.push(
            Op::LoopbackUp,
            "programs talk to themselves over 127.0.0.1, also without a network",
        );
    }
}

fn own_uts(c: &Compiler<'_>, origin: &str) -> Result<(), CompileError> {
    if c.namespaces.is_own(Namespace::Uts) {
        return Ok(());
    }
    Err(CompileError::Unsupported {
        origin: origin.into(),
        what: "a name of its own needs a uts namespace; this one is the host's".into(),
    })
}

/// Which namespace confines a sysctl; none if it is the whole machine's.
fn sysctl_namespace(key: &str) -> Option<Namespace> {
    const IPC: [&str; 8] = [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    ];
    if IPC.contains(&key) || key.starts_with("fs.mqueue.") {
        Some(Namespace::Ipc)
    } else if key.starts_with("net.") {
        Some(Namespace::Network)
    } else if key == "kernel.domainname" || key == "kernel.hostname" {
        Some(Namespace::Uts)
    } else if key.starts_with("user.") {
        Some(Namespace::User)
    } else {
        None
    }
}

fn sysctls(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    let linux = c.input.spec.linux().as_ref();
    let Some(settings) = linux.and_then(|l| l.sysctl().as_ref()) else { return Ok(()) };
    let mut settings: Vec<_> = settings.iter().collect();
    settings.sort();
    for (key, value) in settings {
        // Both forms are in use; a name part with a dot in it (an interface) needs slashes.
        let dotted = if key.contains('/') { key.replace('/', ".") } else { key.clone() };
        let refuse = |reason| CompileError::Sysctl { key: key.clone(), reason };
        // `net/../kernel/core_pattern` begins with net and is the whole machine's.
        let path = if key.contains('/') { key.clone() } else { key.replace('.', "/") };
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(refuse("is not the name of a setting"));
        }
        let kind = sysctl_namespace(&dotted)
            .ok_or_else(|| refuse("is not confined to a namespace and would change the host"))?;
        if !c.namespaces.is_own(kind) {
            return Err(refuse("is not allowed in the hosts namespace"));
        }
        if let Some(procfs) = c.procfs {
            c.plan.origin_text(&format!("/linux/sysctl/{key}"));
            c.push(
                Op::SetSysctl { procfs, key: key.clone(), value: value.clone() },
                "written from inside: the file shows the namespace of whoever opens it",
            );
        }
    }
    Ok(())
}
