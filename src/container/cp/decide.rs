//! Where a copy goes: pure.

use super::error::CopyError;

/// What is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Is it a directory?
    pub is_directory: bool,
    /// Is it what is in the directory that is meant (`dir/.`)?
    pub contents: bool,
}

/// Where it should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Is there anything?
    pub exists: bool,
    /// Is it a directory?
    pub is_directory: bool,
    /// Was it written as one (`dir/`)?
    pub asserts_directory: bool,
}

/// What is made of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// Under the target's own name.
    As,
    /// Under the source's name, in the target.
    Below,
    /// What is in the source, into the target.
    Contents,
}

/// Decides it by Docker's rules.
pub fn decide(source: Source, target: Target) -> Result<Where, CopyError> {
    match (source, target) {
        (Source { contents: true, is_directory: true }, Target { is_directory: true, .. }) => {
            Ok(Where::Contents)
        }
        (_, Target { is_directory: true, .. }) => Ok(Where::Below),
        (Source { is_directory: true, .. }, Target { exists: true, .. }) => {
            Err(CopyError::DirectoryToFile)
        }
        (Source { is_directory: true, .. }, _) => Ok(Where::As),
        (_, Target { asserts_directory: true, .. }) => Err(CopyError::NoSuchDirectory),
        _ => Ok(Where::As),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the Docker documentation of `cp` lists it, and as dockerd 20.10 did it.
    #[test]
    fn rules() {
        let file = Source { is_directory: false, contents: false };
        let directory = Source { is_directory: true, contents: false };
        let contents = Source { is_directory: true, contents: true };
        let missing = Target { exists: false, is_directory: false, asserts_directory: false };
        let missing_directory = Target { asserts_directory: true, ..missing };
        let a_file = Target { exists: true, ..missing };
        let file_slash = Target { asserts_directory: true, ..a_file };
        let a_directory = Target { is_directory: true, ..a_file };
        let cases = [
            (file, missing, Ok(Where::As)),
            (file, missing_directory, Err("no such directory")),
            (file, a_file, Ok(Where::As)),
            (file, file_slash, Err("no such directory")),
            (file, a_directory, Ok(Where::Below)),
            (directory, missing, Ok(Where::As)),
            (directory, missing_directory, Ok(Where::As)),
            (directory, a_file, Err("cannot copy directory")),
            (directory, a_directory, Ok(Where::Below)),
            (contents, missing, Ok(Where::As)),
            (contents, a_file, Err("cannot copy directory")),
            (contents, a_directory, Ok(Where::Contents)),
        ];
        for (source, target, want) in cases {
            let got = decide(source, target).map_err(|e| e.to_string());
            assert_eq!(got, want.map_err(str::to_owned), "{source:?} {target:?}");
        }
    }
}
