//! Why a config cannot become a plan.

/// What is wrong with a config, found before anything is done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A field that must be there is not.
    #[error("{field} is missing from the config")]
    Missing {
        /// The field, as a path in the config.
        field: &'static str,
    },
    /// A value that no kernel would take.
    #[error("{origin}: {value:?} is no {what}")]
    Invalid {
        /// Where it stands.
        origin: String,
        /// What it should be.
        what: &'static str,
        /// What it is.
        value: String,
    },
    /// The same namespace twice.
    #[error("{origin}: the {kind} namespace is listed twice")]
    NamespaceTwice {
        /// Where it stands.
        origin: String,
        /// Its kind, in the config's word.
        kind: &'static str,
    },
    /// Mounts without a mount namespace would be made on the host.
    #[error("the config has mounts and no mount namespace: they would be made on the host")]
    MountsOnHost,
    /// A mount where the kernel shows the container's own processes (V1.42).
    #[error("{origin}: {target:?} cannot be mounted because it is inside /proc")]
    InsideProc {
        /// Where it stands.
        origin: String,
        /// The target.
        target: String,
    },
    /// An idmapped mount without a mapping.
    #[error("{origin}: {word} needs uidMappings and gidMappings, and there is no user namespace")]
    NoMapping {
        /// Where it stands.
        origin: String,
        /// The option.
        word: &'static str,
    },
    /// A flag of the source that the container's user namespace may not clear.
    #[error(
        "{origin}: operation not permitted: a user namespace cannot clear {flags} of its source"
    )]
    Locked {
        /// Where it stands.
        origin: String,
        /// The flags, in the kernel's words.
        flags: String,
    },
    /// A mapping for a user namespace that another process made.
    #[error("/linux/uidMappings: a user namespace that is joined by path has its mappings already")]
    MappingOfJoined,
    /// A sysctl that is not confined to a namespace, or whose namespace is the host's.
    #[error("/linux/sysctl: {key} {reason}")]
    Sysctl {
        /// The sysctl.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An overlay with more layers than this kernel can be told of.
    #[error("an overlay of {layers} layers needs Linux 6.8 or newer")]
    TooManyLayers {
        /// How many there are.
        layers: usize,
    },
    /// A feature that is asked for and cannot be had.
    #[error("{origin}: {what}")]
    Unsupported {
        /// Where it stands.
        origin: String,
        /// What cannot be done, and why.
        what: String,
    },
}
