//! Capabilities as one 64-bit mask: OCI names, Docker's default, `--cap-add` and `--cap-drop`.
//!
//! A set is the kernel's own form (bit n is capability n of `linux/capability.h`), so it goes to
//! capset(2) as it is. Names and numbers are the `caps` crate's. Not here: setting them (`sys`),
//! and which of them this kernel has: its last number is given by the caller.

use std::collections::HashSet;
use std::fmt;

use caps::Capability;
use serde_json::Value;

use super::nearest::nearest;

/// A text that is no capability. The words are Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CapabilityError {
    /// A name of `--cap-add` that no kernel knows.
    #[error("invalid CapAdd: unknown capability: \"{0}\"")]
    Add(String),
    /// A name of `--cap-drop` that no kernel knows.
    #[error("invalid CapDrop: unknown capability: \"{0}\"")]
    Drop(String),
}

impl CapabilityError {
    /// The capability that was probably meant, as it is typed: `NETADMIN` is `NET_ADMIN`.
    pub fn near(&self) -> Option<String> {
        let (Self::Add(name) | Self::Drop(name)) = self;
        let bare = |name: &str| name.trim_start_matches("CAP_").to_owned();
        let known: Vec<String> = caps::all().iter().map(|known| bare(&known.to_string())).collect();
        nearest(&bare(name), known.iter().map(String::as_str)).map(str::to_owned)
    }
}

/// What Docker gives a container that asks for nothing: 14 capabilities.
const DOCKER_DEFAULT: [Capability; 14] = [
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
    Capability::CAP_KILL,
    Capability::CAP_SETGID,
    Capability::CAP_SETUID,
    Capability::CAP_SETPCAP,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_NET_RAW,
    Capability::CAP_SYS_CHROOT,
    Capability::CAP_MKNOD,
    Capability::CAP_AUDIT_WRITE,
    Capability::CAP_SETFCAP,
];

/// The five arrays of `process.capabilities`.
const OCI_SETS: [&str; 5] = ["bounding", "effective", "inheritable", "permitted", "ambient"];

/// A set of capabilities; bit n is capability n.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct CapabilitySet(u64);

impl CapabilitySet {
    /// No capability.
    pub const EMPTY: Self = Self(0);

    /// The set with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits, as capset(2) takes them (low word first).
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Docker's default set.
    pub fn docker_default() -> Self {
        DOCKER_DEFAULT.into_iter().collect()
    }

    /// All that this kernel has: 0 up to `last` (`/proc/sys/kernel/cap_last_cap`), also those
    /// that are newer than the names known here.
    pub const fn all(last: u8) -> Self {
        if last >= 63 { Self(u64::MAX) } else { Self((1 << (last + 1)) - 1) }
    }

    /// Is `capability` in the set?
    pub fn contains(self, capability: Capability) -> bool {
        self.0 & capability.bitmask() != 0
    }

    /// Those in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those in this set and not in `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The numbers in the set, ascending.
    pub fn numbers(self) -> impl Iterator<Item = u8> {
        (0..64u8).filter(move |number| self.0 >> number & 1 == 1)
    }

    /// The set of an OCI array.
    pub fn from_oci(names: &HashSet<oci_spec::runtime::Capability>) -> Self {
        // Display of oci-spec's type is the name without its prefix (SYS_ADMIN).
        names.iter().filter_map(|name| by_name(&name.to_string())).collect()
    }

    /// The set as an OCI array. What has no name in oci-spec (a number beyond
    /// CAP_CHECKPOINT_RESTORE) cannot be said there and is left out.
    pub fn to_oci(self) -> HashSet<oci_spec::runtime::Capability> {
        caps::all()
            .into_iter()
            .filter(|capability| self.contains(*capability))
            .filter_map(|capability| capability.to_string().trim_start_matches("CAP_").parse().ok())
            .collect()
    }
}

impl FromIterator<Capability> for CapabilitySet {
    fn from_iter<I: IntoIterator<Item = Capability>>(items: I) -> Self {
        Self(items.into_iter().fold(0, |bits, capability| bits | capability.bitmask()))
    }
}

impl From<Capability> for CapabilitySet {
    fn from(capability: Capability) -> Self {
        Self(capability.bitmask())
    }
}

