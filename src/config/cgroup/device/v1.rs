//! Device rules as lines for devices.allow and devices.deny.
//!
//! v1 keeps one default and a list of exceptions to it, and takes an exception back only by the
//! very same numbers. So the rules are first brought to that form.

use super::{Access, DeviceKind, DeviceRule, DeviceRuleError, Verdict, everything};
use crate::config::cgroup::layout::Version;
use crate::config::cgroup::limits::{CgroupWrite, IfAbsent};

/// The writes for `rules`, in order. The first one clears what the parent has handed down.
pub fn v1_writes(rules: &[DeviceRule]) -> Result<Vec<CgroupWrite>, DeviceRuleError> {
    let mut default = Verdict::Deny;
    let mut exceptions: Vec<DeviceRule> = Vec::new();
    for rule in rules {
        if *rule == everything(rule.verdict) {
            default = rule.verdict;
            exceptions.clear();
        } else if rule.verdict != default {
            exceptions.push(*rule);
        } else {
            take_back(&mut exceptions, rule)?;
        }
    }
    let mut writes = vec![write(default, "a".into())];
    for exception in &exceptions {
        // A line for `a` would mean everything, whatever numbers follow it.
        let kinds = match exception.kind {
            DeviceKind::All => vec![DeviceKind::Block, DeviceKind::Char],
            one => vec![one],
        };
        for kind in kinds {
            let line = DeviceRule { kind, ..*exception }.to_string();
            writes.push(write(exception.verdict, line));
        }
    }
    Ok(writes)
}

fn take_back(exceptions: &mut Vec<DeviceRule>, rule: &DeviceRule) -> Result<(), DeviceRuleError> {
    for exception in exceptions.iter_mut() {
        if exception.access.0 & rule.access.0 == 0 || !overlap(exception, rule) {
            continue;
        }
        if !covers(rule, exception) {
            let (rule, other) = (rule.to_string(), exception.to_string());
            return Err(DeviceRuleError::NotOnV1 { rule, other });
        }
        exception.access = Access(exception.access.0 & !rule.access.0);
    }
    exceptions.retain(|exception| exception.access.0 != 0);
    Ok(())
}

fn overlap(one: &DeviceRule, other: &DeviceRule) -> bool {
    let meet = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
    let kinds =
        one.kind == other.kind || one.kind == DeviceKind::All || other.kind == DeviceKind::All;
    kinds && meet(one.major, other.major) && meet(one.minor, other.minor)
}

fn covers(wide: &DeviceRule, narrow: &DeviceRule) -> bool {
    let all_of = |a: Option<u32>, b: Option<u32>| a.is_none() || a == b;
    (wide.kind == DeviceKind::All || wide.kind == narrow.kind)
        && all_of(wide.major, narrow.major)
        && all_of(wide.minor, narrow.minor)
}

fn write(verdict: Verdict, value: String) -> CgroupWrite {
    let file = match verdict {
        Verdict::Allow => "devices.allow",
        Verdict::Deny => "devices.deny",
    };
    CgroupWrite {
        controller: "devices".into(),
        version: Version::V1,
        file: file.into(),
        value,
        if_absent: IfAbsent::Refuse,
    }
}
