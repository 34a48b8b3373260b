//! Which devices a container may make, read and write: rules, as values.
//!
//! The rules are in order, and the last one that speaks about a device and a kind of access
//! decides; what no rule speaks about is denied. On v2 they become one program ([`program`]), on
//! v1 lines ([`v1_writes`]). Not here: loading the program, writing the lines.

mod program;
mod v1;

use oci_spec::runtime::{LinuxDevice, LinuxDeviceCgroup, LinuxDeviceType};

pub use program::program;
pub use v1::v1_writes;

/// A rule of the config that is none, or that v1 cannot say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceRuleError {
    /// Letters other than r, w, m.
    #[error("device rule {rule}: access {access:?} is not made of r, w and m")]
    Access {
        /// The rule, as the config has it.
        rule: String,
        /// The letters given.
        access: String,
    },
    /// A number that no device has.
    #[error("device rule {rule}: {number} is no device number")]
    Number {
        /// The rule, as the config has it.
        rule: String,
        /// The number given.
        number: i64,
    },
    /// More than a program can have.
    #[error("{rules} device rules are more than a program can hold")]
    TooMany {
        /// How many.
        rules: usize,
    },
    /// A hole in a rule of many devices.
    #[error("device rule {rule} takes a part of {other} away: cgroup v1 cannot express that")]
    NotOnV1 {
        /// The rule.
        rule: String,
        /// The earlier rule that it makes a hole into.
        other: String,
    },
}

/// May it, or may it not?
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Verdict {
    /// It may.
    Allow,
    /// It may not.
    Deny,
}

/// The devices that a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum DeviceKind {
    /// Both.
    All,
    /// Block devices.
    Block,
    /// Character devices.
    Char,
}

/// Kinds of access, as the bits of the kernel (BPF_DEVCG_ACC_*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Access(u8);

impl Access {
    /// mknod.
    pub const MAKE: Self = Self(1);
    /// All three.
    pub const ALL: Self = Self(7);

    const LETTERS: [(char, u8); 3] = [('r', 2), ('w', 4), ('m', 1)];

    fn parse(text: &str) -> Option<Self> {
        text.chars()
            .try_fold(0, |bits, letter| {
                Self::LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, bit)| bits | bit)
            })
            .map(Self)
    }
}

impl std::fmt::Display for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use std::fmt::Write;
        Self::LETTERS
            .iter()
            .filter(|(_, bit)| self.0 & bit != 0)
            .try_for_each(|(letter, _)| f.write_char(*letter))
    }
}

/// One rule. A number that is not given stands for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DeviceRule {
    /// May it, or may it not?
    pub verdict: Verdict,
    /// Block or character devices.
    pub kind: DeviceKind,
    /// The driver's number.
    pub major: Option<u32>,
    /// The device's number.
    pub minor: Option<u32>,
    /// What the rule is about; the rest is left to other rules.
    pub access: Access,
}

impl std::fmt::Display for DeviceRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            DeviceKind::All => 'a',
            DeviceKind::Block => 'b',
            DeviceKind::Char => 'c',
        };
        let number = |number: Option<u32>| number.map_or("*".into(), |n| n.to_string());
        write!(f, "{kind} {}:{} {}", number(self.major), number(self.minor), self.access)
    }
}

/// Every device, every access.
const fn everything(verdict: Verdict) -> DeviceRule {
    DeviceRule { verdict, kind: DeviceKind::All, major: None, minor: None, access: Access::ALL }
}

/// One character device.
const fn char_device(major: u32, minor: u32) -> DeviceRule {
    DeviceRule { minor: Some(minor), ..char_devices(major) }
}

/// All character devices of a driver.
const fn char_devices(major: u32) -> DeviceRule {
    DeviceRule {
        verdict: Verdict::Allow,
        kind: DeviceKind::Char,
        major: Some(major),
        minor: None,
        access: Access::ALL,
    }
}

/// What every container gets: its default devices, and mknod of anything, which is of no use
/// where opening is refused (packages and archives contain device nodes).
const DEFAULTS: [DeviceRule; 10] = [
    char_device(1, 3), // null
    char_device(1, 5), // zero
    char_device(1, 7), // full
    char_device(1, 8), // random
    char_device(1, 9), // urandom
    char_device(5, 0), // tty
    char_device(5, 1), // console
    char_device(5, 2), // ptmx
    char_devices(136), // pts/*
    DeviceRule { access: Access::MAKE, ..everything(Verdict::Allow) },
];

/// The rules of a container: nothing, then the devices that the config puts into its /dev, then
/// the rules of the config, then the default devices, which no rule can take away.
pub fn rules(
    listed: &[LinuxDevice],
    configured: &[LinuxDeviceCgroup],
) -> Result<Vec<DeviceRule>, DeviceRuleError> {
    let mut rules = vec![everything(Verdict::Deny)];
    for device in listed {
        let mut rule = LinuxDeviceCgroup::default();
        rule.set_allow(true).set_typ(Some(device.typ()));
        rule.set_major(Some(device.major())).set_minor(Some(device.minor()));
        rules.extend(from_oci(&rule)?);
    }
    for rule in configured {
        rules.extend(from_oci(rule)?);
    }
    rules.extend(DEFAULTS);
    Ok(rules)
}

/// The rules of a privileged container.
pub fn rules_of_privileged() -> Vec<DeviceRule> {
    vec![everything(Verdict::Allow)]
}

/// Do the rules allow everything, so that no program is needed?
pub fn allows_everything(rules: &[DeviceRule]) -> bool {
    let last = rules.iter().rev().take_while(|rule| rule.verdict == Verdict::Allow);
    last.into_iter().any(|rule| *rule == everything(Verdict::Allow))
}

/// One rule of the config; `None` for a fifo, which is no device to any cgroup.
fn from_oci(rule: &LinuxDeviceCgroup) -> Result<Option<DeviceRule>, DeviceRuleError> {
    let kind = match rule.typ().unwrap_or_default() {
        LinuxDeviceType::A => DeviceKind::All,
        LinuxDeviceType::B => DeviceKind::Block,
        LinuxDeviceType::C | LinuxDeviceType::U => DeviceKind::Char,
        LinuxDeviceType::P => return Ok(None),
    };
    let number = |number: Option<i64>| match number {
        None | Some(-1) => Ok(None),
        Some(number) => u32::try_from(number)
            .map(Some)
            .map_err(|_| DeviceRuleError::Number { rule: rule.to_string(), number }),
    };
    let letters = rule.access().as_deref().unwrap_or("");
    let access = match letters {
        "" => Access::ALL,
        letters => Access::parse(letters).ok_or_else(|| DeviceRuleError::Access {
            rule: rule.to_string(),
            access: letters.into(),
        })?,
    };
    Ok(Some(DeviceRule {
        verdict: if rule.allow() { Verdict::Allow } else { Verdict::Deny },
        kind,
        major: number(rule.major())?,
        minor: number(rule.minor())?,
        access,
    }))
}

#[cfg(test)]
mod tests;