impl fmt::Debug for CapabilitySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The names in the order of their numbers; a number without a name is said as one.
impl fmt::Display for CapabilitySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = caps::all();
        for (at, number) in self.numbers().enumerate() {
            let gap = if at == 0 { "" } else { " " };
            match named.iter().find(|capability| capability.index() == number) {
                Some(capability) => write!(f, "{gap}{capability}")?,
                None => write!(f, "{gap}{number}")?,
            }
        }
        Ok(())
    }
}

/// The capability called `name`: any case, with or without `CAP_`.
pub fn by_name(name: &str) -> Option<Capability> {
    // to_canonical upper-cases by Unicode rules; only ASCII may become a name.
    if !name.is_ascii() {
        return None;
    }
    caps::to_canonical(name).parse().ok()
}

fn is_all(name: &str) -> bool {
    name.eq_ignore_ascii_case("ALL")
}

/// What `--cap-add` and `--cap-drop` make of Docker's default, where the kernel has the
/// capabilities in `available`.
///
/// Docker's rules: `--cap-add ALL` starts from everything and then drops; `--cap-drop ALL` starts
/// from nothing and then adds; without either, drops come first, so a name in both is given. With
/// both, adding ALL wins and only the names dropped one by one are taken away.
pub fn adjust(
    add: &[String],
    drop: &[String],
    available: CapabilitySet,
) -> Result<CapabilitySet, CapabilityError> {
    let added = named(add, CapabilityError::Add)?;
    let dropped = named(drop, CapabilityError::Drop)?;
    let add_all = add.iter().any(|name| is_all(name));
    let drop_all = drop.iter().any(|name| is_all(name));
    let wanted = match (add_all, drop_all) {
        (true, _) => available.difference(dropped),
        (false, true) => added,
        (false, false) => CapabilitySet::docker_default().difference(dropped).union(added),
    };
    Ok(wanted.intersection(available))
}

fn named(
    names: &[String],
    wrong: fn(String) -> CapabilityError,
) -> Result<CapabilitySet, CapabilityError> {
    names
        .iter()
        .filter(|name| !is_all(name))
        .map(|name| by_name(name).ok_or_else(|| wrong(caps::to_canonical(name))))
        .collect()
}

/// Takes out of a raw `config.json` the capabilities that are unknown, or that this kernel does
/// not have because their number is above `last_cap` (`/proc/sys/kernel/cap_last_cap`).
///
/// This must run before the config gets its types: oci-spec refuses a config with an unknown
/// name, while engines expect a warning. Returns what was taken out, each once, sorted.
pub fn filter_unknown(config: &mut Value, last_cap: u8) -> Vec<String> {
    let mut ignored = Vec::new();
    for set in OCI_SETS {
        let Some(Value::Array(names)) = config.pointer_mut(&format!("/process/capabilities/{set}"))
        else {
            continue;
        };
        // What is no text stays: that is a malformed config, and typing it will say so.
        names.retain(|name| match name.as_str() {
            Some(name) if !is_known(name, last_cap) => {
                ignored.push(name.to_owned());
                false
            }
            _ => true,
        });
    }
    ignored.sort();
    ignored.dedup();
    ignored
}

