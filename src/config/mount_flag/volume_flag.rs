//! `-v`, `--volume`: `[SOURCE:]TARGET[:OPTIONS]` (V1).

use std::path::Path;

use crate::config::name::VolumeName;
use crate::config::request::{
    BindRequest, MissingSource, MountKind, MountRequest, Recursion, Style, VolumeRequest,
};

use super::error::{ConfigReason, MountFlagError};
use super::mode::Mode;
use super::place::{self, Source};

/// Parses the value of `-v`. `current` is the directory that relative sources start from.
///
/// There are no Windows drives here: `d:/data` is a volume with a name that is too short (V1.27).
pub fn parse_volume(text: &str, current: &Path) -> Result<MountRequest, MountFlagError> {
    let fields = sections(text)?;
    let (source, target_text, mode_text) = match fields.as_slice() {
        [target] => (None, *target, ""),
        [_, second] if Mode::parse(second).is_ok() => {
            return Err(MountFlagError::Ambiguous(text.into()));
        }
        [source, target] => (Some(*source), *target, ""),
        [source, target, mode, ..] => (Some(*source), *target, *mode),
        [] => return Err(MountFlagError::EmptyVolume),
    };
    let mode = Mode::parse(mode_text)?;
    let path = source.and_then(|source| place::source(source, current));
    let kind_word = if path.is_some() { "bind" } else { "volume" };
    let wrong = |reason| MountFlagError::Volume { spec: text.into(), kind: kind_word, reason };
    let target = place::target(target_text).map_err(wrong)?;
    let kind = match (path, source) {
        (Some(path), _) => MountKind::Bind(bind(path, mode).map_err(wrong)?),
        (None, _) if mode.propagation.is_some() => {
            return Err(wrong(ConfigReason::Extra("BindOptions")));
        }
        (None, name) => MountKind::Volume(volume(name, mode)?),
    };
    Ok(MountRequest {
        flag: format!("-v {text}"),
        style: Style::Volume,
        target,
        target_text: target_text.into(),
        read_only: mode.read_only(),
        mode: mode_text.into(),
        kind,
    })
}

/// Splits at the colons: one to three sections, none empty (V1.18, V1.19).
fn sections(text: &str) -> Result<Vec<&str>, MountFlagError> {
    if text.is_empty() {
        return Err(MountFlagError::EmptyVolume);
    }
    let mut sections = Vec::with_capacity(3);
    for section in text.split(':') {
        if sections.len() == 3 {
            return Err(MountFlagError::TooManyColons(text.into()));
        }
        if section.is_empty() {
            return Err(MountFlagError::EmptySection(text.into()));
        }
        sections.push(section);
    }
    Ok(sections)
}

fn bind(source: Source, mode: Mode) -> Result<BindRequest, ConfigReason> {
    if mode.copy_up.is_some() {
        return Err(ConfigReason::Extra("VolumeOptions"));
    }
    Ok(BindRequest {
        source: source.path,
        source_text: source.text,
        propagation: mode.propagation,
        recursion: Recursion::Enabled,
        missing: MissingSource::Create,
        relabel: mode.relabel(),
    })
}

fn volume(name: Option<&str>, mode: Mode) -> Result<VolumeRequest, MountFlagError> {
    let source = name.map(volume_name).transpose()?;
    Ok(VolumeRequest { source, copy_up: mode.copy_up.unwrap_or_default(), ..Default::default() })
}

/// Parses a source that is no path as a volume's name.
pub(super) fn volume_name(name: &str) -> Result<VolumeName, MountFlagError> {
    VolumeName::parse(name).map_err(|source| MountFlagError::Name { name: name.into(), source })
}
