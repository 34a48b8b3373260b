//! What can be wrong with a mount flag. The words are Docker's.

use crate::config::name::NameError;
use crate::config::path::RootPath;
use crate::config::request::SubPathError;
use crate::config::secret::masked_text;
use crate::config::size::SizeError;

use super::csv_record::CsvError;

/// What can be wrong with a mount flag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountFlagError {
    /// `-v ''`
    #[error("invalid empty volume spec")]
    EmptyVolume,
    /// `-v data:`
    #[error("invalid spec: {0}: empty section between colons")]
    EmptySection(String),
    /// `-v data:/data:ro:x`
    #[error("invalid spec: {0}: too many colons")]
    TooManyColons(String),
    /// `-v /data:ro`: a target called `ro`, or an anonymous volume that is read-only?
    #[error("invalid volume specification: '{0}'")]
    Ambiguous(String),
    /// Option words that are unknown, repeated or at odds.
    #[error("invalid mode: {0}")]
    Mode(String),
    /// A `-v` whose parts do not go together.
    #[error(
        "invalid volume specification: '{spec}': invalid mount config for type \"{kind}\": {reason}"
    )]
    Volume {
        /// The flag's value.
        spec: String,
        /// `bind` or `volume`
        kind: &'static str,
        /// What does not go together.
        reason: ConfigReason,
    },
    /// A `--mount` that cannot be read.
    #[error("invalid argument {argument:?} for \"--mount\" flag: {reason}")]
    MountSyntax {
        /// The flag's value.
        argument: String,
        /// What cannot be read.
        reason: FieldError,
    },
    /// A `--mount` whose parts do not go together.
    #[error("invalid mount config for type \"{kind}\": {reason}")]
    Mount {
        /// The type asked for.
        kind: String,
        /// What does not go together.
        reason: ConfigReason,
    },
    /// A `--tmpfs` to an impossible place.
    #[error(transparent)]
    TmpfsTarget(ConfigReason),
    /// An option word that no tmpfs has.
    #[error("invalid tmpfs option {0:?}")]
    TmpfsOption(String),
    /// A source that is neither a path nor a volume's name.
    #[error("create {name}: {source}")]
    Name {
        /// The source.
        name: String,
        /// Why it is no name.
        source: NameError,
    },
    /// `--volumes-from ''`
    #[error("volumes-from specification cannot be an empty string")]
    EmptyVolumesFrom,
    /// Two requests for one place.
    #[error("Duplicate mount point: {target}")]
    Duplicate {
        /// The place.
        target: RootPath,
        /// The flag that asked first.
        earlier: String,
        /// The flag that asked again.
        later: String,
    },
}

/// Why the parts of a mount do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigReason {
    /// A part that this type needs.
    #[error("field {0} must not be empty")]
    Missing(&'static str),
    /// A part that this type cannot have.
    #[error("field {0} must not be specified")]
    Extra(&'static str),
    /// The root itself as a target.
    #[error("invalid specification: destination can't be '/'")]
    Root,
    /// A relative path.
    #[error("invalid mount path: '{0}' mount path must be absolute")]
    Relative(String),
    /// A type that does not exist.
    #[error("mount type unknown")]
    UnknownType,
    /// A word that is no propagation.
    #[error("invalid propagation mode: {0}")]
    Propagation(String),
    /// A part of a volume that is new and so has no parts.
    #[error("must not set Subpath when using anonymous volumes")]
    SubPathOfAnonymous,
    /// A read-only volume that is new and so stays empty.
    #[error("must not set ReadOnly mode when using anonymous volumes")]
    ReadOnlyAnonymous,
    /// A subpath that is none.
    #[error(transparent)]
    SubPath(#[from] SubPathError),
}

/// Why the text of a `--mount` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Nothing at all.
    #[error("value is empty")]
    Empty,
    /// Quotes that are no CSV.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// A blank around a key.
    #[error(
        "invalid option '{key}' in '{}': option should not have whitespace",
        masked_text(field)
    )]
    BlankKey {
        /// The key without it.
        key: String,
        /// The whole field.
        field: String,
    },
    /// A blank around a value.
    #[error(
        "invalid value for '{key}' in '{}': value should not have whitespace",
        masked_text(field)
    )]
    BlankValue {
        /// The key.
        key: String,
        /// The whole field.
        field: String,
    },
    /// `dst=`
    #[error("invalid value for '{0}': value is empty")]
    EmptyValue(String),
    /// A word alone that is no flag.
    #[error("invalid field '{0}' must be a key=value pair")]
    NoValue(String),
    /// A key that does not exist.
    #[error("unknown option '{key}' in '{}'", masked_text(field))]
    UnknownKey {
        /// The key.
        key: String,
        /// The whole field.
        field: String,
    },
    /// Neither yes nor no.
    #[error(
        "invalid value for '{key}': invalid boolean value ({value:?}): must be one of \"true\", \
         \"1\", \"false\", or \"0\" (default \"true\")"
    )]
    Boolean {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// A number that is none.
    #[error("invalid value for {key}: {value}")]
    Number {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// Why a size is none.
        size: Option<SizeError>,
    },
    /// A `bind-recursive` that is none of the four.
    #[error(
        "invalid value for bind-recursive: {0} (must be \"enabled\", \"disabled\", \"writable\", \
         or \"readonly\")"
    )]
    BindRecursive(String),
    /// The old spelling.
    #[error("bind-nonrecursive is deprecated, use bind-recursive=disabled instead")]
    BindNonRecursive,
    /// A key of another type.
    #[error("cannot mix '{family}-*' options with mount type '{kind}'")]
    Mix {
        /// The type that the key belongs to.
        family: &'static str,
        /// The type asked for.
        kind: String,
    },
    /// A key that needs another.
    #[error("option '{option}' requires '{needs}' to be specified in conjunction")]
    Needs {
        /// The key and its value.
        option: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// `volume-label==x`
    #[error("invalid label '{0}': empty name")]
    Label(String),
    /// `volume-opt==x`
    #[error("invalid option: {0:?}")]
    Option(String),
}
