//! `rrun run --trace`: what the kernel answered, on both sides of the clone.

use std::process::{Command, Output};

use crate::harness::Bundle;
use crate::need;
use crate::support::Need;

/// A store with the busybox root of a bundle as its image.
struct Traced {
    bundle: Bundle,
}

impl Traced {
    fn new() -> Self {
        let bundle = Bundle::new();
        let script = "tar -C $B/rootfs -c . | $RRUN --root $B/store import - box";
        let mut command = Command::new("bash");
        command.args(["-c", script]).env("B", bundle.path("")).env("RRUN", RRUN);
        assert!(command.status().unwrap().success());
        Self { bundle }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(RRUN);
        command.arg("--root").arg(self.bundle.path("store")).args(["run", "--rm", "--trace"]);
        command.args(arguments).env("NO_COLOR", "1").output().unwrap()
    }
}

const RRUN: &str = env!("CARGO_BIN_EXE_rrun");

/// The lines of steps: mark or blank, number, actor.
fn steps(text: &str) -> Vec<(bool, usize, &str)> {
    let step = |line| -> Option<(bool, usize, &str)> {
        let line: &str = line;
        let words = line.trim_start_matches('!').trim_start();
        let (number, rest) = words.split_once(' ')?;
        let is_step = ["host ", "child "].iter().any(|actor| rest.trim_start().starts_with(actor));
        is_step.then_some(())?;
        Some((line.starts_with('!'), number.parse().ok()?, rest.trim_start()))
    };
    text.lines()
        .filter(|line| line.len() > 4 && !line.starts_with("     "))
        .filter_map(step)
        .collect()
}

/// Every step has an answer and a time, also the host's after the clone and the execution.
#[test]
fn a_whole_run() {
    need!(Need::Root, Need::Program("tar"));
    let output = Traced::new().run(&["-v", "data:/data:ro", "box", "expr", "40", "+", "2"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "42\n", "{text}");
    let steps = steps(&text);
    let numbers: Vec<usize> = steps.iter().map(|(_, number, _)| *number).collect();
    assert_eq!(numbers, (1..=steps.len()).collect::<Vec<_>>(), "{text}");
    assert!(steps.len() > 100, "{text}");
    for (marked, number, rest) in &steps {
        assert!(!marked && !rest.contains("not reached") && !rest.contains("no answer"), "{rest}");
        let has_time = ["µs", "ms", " s "].iter().any(|unit| rest.contains(unit));
        assert!(has_time, "{number}: {rest}");
    }
    let (_, _, last) = steps.last().unwrap();
    assert!(
        last.contains(" ok ") && last.contains("execve([\"expr\", \"40\", \"+\", \"2\"])"),
        "{last}"
    );
    assert!(text.contains("  -v data:/data:ro\n"), "{text}");
    let summary = format!("{0} of {0} steps answered", steps.len());
    assert!(text.contains(&summary) && !text.contains("failed"), "{text}");
}

/// The step that failed is marked, those after it were not reached, and the failure is told once.
#[test]
fn a_run_that_fails() {
    need!(Need::Root, Need::Program("tar"));
    let traced = Traced::new();
    let output = traced.run(&["--mount", "type=tmpfs,dst=/bin/sh/x", "box", "true"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(125), "{text}");
    let steps = steps(&text);
    let failed: Vec<_> = steps.iter().filter(|(marked, ..)| *marked).collect();
    assert_eq!(failed.len(), 1, "{text}");
    let (_, number, rest) = failed[0];
    assert!(rest.contains(" ENOTDIR ") && rest.contains("openat2"), "{rest}");
    let reached = |rest: &str| !rest.contains(" not reached ");
    assert!(steps.iter().all(|(_, n, rest)| reached(rest) == (n <= number)), "{text}");
    assert!(text.contains(&format!("step {number} of {}", steps.len())), "{text}");

    let output = traced.run(&["box", "nosuch"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(127), "{text}");
    let (marked, _, rest) = self::steps(&text).pop().unwrap();
    assert!(marked && rest.contains(" ENOENT ") && rest.contains("execve"), "{text}");
}
