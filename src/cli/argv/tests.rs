//! Tables of command lines: what is asked for, and what is refused in which words.

use std::os::unix::ffi::OsStringExt;

use super::*;
use crate::cli::dispatch::{command_for, root_command};
use crate::say::failure::Failure;

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

/// The command line as rrun understands it, in one text.
fn split_words(list: &[&str]) -> Result<String, ArgvError> {
    let line = split(&words(list), &root_command())?;
    let wish = match line.wish {
        Wish::Help(path) => format!("help {path:?}"),
        Wish::Version => "version".into(),
        Wish::Run(call) => {
            let implied = if call.named == Named::ByImage { "(implied) " } else { "" };
            format!("{implied}{}", call.argv()[1..].join(" "))
        }
    };
    Ok(line.root.map_or(wish.clone(), |root| format!("root={root} {wish}")))
}

/// The first bare word is a command, unless an option of `run` stands before it.
#[test]
fn commands_and_images() {
    let cases: [(&[&str], &str); 18] = [
        (&[], "help []"),
        (&["alpine"], "(implied) run -- alpine"),
        (&["run", "alpine"], "run -- alpine"),
        (&["run", "run"], "run -- run"),
        (&["run", "images", "-q"], "run -- images -q"),
        (&["--rm", "images", "-q"], "(implied) run --rm -- images -q"),
        (&["images", "-q"], "images --quiet --"),
        (&["--", "images"], "(implied) run -- images"),
        (&["--root", "/r", "images"], "root=/r images --"),
        (
            &["--root=/r", "--root", "/s", "-it", "x"],
            "root=/s (implied) run --interactive --tty -- x",
        ),
        (&["--root", "/r"], "root=/r help []"),
        (&["--version", "--nope"], "version"),
        (&["volume"], "help [\"volume\"]"),
        (&["volume", "remove", "a", "-f", "b"], "volume rm --force -- a b"),
        (&["container", "ls", "-aq"], "container ls --all --quiet --"),
        (&["container", "list"], "container ls --"),
        (&["image", "inspect", "a"], "image inspect -- a"),
        (&["-"], "(implied) run -- -"),
    ];
    for (argv, want) in cases {
        assert_eq!(split_words(argv).as_deref(), Ok(want), "{argv:?}");
    }
}

/// All after the image is the container's.
#[test]
fn options_end_at_the_image() {
    let cases: [(&[&str], &str); 6] = [
        (&["alpine", "-v", "--help", "--", "-x"], "(implied) run -- alpine -v --help -- -x"),
        (&["run", "-i", "alpine", "--rm"], "run --interactive -- alpine --rm"),
        (&["run", "--", "alpine", "--", "x"], "run -- alpine -- x"),
        (&["create", "alpine", "ls", "-la"], "create -- alpine ls -la"),
        (&["explain", "--json", "alpine", "--json"], "explain --json -- alpine --json"),
        (&["rm", "a", "--", "-f"], "rm -- a -f"),
    ];
    for (argv, want) in cases {
        assert_eq!(split_words(argv).as_deref(), Ok(want), "{argv:?}");
    }
}

/// Every spelling of an option comes to one.
#[test]
fn options() {
    let cases: [(&[&str], &str); 16] = [
        (&["-v", "a:/b"], "--volume=a:/b"),
        (&["-va:/b"], "--volume=a:/b"),
        (&["-v=a:/b"], "--volume=a:/b"),
        (&["--volume", "a:/b"], "--volume=a:/b"),
        (&["--volume=a:/b"], "--volume=a:/b"),
        (&["-itv", "a:/b"], "--interactive --tty --volume=a:/b"),
        (&["-itva:/b"], "--interactive --tty --volume=a:/b"),
        (&["-e", "K=V", "-eK=V", "--env=K=V"], "--env=K=V --env=K=V --env=K=V"),
        (&["-e", "-v"], "--env=-v"),
        (&["--name", "--rm"], "--name=--rm"),
        (&["-h", "web", "-hdb"], "--hostname=web --hostname=db"),
        (&["--entrypoint="], "--entrypoint="),
        (&["--rm=true", "-i=t"], "--rm --interactive"),
        (&["--rm", "-it=false", "--rm=0"], "--interactive"),
        (&["--rm=false", "--rm"], "--rm"),
        (&["--net", "host"], "--network=host"),
    ];
    for (options, want) in cases {
        let argv = [options, &["x"]].concat();
        assert_eq!(split_words(&argv), Ok(format!("(implied) run {want} -- x")), "{argv:?}");
    }
}