fn is_known(name: &str, last_cap: u8) -> bool {
    by_name(name).is_some_and(|capability| capability.index() <= last_cap)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: u8 = 40;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The mask that `grep CapBnd /proc/self/status` shows in a Docker container.
    #[test]
    fn docker_default_is_a80425fb() {
        assert_eq!(CapabilitySet::docker_default().bits(), 0xa804_25fb);
    }

    #[test]
    fn all_reaches_up_to_the_last() {
        assert_eq!(CapabilitySet::all(LAST).bits(), 0x1ff_ffff_ffff);
        assert_eq!(CapabilitySet::all(0).bits(), 1);
        assert_eq!(CapabilitySet::all(63).bits(), u64::MAX);
        assert_eq!(CapabilitySet::all(200).bits(), u64::MAX);
    }

    /// `--cap-add`, `--cap-drop`: which set comes out.
    #[test]
    fn add_and_drop() {
        let default = CapabilitySet::docker_default();
        let all = CapabilitySet::all(LAST);
        let one = CapabilitySet::from;
        let admin = one(Capability::CAP_SYS_ADMIN);
        let chown = one(Capability::CAP_CHOWN);
        let cases: [(&[&str], &[&str], CapabilitySet); 11] = [
            (&[], &[], default),
            (&["SYS_ADMIN"], &[], default.union(admin)),
            (&["cap_sys_admin"], &[], default.union(admin)),
            (&["Sys_Admin"], &["CAP_CHOWN"], default.union(admin).difference(chown)),
            (&[], &["ALL"], CapabilitySet::EMPTY),
            (&["chown"], &["all"], chown),
            (&["ALL"], &[], all),
            (&["all"], &["sys_admin"], all.difference(admin)),
            (&["ALL"], &["ALL"], all),
            (&["ALL", "chown"], &["chown"], all.difference(chown)),
            (&["chown"], &["chown"], default),
        ];
        for (add, drop, wanted) in cases {
            let got = adjust(&strings(add), &strings(drop), all);
            assert_eq!(got, Ok(wanted), "add {add:?} drop {drop:?}");
        }
        // A kernel that ends at CAP_AUDIT_READ (37) has no CAP_BPF to give.
        let old = adjust(&strings(&["BPF", "ALL"]), &[], CapabilitySet::all(37));
        assert_eq!(old, Ok(CapabilitySet::all(37)));
    }

    #[test]
    fn unknown_names_of_flags_are_refused() {
        let none = CapabilitySet::all(LAST);
        for name in ["FOO", "", "CAP_CAP_CHOWN", "chown ", "ſys_admin", "ALL,CHOWN", "CAP_ALL"] {
            let wrong = strings(&[name]);
            let said = caps::to_canonical(name);
            assert_eq!(adjust(&wrong, &[], none), Err(CapabilityError::Add(said.clone())));
            assert_eq!(adjust(&[], &wrong, none), Err(CapabilityError::Drop(said)));
        }
        let words = adjust(&strings(&["foo"]), &[], none).unwrap_err().to_string();
        assert_eq!(words, "invalid CapAdd: unknown capability: \"CAP_FOO\"");
    }

    /// Every capability of the kernel's list goes to OCI and back.
    #[test]
    fn oci_and_back() {
        let all = CapabilitySet::all(LAST);
        assert_eq!(all.to_oci().len(), 41);
        assert_eq!(CapabilitySet::from_oci(&all.to_oci()), all);
        assert_eq!(CapabilitySet::from_oci(&HashSet::new()), CapabilitySet::EMPTY);
    }

    /// Unknown names leave the config, known ones and other kinds of values stay.
    #[test]
    fn filtering_a_raw_config() {
        let mut config = serde_json::json!({"process": {"capabilities": {
            "bounding": ["CAP_CHOWN", "CAP_FUTURE", "CAP_BPF"],
            "effective": ["CAP_FUTURE", "CAP_KILL"],
            "ambient": [7],
            "inheritable": null,
        }}});
        let ignored = filter_unknown(&mut config, 37);
        assert_eq!(ignored, ["CAP_BPF", "CAP_FUTURE"]);
        assert_eq!(
            config["process"]["capabilities"],
            serde_json::json!({"bounding": ["CAP_CHOWN"], "effective": ["CAP_KILL"],
                "ambient": [7], "inheritable": null})
        );
        for mut other in [serde_json::json!({}), serde_json::json!([]), serde_json::json!(null)] {
            let before = other.clone();
            assert!(filter_unknown(&mut other, LAST).is_empty());
            assert_eq!(other, before);
        }
    }

    /// What is left after filtering is what oci-spec takes.
    #[test]
    fn a_filtered_config_gets_its_types() {
        let mut config = serde_json::json!({
            "ociVersion": "1.0.2", "root": {"path": "r"}, "process": {"cwd": "/",
            "args": ["x"], "user": {"uid": 0, "gid": 0}, "capabilities": {
            "bounding": ["CAP_NOPE", "CAP_CHOWN"], "permitted": ["cap_kill"]}}});
        assert!(serde_json::from_value::<oci_spec::runtime::Spec>(config.clone()).is_err());
        filter_unknown(&mut config, LAST);
        let spec: oci_spec::runtime::Spec = serde_json::from_value(config).unwrap();
        let process = spec.process().as_ref().unwrap();
        let sets = process.capabilities().as_ref().unwrap();
        let bounding = CapabilitySet::from_oci(sets.bounding().as_ref().unwrap());
        assert_eq!(bounding, CapabilitySet::from(Capability::CAP_CHOWN));
    }

    #[test]
    fn words() {
        let set = CapabilitySet::from_bits(1 | 1 << 21 | 1 << 60);
        assert_eq!(set.to_string(), "CAP_CHOWN CAP_SYS_ADMIN 60");
    }
}
