//! `blockIO` into writes: weights and throttles of block devices.

use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice};

use super::layout::Version;
use super::limits::{IfAbsent, LimitError, Writer, write};

/// A list of throttles, its file of v1 and its key of v2's io.max.
type Throttle<'a> = (&'a Option<Vec<LinuxThrottleDevice>>, &'static str, &'static str);

pub(super) fn writes(io: &LinuxBlockIo, writer: &mut Writer<'_>) -> Result<(), LimitError> {
    let weight = io.weight().filter(|weight| *weight != 0);
    let leaf_weight = io.leaf_weight().filter(|weight| *weight != 0);
    let devices = io.weight_device().iter().flatten().count();
    let throttles = throttles(io);
    let throttled = throttles.iter().any(|(list, ..)| list.iter().flatten().count() > 0);
    if weight.is_none() && leaf_weight.is_none() && devices == 0 && !throttled {
        return Ok(());
    }
    if writer.find("blkio", "blockIO") == Ok(Version::V1) {
        weights_v1(io, writer);
        for (list, file, _) in throttles {
            for device in list.iter().flatten() {
                let (major, minor, rate) = (device.major(), device.minor(), device.rate());
                let value = format!("{major}:{minor} {rate}");
                writer.add(write("blkio", Version::V1, file, value));
            }
        }
        return Ok(());
    }
    // v2 calls the controller by another name.
    writer.find("io", "blockIO")?;
    if leaf_weight.is_some()
        || io.weight_device().iter().flatten().any(|d| d.leaf_weight().is_some())
    {
        return Err(LimitError::NotOnV2 { limit: "blockIO.leafWeight".into() });
    }
    weights_v2(io, writer);
    for (list, _, key) in throttles {
        for device in list.iter().flatten() {
            let (major, minor, rate) = (device.major(), device.minor(), device.rate());
            let value = format!("{major}:{minor} {key}={rate}");
            writer.add(write("io", Version::V2, "io.max", value));
        }
    }
    Ok(())
}

fn throttles(io: &LinuxBlockIo) -> [Throttle<'_>; 4] {
    [
        (io.throttle_read_bps_device(), "blkio.throttle.read_bps_device", "rbps"),
        (io.throttle_write_bps_device(), "blkio.throttle.write_bps_device", "wbps"),
        (io.throttle_read_iops_device(), "blkio.throttle.read_iops_device", "riops"),
        (io.throttle_write_iops_device(), "blkio.throttle.write_iops_device", "wiops"),
    ]
}

/// The weights went from CFQ's files to BFQ's with Linux 5.0.
fn weights_v1(io: &LinuxBlockIo, writer: &mut Writer<'_>) {
    let mut add = |file: &str, bfq: Option<&str>, value: String| {
        let instead = bfq.map_or(IfAbsent::Refuse, |bfq| IfAbsent::Instead {
            file: bfq.into(),
            value: value.clone(),
        });
        writer.add(write("blkio", Version::V1, file, value).if_absent(instead));
    };
    if let Some(weight) = io.weight().filter(|weight| *weight != 0) {
        add("blkio.weight", Some("blkio.bfq.weight"), weight.to_string());
    }
    if let Some(weight) = io.leaf_weight().filter(|weight| *weight != 0) {
        add("blkio.leaf_weight", None, weight.to_string());
    }
    for device in io.weight_device().iter().flatten() {
        let (major, minor) = (device.major(), device.minor());
        if let Some(weight) = device.weight() {
            let value = format!("{major}:{minor} {weight}");
            add("blkio.weight_device", Some("blkio.bfq.weight_device"), value);
        }
        if let Some(weight) = device.leaf_weight() {
            add("blkio.leaf_weight_device", None, format!("{major}:{minor} {weight}"));
        }
    }
}

/// BFQ takes v1's numbers (10 to 1000), io.weight has a scale of its own (1 to 10000).
fn weights_v2(io: &LinuxBlockIo, writer: &mut Writer<'_>) {
    let mut add = |value: String, scaled: String| {
        let instead = IfAbsent::Instead { file: "io.weight".into(), value: scaled };
        writer.add(write("io", Version::V2, "io.bfq.weight", value).if_absent(instead));
    };
    if let Some(weight) = io.weight().filter(|weight| *weight != 0) {
        add(weight.to_string(), format!("default {}", io_weight(weight)));
    }
    for device in io.weight_device().iter().flatten() {
        if let Some(weight) = device.weight() {
            let (major, minor) = (device.major(), device.minor());
            let line = |weight: u64| format!("{major}:{minor} {weight}");
            add(line(weight.into()), line(io_weight(weight)));
        }
    }
}

fn io_weight(weight: u16) -> u64 {
    1 + (u64::from(weight.clamp(10, 1000)) - 10) * 9999 / 990
}
