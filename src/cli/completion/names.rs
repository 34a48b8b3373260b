//! Names for a shell to complete, asked of rrun: which command wants which.

use clap::Command;

/// What a command's words name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Container,
    Image,
    Volume,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Container, Kind::Image, Kind::Volume];

    fn word(self) -> &'static str {
        match self {
            Kind::Container => "container",
            Kind::Image => "image",
            Kind::Volume => "volume",
        }
    }

    /// The command that lists the names.
    fn listing(self) -> &'static str {
        match self {
            Kind::Container => r#"rrun ps -a --format "{{.Names}}" 2>/dev/null"#,
            Kind::Image => {
                r#"rrun images --format "{{.Repository}}:{{.Tag}}" 2>/dev/null | grep -v "<none>""#
            }
            Kind::Volume => "rrun volume ls -q 2>/dev/null",
        }
    }

    /// By the name that help gives a command's first word.
    fn of(command: &Command) -> Option<Self> {
        let first = command.get_positionals().next()?;
        let name = first.get_value_names()?.first()?.to_lowercase();
        Kind::ALL.into_iter().find(|kind| name.starts_with(kind.word()))
    }
}

/// Each command whose words are names, by its path.
fn commands(root: &Command) -> Vec<(String, Kind)> {
    let mut found = Vec::new();
    let mut waiting: Vec<(String, &Command)> =
        root.get_subcommands().map(|command| (command.get_name().to_owned(), command)).collect();
    while let Some((path, command)) = waiting.pop() {
        found.extend(Kind::of(command).map(|kind| (path.clone(), kind)));
        let below = command.get_subcommands();
        waiting.extend(below.map(|below| (format!("{path} {}", below.get_name()), below)));
    }
    found.sort();
    found
}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.word().cmp(other.word())
    }
}

/// What follows clap's script for bash.
pub(super) fn bash(root: &Command) -> String {
    let cases: String = commands(root)
        .into_iter()
        .map(|(path, kind)| {
            let pattern = path.replace(' ', "\\ ");
            format!("        {pattern}) kind={} ;;\n", kind.word())
        })
        .collect();
    let listings: String = Kind::ALL
        .into_iter()
        .map(|kind| format!("        {}) names=$({}) ;;\n", kind.word(), kind.listing()))
        .collect();
    format!(
        r#"
_rrun_with_names() {{
    _rrun "$@"
    local current=${{COMP_WORDS[COMP_CWORD]}} path="" kind="" names="" word
    [[ $current == -* ]] && return 0
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        [[ $word == -* ]] && continue
        path+=${{path:+ }}$word
        case $path in
{cases}        esac
        [[ -n $kind ]] && break
    done
    case $kind in
{listings}        *) return 0 ;;
    esac
    COMPREPLY=($(compgen -W "$names" -- "$current"))
    __ltrim_colon_completions "$current" 2>/dev/null || true
}}

complete -F _rrun_with_names -o nosort -o bashdefault -o default rrun
"#
    )
}

/// clap's script for zsh, with functions for names in place of file names.
pub(super) fn zsh(script: &str) -> String {
    let mut functions = String::new();
    for kind in Kind::ALL {
        // A colon separates a completion from what is told about it.
        functions += &format!(
            "_rrun_{0}s() {{\n    compadd -- ${{(f)\"$({1})\"}}\n}}\n\n",
            kind.word(),
            kind.listing()
        );
    }
    let mut text = String::with_capacity(script.len() + functions.len());
    for line in script.lines() {
        text += &with_function(line);
        text.push('\n');
        if line.starts_with("autoload ") {
            text += "\n";
            text += &functions;
        }
    }
    text
}

/// `'*::containers -- The containers:_default'` becomes `…:_rrun_containers'`.
fn with_function(line: &str) -> String {
    let Some((start, rest)) = line.split_once(":_default'") else { return line.into() };
    let name = start.trim_start().trim_start_matches(['\'', '*', ':']);
    let kind = Kind::ALL.into_iter().find(|kind| name.starts_with(kind.word()));
    // Options begin with their dashes: only words remain.
    match kind.filter(|_| start.trim_start().starts_with(['\'', '*']) && start.contains(" -- ")) {
        Some(kind) => format!("{start}:_rrun_{}s'{rest}", kind.word()),
        None => line.into(),
    }
}

/// What follows clap's script for fish.
pub(super) fn fish(root: &Command) -> String {
    let mut text = String::from(
        "\nfunction __rrun_at\n    set -l words (commandline -pxc | string match -v -- '-*')\n    \
         set -l wanted rrun $argv\n    \
         test \"$words[1..(count $wanted)]\" = \"$wanted\"\nend\n\n",
    );
    for (path, kind) in commands(root) {
        text += &format!(
            "complete -c rrun -n '__rrun_at {path}' -f -a '({})'\n",
            kind.listing().replace('\'', "\\'")
        );
    }
    text
}
