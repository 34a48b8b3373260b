//! Which mount is what: the user's requests, other containers' volumes and the image's VOLUMEs
//! become one list, a mount a target. Pure; nothing is made here.
//!
//! The order of precedence at one target (V7.08): `-v src:`, `--mount`, `--tmpfs`; then
//! `--volumes-from`, the later flag first; then `-v /path` and VOLUME, for which a volume is only
//! made if nobody else has the place.

use std::collections::HashMap;

use super::record::{Mounted, Ownership, ResolvedMount};
use crate::config::path::RootPath;
use crate::config::request::{
    MountKind, MountRequest, ReadOnly, Style, VolumeRequest, VolumesFrom,
};

/// A mount whose volume may have to be made yet.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// What the user asked for.
    Request(MountRequest),
    /// Another container's.
    Shared(ResolvedMount),
    /// A VOLUME of the image.
    ImageVolume(RootPath),
}

impl Wanted {
    /// Where it goes.
    pub fn target(&self) -> &RootPath {
        match self {
            Wanted::Request(request) => &request.target,
            Wanted::Shared(mount) => &mount.target,
            Wanted::ImageVolume(target) => target,
        }
    }

    /// Does `--volume-driver` speak of it? Not of a `--mount`, which has a key for it.
    pub fn takes_volume_driver(&self) -> bool {
        match self {
            Wanted::Request(request) => request.style == Style::Volume,
            Wanted::ImageVolume(_) => true,
            Wanted::Shared(_) => false,
        }
    }

    /// The volume to make or find, if it is one.
    pub fn volume(&self) -> Option<VolumeRequest> {
        match self {
            Wanted::Request(MountRequest { kind: MountKind::Volume(volume), .. }) => {
                Some(volume.clone())
            }
            Wanted::ImageVolume(_) => Some(VolumeRequest::default()),
            _ => None,
        }
    }
}

/// How strong a claim to a target is.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Anonymous,
    Shared,
    Requested,
}

/// Puts the claims together; parents come before what is below them (V1.40).
pub fn resolve(
    requests: &[MountRequest],
    shared: &[(VolumesFrom, Vec<ResolvedMount>)],
    image_volumes: &[String],
) -> Vec<Wanted> {
    let mut claims: Vec<(Strength, Wanted)> = Vec::new();
    let volumes = image_volumes.iter().map(|path| RootPath::clean(path));
    claims.extend(volumes.map(|target| (Strength::Anonymous, Wanted::ImageVolume(target))));
    for (from, mounts) in shared {
        let mounts = mounts.iter().filter_map(|mount| share(from, mount));
        claims.extend(mounts.map(|mount| (Strength::Shared, Wanted::Shared(mount))));
    }
    for request in requests {
        let weak = request.style == Style::Volume && request.is_anonymous_volume();
        let strength = if weak { Strength::Anonymous } else { Strength::Requested };
        claims.push((strength, Wanted::Request(request.clone())));
    }
    let mut places: HashMap<RootPath, usize> = HashMap::new();
    let mut kept: Vec<Option<(Strength, Wanted)>> = Vec::new();
    for claim in claims {
        let target = claim.1.target().clone();
        match places.get(&target).copied() {
            Some(at) if kept[at].as_ref().is_some_and(|(s, _)| *s > claim.0) => {}
            earlier => {
                if let Some(at) = earlier {
                    kept[at] = None;
                }
                places.insert(target, kept.len());
                kept.push(Some(claim));
            }
        }
    }
    let mut wanted: Vec<Wanted> = kept.into_iter().flatten().map(|(_, wanted)| wanted).collect();
    wanted.sort_by_key(|wanted| wanted.target().depth());
    wanted
}

/// Another container's mount as this one gets it; a tmpfs is not shared (V7.01, V7.18).
fn share(from: &VolumesFrom, mount: &ResolvedMount) -> Option<ResolvedMount> {
    if matches!(mount.what, Mounted::Tmpfs { .. }) {
        return None;
    }
    let mut mount = mount.clone();
    mount.origin = format!("--volumes-from {}", from.text);
    mount.mode = String::new();
    if mount.read_only == ReadOnly::No {
        mount.read_only = from.read_only;
    }
    Some(mount)
}

