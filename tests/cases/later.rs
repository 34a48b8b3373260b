//! Cases whose commands rrun does not have yet, by name: skipped, counted, never forgotten.

/// A case and the command it waits for.
const LATER: &[(&str, &str)] = &[
    ("V4.25", "start (detached)"),
    ("V4.30", "system df"),
    ("V8.05", "start (detached)"),
    ("V12.08", "run -d"),
    ("V12.14", "exec"),
    ("V12.15", "exec"),
    ("V12.16", "stop"),
    ("V12.17", "stop"),
    ("V12.28", "cp"),
    ("S8", "exec"),
];

/// The command that the case `id` waits for.
pub fn command(id: &str) -> Option<&'static str> {
    LATER.iter().find(|(case, _)| *case == id).map(|(_, command)| *command)
}
