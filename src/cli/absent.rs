//! Docker's commands that rrun does not have, and what serves instead.

/// What to do instead of Docker's command `word`, if rrun does not have that.
pub fn instead(word: &str) -> Option<&'static str> {
    Some(match word {
        "build" | "buildx" | "builder" => {
            "build with another tool (buildah, docker build), then `rrun load` its archive, or \
             `rrun import` a root file system"
        }
        "compose" | "swarm" | "stack" | "service" | "node" => {
            "rrun runs single containers; a script of `rrun run` lines, or an engine that calls \
             rrun-oci, runs several"
        }
        "secret" | "config" => "bind a file read-only: --mount type=bind,src=FILE,dst=/run/…,ro",
        "network" => "there are none to make: --network none, host, pasta or container:NAME",
        "top" => "`rrun exec CONTAINER ps`, or ps on the host: containers are plain processes",
        "stats" => "/sys/fs/cgroup/…/rrun/ID has the numbers of each container",
        "update" => "make the container anew with other limits; its volumes stay",
        "events" => "`rrun wait` and `rrun logs -f` wait for what happens to one container",
        "plugin" => "a volume driver is named where it is used: `rrun volume create --driver NAME`",
        "context" => "rrun has no daemon to talk to; --root DIR chooses another store",
        "search" | "trust" | "manifest" => "skopeo looks into registries and copies images",
        "checkpoint" => "rrun cannot save the state of a process; volumes keep its data",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No command of ours is said to be missing.
    #[test]
    fn what_there_is_is_not_absent() {
        let root = crate::cli::dispatch::root_command();
        for command in root.get_subcommands() {
            assert_eq!(instead(command.get_name()), None, "{}", command.get_name());
        }
        assert!(instead("build").is_some_and(|text| text.contains("rrun load")));
        assert_eq!(instead("alpine"), None);
    }
}
