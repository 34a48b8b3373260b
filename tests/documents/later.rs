//! What the documents use and rrun does not have yet: skipped by name, counted, never forgotten.

/// Options of `run` with one value that are left out of a command until they are there.
const OPTIONS: &[(&str, &str)] = &[("-p", "published ports")];

/// The options of `command` that are left out, and what each waits for.
pub fn options(command: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    OPTIONS.iter().copied().filter(|(option, _)| command.contains(&format!(" {option} ")))
}

/// The command without the options that are still to come.
pub fn without_options(command: &str) -> String {
    let mut rest = command.to_owned();
    for (option, _) in options(command) {
        let start = rest.find(&format!(" {option} ")).unwrap();
        let value = start + option.len() + 2;
        let end = rest[value..].find(' ').map_or(rest.len(), |length| value + length);
        rest.replace_range(start..end, "");
    }
    rest
}