/// `--help` asks for help wherever an option could stand; `-h` does, where it is no option.
#[test]
fn help_is_asked_for() {
    let cases: [(&[&str], &str); 9] = [
        (&["--help"], "help []"),
        (&["help"], "help []"),
        (&["help", "volume", "rm"], "help [\"volume\", \"rm\"]"),
        (&["run", "--help"], "help [\"run\"]"),
        (&["--rm", "--help", "x"], "help [\"run\"]"),
        (&["rm", "a", "--help"], "help [\"rm\"]"),
        (&["rm", "-h"], "help [\"rm\"]"),
        (&["volume", "-h"], "help [\"volume\"]"),
        (&["volume", "create", "--help"], "help [\"volume\", \"create\"]"),
    ];
    for (argv, want) in cases {
        assert_eq!(split_words(argv).as_deref(), Ok(want), "{argv:?}");
    }
}

/// V12.03 and pflag's words; the status is 125 for options, 1 for the number of words.
#[test]
fn refusals() {
    let cases: [(&[&str], &str, u8); 18] = [
        (&["--nosuchflag", "x"], "unknown flag: --nosuchflag", 125),
        (&["ps", "--nope=1"], "unknown flag: --nope", 125),
        (&["run", "-itQ", "x"], "unknown shorthand flag: 'Q' in -itQ", 125),
        (&["ps", "-é"], "unknown shorthand flag: 'é' in -é", 125),
        (&["run", "--name"], "flag needs an argument: --name", 125),
        (&["-v"], "flag needs an argument: 'v' in -v", 125),
        (&["-itv"], "flag needs an argument: 'v' in -itv", 125),
        (&["--root"], "flag needs an argument: --root", 125),
        (&["--=x", "x"], "bad flag syntax: --=x", 125),
        (&["---rm", "x"], "bad flag syntax: ---rm", 125),
        (
            &["-i=maybe", "x"],
            "invalid argument \"maybe\" for \"-i, --interactive\" flag: parsing \"maybe\": \
             invalid syntax",
            125,
        ),
        (&["run"], "'rrun run' requires at least 1 argument", 1),
        (&["--rm"], "'rrun run' requires at least 1 argument", 1),
        (&["tag", "a"], "'rrun tag' requires 2 arguments", 1),
        (&["ps", "x"], "'rrun ps' accepts no arguments", 1),
        (&["images", "a", "b"], "'rrun images' requires at most 1 argument", 1),
        (&["volume", "frob"], "unknown command: frob", 1),
        (&["help", "nope"], "unknown command: nope", 1),
    ];
    for (argv, want, status) in cases {
        let failure = Failure::from(split_words(argv).unwrap_err());
        assert_eq!((failure.cause.as_str(), failure.status.code()), (want, status), "{argv:?}");
    }
}

/// A slip is told its right spelling.
#[test]
fn hints() {
    let cases: [(&[&str], &str); 4] = [
        (&["--volme", "x"], "did you mean --volume?"),
        (&["--frobnicate", "x"], "see 'rrun run --help'"),
        (&["-h"], "-h is the host name of a container; --help shows the help"),
        (&["volume", "frob"], "see 'rrun volume --help'"),
    ];
    for (argv, want) in cases {
        let failure = Failure::from(split_words(argv).unwrap_err());
        assert_eq!(failure.hint.as_deref(), Some(want), "{argv:?}");
    }
}

/// What is not UTF-8 is refused once, at the door.
#[test]
fn bytes() {
    let argv = [OsString::from("run"), OsString::from_vec(vec![b'a', 0xff])];
    let failure = Failure::from(text(argv).unwrap_err());
    assert_eq!(
        failure.to_string().lines().next(),
        Some("cannot read the command line: argument 2 is not UTF-8: \"a\\xFF\"")
    );
    assert_eq!(failure.status.code(), 125);
}

/// What is written down of the commands for one command line says the same as all of them.
#[test]
fn the_command_named_is_enough() {
    let cases: [&[&str]; 12] = [
        &["alpine"],
        &["run", "-it", "alpine", "sh"],
        &["--root", "/r", "--rm", "alpine"],
        &["create", "--name=x", "alpine"],
        &["volume", "ls", "-q"],
        &["images"],
        &["--rm=2", "alpine"],
        &["run"],
        &["create", "--nmae", "alpine"],
        &["--version"],
        &["--root"],
        &["container", "bogus"],
    ];
    for case in cases {
        let argv = words(case);
        let (all, named) = (split(&argv, &root_command()), command_for(&argv));
        match named {
            Ok(named) => assert_eq!(split(&argv, &named), all, "{case:?}"),
            Err(_) => assert!(all.is_err(), "{case:?}"),
        }
    }
}

/// clap itself finds nothing wrong with the commands.
#[test]
fn the_commands_are_sound() {
    root_command().debug_assert();
}
