//! The directories of an overlay that a config mounts: given as descriptors, because the text of a
//! parameter may have 255 bytes only, and a list of layers has more.

use super::compiler::Compiler;
use super::error::CompileError;
use super::step::{Op, Parameter, Slot, SlotKind};
use crate::config::mount_option::Datum;
use crate::config::path::HostPath;

/// Sets `datum` if it names directories of an overlay; tells whether it does.
pub(super) fn directories(
    c: &mut Compiler<'_>,
    context: Slot,
    datum: &Datum,
) -> Result<bool, CompileError> {
    let Some(value) = &datum.value else { return Ok(false) };
    let kernel = c.input.facts.kernel;
    let named = match datum.key.as_str() {
        "upperdir" | "workdir" | "lowerdir+" | "datadir+" => {
            vec![(datum.key.as_str(), value.clone())]
        }
        "lowerdir" if kernel.overlay_lower_one_by_one() => layers(value),
        // One directory has no colon to be told from.
        "lowerdir" if !value.contains([':', '\\']) => vec![("lowerdir", value.clone())],
        _ => return Ok(false),
    };
    let one_by_one = named.iter().any(|(key, _)| key.ends_with('+'));
    if one_by_one && !kernel.overlay_lower_one_by_one() {
        return Err(CompileError::TooManyLayers { layers: named.len() });
    }
    for (key, path) in named {
        let place = c.plan.slot(SlotKind::Place);
        c.push(
            Op::OpenPlace { place, path: HostPath::new(path) },
            "an option text may have 255 bytes only, a descriptor has no length",
        );
        let value = if kernel.overlay_by_descriptor() {
            Parameter::Directory(place)
        } else {
            Parameter::DirectoryPath(place)
        };
        c.push(
            Op::Configure { context, key: key.into(), value },
            "layers are given from the topmost to the lowest",
        );
    }
    Ok(true)
}

/// The layers of `lowerdir`: between colons, and after two of them those that hold data only. A
/// backslash takes its meaning from what follows.
fn layers(list: &str) -> Vec<(&'static str, String)> {
    let mut found = vec![("lowerdir+", String::new())];
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            ':' if characters.next_if_eq(&':').is_some() => found.push(("datadir+", String::new())),
            ':' => found.push(("lowerdir+", String::new())),
            '\\' => push(&mut found, characters.next().unwrap_or('\\')),
            other => push(&mut found, other),
        }
    }
    found
}

fn push(found: &mut [(&'static str, String)], character: char) {
    if let Some((_, path)) = found.last_mut() {
        path.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::layers;

    /// Colons separate, two of them begin the data layers, a backslash takes a colon's meaning.
    #[test]
    fn lists_of_layers() {
        let cases: [(&str, &[(&str, &str)]); 4] = [
            ("/a", &[("lowerdir+", "/a")]),
            ("/a:/b", &[("lowerdir+", "/a"), ("lowerdir+", "/b")]),
            ("/a\\:b:/c", &[("lowerdir+", "/a:b"), ("lowerdir+", "/c")]),
            ("/a::/b::/c", &[("lowerdir+", "/a"), ("datadir+", "/b"), ("datadir+", "/c")]),
        ];
        for (list, want) in cases {
            let found = layers(list);
            let found: Vec<_> = found.iter().map(|(key, path)| (*key, path.as_str())).collect();
            assert_eq!(found, want, "{list}");
        }
    }
}
