//! A container's files, to be read and written by commands of the host's: those that its processes
//! see while it runs; otherwise its root with its volumes and binds at their places.
//!
//! While it does not run its lock is held, the one that a start takes: a second overlay over the
//! same upper directory would be mounted without an error and see other files.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use oci_spec::runtime::{LinuxNamespaceBuilder, LinuxNamespaceType, Spec};

use super::error::ContainerError;
use super::first_process::FirstProcess;
use super::held_mounts::{acquire, release};
use super::spec::spec;
use super::store::{Container, ContainerStore, RunLock};
use super::surroundings::Surroundings;
use super::user::Identity;
use crate::apply::hook::HookState;
use crate::apply::report::Tracing;
use crate::config::path::{HostPath, RootPath};
use crate::engine::bundle::{PlanError, facts};
use crate::engine::held::{Held, Keeper};
use crate::engine::spawn::{Given, SpawnError, hold, report};
use crate::facts::{Facts, Kernel};
use crate::plan::cgroup::CgroupRequest;
use crate::plan::check::check;
use crate::plan::compile::{Input, Lifetime, RootSource, Stdio};
use crate::plan::files::{self, Reach};
use crate::plan::step::Plan;
use crate::say::setup;
use crate::store::Store;
use crate::volume::mounted::Mounted as DriverMount;
use crate::volume::store::VolumeStore;

/// A container's files.
#[derive(Debug)]
pub struct Files<'a> {
    root: OwnedFd,
    keeper: Option<Keeper>,
    store: &'a Store,
    /// What its volumes' drivers mounted for as long as this lasts (V8.01).
    mounts: Vec<DriverMount>,
    _lock: Option<RunLock>,
}

impl AsFd for Files<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

impl Drop for Files<'_> {
    fn drop(&mut self) {
        // First the namespace, which has clones of what the drivers mounted.
        drop(self.keeper.take());
        release(self.store, std::mem::take(&mut self.mounts));
    }
}

impl<'a> Files<'a> {
    /// Opens the files of `container`.
    pub fn open(
        store: &'a Store,
        container: &Container,
        reach: Reach,
    ) -> Result<Self, ContainerError> {
        if let Some(process) = FirstProcess::of(container)? {
            return Self::of_running(store, process, reach);
        }
        match ContainerStore::open(store)?.run_lock(container)? {
            Some(lock) => Self::of_stopped(store, container, (reach, lock)),
            None => Err(ContainerError::Changing(container.record.name.to_string())),
        }
    }

    fn of_running(
        store: &'a Store,
        process: FirstProcess,
        reach: Reach,
    ) -> Result<Self, ContainerError> {
        let nothing = Spec::default();
        let facts = Facts { kernel: probe()?, ..Facts::default() };
        let plan = files::of_running(
            &input(&nothing, &facts, (RootSource::Directory(HostPath::new("/")), &[])),
            reach,
        );
        let plan = checked(plan.map_err(PlanError::from)?)?;
        let Held { tree, keeper } = carry_out(&plan, vec![process.into_pidfd()])?;
        let keeper = Some(keeper);
        Ok(Self { root: tree, keeper, store, mounts: Vec::new(), _lock: None })
    }

    fn of_stopped(
        store: &'a Store,
        container: &Container,
        (reach, lock): (Reach, RunLock),
    ) -> Result<Self, ContainerError> {
        let mounts = match reach {
            Reach::AllMounts => acquire(store, container)?,
            Reach::RootOnly => Vec::new(),
        };
        let made = plan_of_stopped(store, container, reach).and_then(|p| carry_out(&p, Vec::new()));
        match made {
            Ok(Held { tree, keeper }) => {
                let keeper = Some(keeper);
                Ok(Self { root: tree, keeper, store, mounts, _lock: Some(lock) })
            }
            Err(error) => {
                release(store, mounts);
                Err(error)
            }
        }
    }
}

fn probe() -> Result<Kernel, ContainerError> {
    Ok(Kernel::probe()?)
}

fn checked(plan: Plan) -> Result<Plan, ContainerError> {
    check(&plan).map_err(PlanError::from)?;
    Ok(plan)
}

fn input<'i>(
    spec: &'i Spec,
    facts: &'i Facts,
    (root, mounts): (RootSource, &'i [crate::plan::compile::MountNote]),
) -> Input<'i> {
    Input {
        spec,
        facts,
        root,
        mounts,
        seccomp: None,
        cgroup: CgroupRequest::default(),
        stdio: Stdio::Inherited,
        lifetime: Lifetime::Supervised,
    }
}

/// The plan of the mount tree that the container would have, but for what the kernel makes up anew
/// for each start.
fn plan_of_stopped(
    store: &Store,
    container: &Container,
    reach: Reach,
) -> Result<Plan, ContainerError> {
    let kernel = probe()?;
    let volumes = VolumeStore::open(store)?;
    let around = Surroundings {
        network: None,
        directory: &container.directory,
        volume_data: &|name| volumes.data_path(name),
        identity: Identity { uid: 0, gid: 0, groups: Vec::new(), home: "/".into() },
        kernel,
        terminal_size: None,
    };
    let mut made = spec(&container.record, &around)?;
    let mounts = made.spec.mounts().clone().unwrap_or_default();
    let wanted = |(mount, _): &(_, _)| reach == Reach::AllMounts && lasts(mount);
    let (mounts, notes): (Vec<_>, Vec<_>) =
        mounts.into_iter().zip(made.notes).filter(wanted).unzip();
    made.spec.set_mounts(Some(mounts));
    if let Some(linux) = made.spec.linux_mut() {
        let mount = LinuxNamespaceBuilder::default().typ(LinuxNamespaceType::Mount).build();
        linux.set_namespaces(mount.ok().map(|mount| vec![mount]));
    }
    let facts = facts(&made.spec, kernel, &container.directory.join("rootfs"));
    let plan = files::of_stopped(&input(&made.spec, &facts, (made.root, &notes)));
    checked(plan.map_err(PlanError::from)?)
}

/// Does a mount have content while the container does not run? Below the kernel's own file
/// systems there is no place for one then.
fn lasts(mount: &oci_spec::runtime::Mount) -> bool {
    let kind = mount.typ().as_deref().unwrap_or_default();
    let target = RootPath::clean(&mount.destination().to_string_lossy());
    let hidden = ["/proc", "/sys", "/dev"].into_iter().map(RootPath::clean);
    matches!(kind, "bind" | "overlay") && !hidden.into_iter().any(|top| target.is_under(&top))
}

fn carry_out(plan: &Plan, files: Vec<OwnedFd>) -> Result<Held, ContainerError> {
    let failed = |error: SpawnError| {
        let failure = setup::failure(plan, &error);
        ContainerError::Files(format!("{}: {}", failure.wanted, failure.cause))
    };
    let report = report(plan, Tracing::Off).map_err(failed)?;
    let given = Given { files, hook_state: HookState::default() };
    hold(plan, given, &report).map_err(failed)
}
