//! What the running kernel can do, as far as a plan depends on it.

/// Why this kernel cannot serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Linux {release} has no mount_setattr(2); rrun needs Linux 5.12 or newer")]
pub struct KernelTooOld {
    /// What uname says.
    pub release: String,
}

/// The kernel's features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Kernel {
    /// Major and minor version.
    pub version: (u32, u32),
    /// The last capability it knows.
    pub last_capability: u8,
}

impl Default for Kernel {
    fn default() -> Self {
        Self { version: (6, 18), last_capability: 40 }
    }
}

impl Kernel {
    /// Probes the running kernel.
    pub fn probe() -> Result<Self, KernelTooOld> {
        let name = rustix::system::uname();
        let release = name.release().to_string_lossy().into_owned();
        let version = parse_release(&release);
        // Distributions carry features back, so the call itself is asked, not the number.
        if !crate::sys::mount::has_mount_setattr() {
            return Err(KernelTooOld { release });
        }
        Ok(Self { version, last_capability: last_capability() })
    }

    /// Overlay takes its directories as descriptors.
    ///
    /// Before that they go in as /proc/self/fd/N. An fsconfig text may have 255 bytes only.
    pub fn overlay_by_descriptor(self) -> bool {
        self.version >= (6, 18)
    }

    /// Overlay takes its lower directories one by one (`lowerdir+`).
    pub fn overlay_lower_one_by_one(self) -> bool {
        self.version >= (6, 8)
    }

    /// open_tree(OPEN_TREE_CLONE) takes a tree that is not attached anywhere.
    pub fn clones_detached_trees(self) -> bool {
        self.version >= (6, 15)
    }

    /// MOUNT_ATTR_NOSYMFOLLOW exists.
    pub fn nosymfollow(self) -> bool {
        self.version >= (5, 14)
    }
}

fn parse_release(release: &str) -> (u32, u32) {
    let mut numbers = release.split(['.', '-', '+']).map_while(|part| part.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn last_capability() -> u8 {
    // CAP_CHECKPOINT_RESTORE (Linux 5.9) is the last one of the oldest kernel we run on.
    const OLDEST: u8 = 40;
    let known = |capability: &u8| crate::sys::credentials::is_capability((*capability).into());
    (OLDEST..63).take_while(known).last().unwrap_or(OLDEST)
}

#[cfg(test)]
mod tests {
    /// Releases of distributions and of this kernel's own builds.
    #[test]
    fn releases() {
        let cases = [
            ("6.18.44-fc-v595", (6, 18)),
            ("5.10.0-30-amd64", (5, 10)),
            ("6.1.0", (6, 1)),
            ("7.2-rc1", (7, 2)),
            ("odd", (0, 0)),
        ];
        for (release, version) in cases {
            assert_eq!(super::parse_release(release), version, "{release}");
        }
    }
}
