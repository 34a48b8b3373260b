//! All of `linux.resources`, as writes to the files of a host's cgroups.

use oci_spec::runtime::LinuxResources;

use super::block_io;
use super::layout::CgroupHost;
use super::limits::{CgroupWrite, LimitError, Writer, or_max};

/// What `resources` are written as on `host`, in the order to write.
pub fn writes(
    resources: &LinuxResources,
    host: &CgroupHost,
) -> Result<Vec<CgroupWrite>, LimitError> {
    let mut writer = Writer { host, writes: Vec::new() };
    if let Some(memory) = resources.memory() {
        writer.memory(memory)?;
    }
    if let Some(cpu) = resources.cpu() {
        writer.cpu(cpu)?;
        writer.cpuset(cpu)?;
    }
    if let Some(pids) = resources.pids() {
        let (version, limit) = (writer.find("pids", "pids.limit")?, pids.limit());
        writer.push(("pids", version), "pids.max", or_max(limit));
    }
    if let Some(block_io) = resources.block_io() {
        block_io::writes(block_io, &mut writer)?;
    }
    writer.hugetlb(resources)?;
    writer.network(resources)?;
    writer.rdma(resources)?;
    writer.unified(resources)?;
    Ok(writer.writes)
}