/// Whose a volume is: one that nobody named goes with its containers (V6.02, V6.05).
pub fn ownership(volume: &VolumeRequest) -> Ownership {
    if volume.source.is_none() { Ownership::Anonymous } else { Ownership::Named }
}

/// Mode of inspect's Mounts for a request (V10.01 to V10.06).
pub fn shown_mode(request: &MountRequest) -> String {
    match (&request.kind, request.style) {
        (MountKind::Volume(_), Style::Mount) => "z".into(),
        (MountKind::Volume(volume), _) if volume.source.is_some() && request.mode.is_empty() => {
            "z".into()
        }
        (MountKind::Volume(_) | MountKind::Bind(_), Style::Volume) => request.mode.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::mount_flag::{parse_volume, parse_volumes_from};
    use std::path::Path;

    type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

    fn volume(text: &str) -> Result<MountRequest> {
        Ok(parse_volume(text, Path::new("/here"))?)
    }

    fn shared(target: &str, read_only: ReadOnly) -> Result<ResolvedMount> {
        Ok(ResolvedMount {
            origin: "-v other".into(),
            target: RootPath::clean(target),
            read_only,
            propagation: None,
            mode: "ro".into(),
            what: Mounted::Volume {
                name: "other".parse()?,
                driver: "local".into(),
                subpath: None,
                ownership: Ownership::Named,
            },
        })
    }

    fn words(wanted: &[Wanted]) -> Vec<String> {
        let word = |w: &Wanted| match w {
            Wanted::Request(r) => format!("{} {}", r.target, r.flag),
            Wanted::Shared(m) => format!("{} {}", m.target, m.origin),
            Wanted::ImageVolume(t) => format!("{t} VOLUME"),
        };
        wanted.iter().map(word).collect()
    }

    /// V7.08–V7.12, V6.06: who has a target that several claim.
    #[test]
    fn precedence() -> Result<()> {
        let from = |text| parse_volumes_from(text);
        let sources = [
            (from("a")?, vec![shared("/s", ReadOnly::No)?, shared("/x", ReadOnly::No)?]),
            (from("b:ro")?, vec![shared("/x", ReadOnly::No)?]),
        ];
        let requests = [volume("/s")?, volume("named:/v")?, volume("/w")?];
        let got = resolve(&requests, &sources, &["/v".into(), "/w/".into(), "/deep/er".into()]);
        assert_eq!(
            words(&got),
            [
                "/s --volumes-from a",
                "/x --volumes-from b:ro",
                "/v -v named:/v",
                "/w -v /w",
                "/deep/er VOLUME",
            ]
        );
        let Wanted::Shared(mount) = &got[1] else { return Err("not shared".into()) };
        assert_ne!(mount.read_only, ReadOnly::No, "V7.03: the flag makes it read-only");
        assert_eq!(mount.mode, "", "V7.19");
        Ok(())
    }

    /// V7.04: `:rw` does not lift a read-only mount.
    #[test]
    fn read_only_is_not_lifted() -> Result<()> {
        let sources = [(parse_volumes_from("a:rw")?, vec![shared("/s", ReadOnly::TopOnly)?])];
        let got = resolve(&[], &sources, &[]);
        assert!(matches!(&got[0], Wanted::Shared(m) if m.read_only == ReadOnly::TopOnly));
        Ok(())
    }

    /// V1.40: parents first, whatever the order of the flags; equal depth keeps it.
    #[test]
    fn parents_first() -> Result<()> {
        let requests = [volume("aa:/x/y/z")?, volume("bb:/q")?, volume("cc:/x")?];
        let targets: Vec<String> =
            resolve(&requests, &[], &[]).iter().map(|w| w.target().to_string()).collect();
        assert_eq!(targets, ["/q", "/x", "/x/y/z"]);
        Ok(())
    }
}
