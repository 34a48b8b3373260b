//! `--mount type=…,source=…,target=…`: what of a draft goes together (V2.08 to V2.30).

use std::path::Path;

use crate::config::propagation::Propagation;
use crate::config::request::{
    BindRequest, ImageRequest, MissingSource, MountKind, MountRequest, ReadOnly, Recursion,
    Relabel, Style, SubPath, TmpfsRequest, VolumeRequest,
};
use crate::config::secret::masked_text;

use super::error::{ConfigReason, FieldError, MountFlagError};
use super::mode::PROPAGATIONS;
use super::mount_fields::{BindKeys, BindRecursive, Draft};
use super::{place, tmpfs_flag, volume_flag};

/// Parses the value of `--mount`. `current` is the directory that relative sources start from.
pub fn parse_mount(text: &str, current: &Path) -> Result<MountRequest, MountFlagError> {
    let syntax = |reason| MountFlagError::MountSyntax { argument: masked_text(text), reason };
    let draft = Draft::read(text).map_err(syntax)?;
    let kind_word = draft.kind.clone().unwrap_or_else(|| "volume".into());
    one_family(&draft, &kind_word).map_err(syntax)?;
    recursion_is_whole(&draft).map_err(syntax)?;

    let wrong = |reason| MountFlagError::Mount { kind: kind_word.clone(), reason };
    let target_text = draft.target.clone().unwrap_or_default();
    if target_text.is_empty() {
        return Err(wrong(ConfigReason::Missing("Target")));
    }
    let target = place::target(&target_text).map_err(wrong)?;
    let read_only = read_only(&draft, &kind_word);
    let kind = match kind_word.as_str() {
        "bind" => MountKind::Bind(bind(draft, current).map_err(wrong)?),
        "volume" => MountKind::Volume(volume(draft, wrong)?),
        "tmpfs" => MountKind::Tmpfs(tmpfs(&draft, wrong)?),
        "image" => MountKind::Image(image(draft).map_err(wrong)?),
        _ => return Err(wrong(ConfigReason::UnknownType)),
    };
    Ok(MountRequest {
        flag: format!("--mount {}", masked_text(text)),
        style: Style::Mount,
        target,
        target_text,
        read_only,
        mode: String::new(),
        kind,
    })
}

/// Keys of another type are an error, also where they would do nothing (V2.18).
fn one_family(draft: &Draft, kind: &str) -> Result<(), FieldError> {
    let families = [
        ("bind", draft.bind.is_some()),
        ("volume", draft.volume.is_some()),
        ("image", draft.image_subpath.is_some()),
        ("tmpfs", draft.tmpfs.is_some()),
    ];
    match families.into_iter().find(|(family, is_there)| *is_there && *family != kind) {
        Some((family, _)) => Err(FieldError::Mix { family, kind: kind.into() }),
        None => Ok(()),
    }
}

/// What says how read-only reaches below needs `readonly`; strictness also needs that no mount
/// can come in later from the host (V2.25).
fn recursion_is_whole(draft: &Draft) -> Result<(), FieldError> {
    let Some(bind) = &draft.bind else { return Ok(()) };
    let option = match bind.recursive {
        BindRecursive::Writable => "bind-recursive=writable",
        BindRecursive::ReadOnly => "bind-recursive=readonly",
        BindRecursive::Enabled | BindRecursive::Disabled => return Ok(()),
    };
    if !draft.read_only {
        return Err(FieldError::Needs { option, needs: "readonly" });
    }
    let is_private = bind.propagation.as_deref() == Some("rprivate");
    if bind.recursive == BindRecursive::ReadOnly && !is_private {
        return Err(FieldError::Needs { option, needs: "bind-propagation=rprivate" });
    }
    Ok(())
}

fn read_only(draft: &Draft, kind: &str) -> ReadOnly {
    // An image is never writable (V2.30).
    if kind == "image" {
        return ReadOnly::TopOnly;
    }
    if !draft.read_only {
        return ReadOnly::No;
    }
    match draft.bind.as_ref().map(|bind| bind.recursive) {
        Some(BindRecursive::Writable | BindRecursive::Disabled) => ReadOnly::TopOnly,
        Some(BindRecursive::ReadOnly) => ReadOnly::RecursiveStrict,
        _ if kind == "tmpfs" => ReadOnly::TopOnly,
        _ => ReadOnly::Recursive,
    }
}

fn bind(draft: Draft, current: &Path) -> Result<BindRequest, ConfigReason> {
    let text = draft.source.ok_or(ConfigReason::Missing("Source"))?;
    let BindKeys { propagation, recursive, missing } = draft.bind.unwrap_or_default();
    let propagation = match propagation {
        Some(word) if !PROPAGATIONS.contains(&word.as_str()) => {
            return Err(ConfigReason::Propagation(word));
        }
        word => word.as_deref().and_then(Propagation::from_word),
    };
    let source = place::source(&text, current).ok_or(ConfigReason::Relative(text))?;
    Ok(BindRequest {
        source: source.path,
        source_text: source.text,
        propagation,
        recursion: match recursive {
            BindRecursive::Disabled => Recursion::Disabled,
            _ => Recursion::Enabled,
        },
        missing: missing.unwrap_or(MissingSource::Refuse),
        relabel: Relabel::No,
    })
}

fn volume(
    draft: Draft,
    wrong: impl Fn(ConfigReason) -> MountFlagError,
) -> Result<VolumeRequest, MountFlagError> {
    let keys = draft.volume.unwrap_or_default();
    let is_anonymous = draft.source.is_none();
    if keys.subpath.is_some() && is_anonymous {
        return Err(wrong(ConfigReason::SubPathOfAnonymous));
    }
    let subpath = keys.subpath.map(|text| SubPath::parse(&text)).transpose();
    let subpath = subpath.map_err(|e| wrong(e.into()))?;
    if draft.read_only && is_anonymous {
        return Err(wrong(ConfigReason::ReadOnlyAnonymous));
    }
    Ok(VolumeRequest {
        source: draft.source.map(|name| volume_flag::volume_name(&name)).transpose()?,
        driver: keys.driver,
        driver_options: keys.options,
        labels: keys.labels,
        copy_up: keys.copy_up,
        subpath,
    })
}

fn tmpfs(
    draft: &Draft,
    wrong: impl Fn(ConfigReason) -> MountFlagError,
) -> Result<TmpfsRequest, MountFlagError> {
    if draft.source.is_some() {
        return Err(wrong(ConfigReason::Extra("Source")));
    }
    let keys = draft.tmpfs.as_ref();
    // Docker leaves a size or mode of 0 out, which gives the kernel's defaults.
    let size_bytes = keys.and_then(|keys| keys.size_bytes).filter(|bytes| *bytes != 0);
    let mode = keys.and_then(|keys| keys.mode).filter(|mode| *mode != 0);
    let words: Vec<String> = [
        draft.read_only.then(|| "ro".to_owned()),
        mode.map(|mode| format!("mode={mode:o}")),
        size_bytes.map(|bytes| format!("size={bytes}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(TmpfsRequest { options: tmpfs_flag::effective(&words)?, size_bytes, mode })
}

fn image(draft: Draft) -> Result<ImageRequest, ConfigReason> {
    let subpath = draft.image_subpath.map(|text| SubPath::parse(&text)).transpose()?;
    let reference = draft.source.ok_or(ConfigReason::Missing("Source"))?;
    Ok(ImageRequest { reference, subpath })
}
