//! The words of a trace, from reports that were written by hand.

use rrun::apply::Fault;
use rrun::apply::outcome::Taken;
use rrun::apply::report::{Report, Tracing};
use rrun::plan::step::{Op, Plan};
use rrun::say::paint::{Colour, Style, columns};
use rrun::say::trace;
use rustix::io::Errno;

use crate::plan_of::Case;

fn fault(errno: Errno, words: &str) -> Fault {
    Fault { errno, words: words.into() }
}

/// Writes the answers of the steps up to the one before `end`.
fn answered(report: &Report, end: usize) {
    for index in 0..end {
        let started = report.begin(index);
        report.end(index, started, &Ok(Taken::Done));
    }
}

fn position(plan: &Plan, wanted: impl Fn(&Op) -> bool) -> usize {
    plan.steps.iter().position(|step| wanted(&step.op)).unwrap()
}

/// The line of step `index`, without its time.
fn line(text: &str, index: usize) -> String {
    let number = format!("{}", index + 1);
    let is = |line: &&str| line.trim_start_matches('!').split_whitespace().next() == Some(&number);
    let line = text.lines().find(is).unwrap_or_else(|| panic!("no step {number} in\n{text}"));
    // A time is a number with a point and its unit after it.
    let mut words: Vec<&str> = line.split_whitespace().collect();
    if let Some(at) = words.iter().position(|word| ["µs", "ms", "s"].contains(word)) {
        words.drain(at - 1..=at);
    }
    words.join(" ")
}

/// Each alternative has its words; what was not reached says so.
#[test]
fn answers() {
    let plan = Case::runc().plan();
    let report = Report::new(plan.steps.len(), Tracing::On).unwrap();
    let taken = [
        (Taken::Done, "ok"),
        (Taken::SkippedAbsent, "absent, skipped"),
        (Taken::Made, "ok, made"),
        (Taken::HidFile, "hid a file"),
        (Taken::HidDirectory, "hid a directory"),
        (Taken::WasThere, "was there"),
        (Taken::NotPermitted, "not permitted"),
    ];
    for (index, (taken, _)) in taken.iter().enumerate() {
        let started = report.begin(index);
        report.end(index, started, &Ok(*taken));
    }
    let text = trace::text(&plan, &report, Style::plain(200));
    for (index, (_, words)) in taken.iter().enumerate() {
        let line = line(&text, index);
        assert!(line.contains(&format!(" {words} ")), "{words}: {line}");
        assert!(!line.starts_with('!'), "{line}");
    }
    assert!(line(&text, taken.len()).contains(" not reached "));
    assert!(text.contains(&format!("{} of {} steps answered", taken.len(), plan.steps.len())));
}

/// A failure is marked, with the errno's name, its meaning, the kernel's words and the reason.
#[test]
fn failures() {
    let plan = Case::runc().plan();
    let report = Report::new(plan.steps.len(), Tracing::On).unwrap();
    let failing = position(&plan, |op| matches!(op, Op::CreateFilesystem { .. }));
    answered(&report, failing);
    let started = report.begin(failing);
    let words = "tmpfs: Bad value for 'nr_inodes'";
    report.end(failing, started, &Err(fault(Errno::INVAL, words)));
    let text = trace::text(&plan, &report, Style::plain(120));
    let marked: Vec<&str> = text.lines().filter(|line| line.starts_with('!')).collect();
    assert_eq!(marked.len(), 1, "{text}");
    assert!(marked[0].contains(" EINVAL "), "{}", marked[0]);
    let (_, after) = text.split_once(marked[0]).unwrap();
    let told: Vec<&str> = after.lines().skip(1).take(3).map(str::trim).collect();
    let because = format!("wanted because: {}", plan.steps[failing].because);
    assert_eq!(told, ["Invalid argument", words, &because]);
    assert!(line(&text, failing + 1).contains("not reached"));
    assert!(text.ends_with(&format!("; step {} failed\n", failing + 1)), "{text}");
}

/// A child that dies in a step leaves it without an answer, which is a failure, too.
#[test]
fn a_death_without_a_word() {
    let plan = Case::runc().plan();
    let report = Report::new(plan.steps.len(), Tracing::On).unwrap();
    answered(&report, 20);
    report.begin(20);
    let text = trace::text(&plan, &report, Style::plain(120));
    assert!(line(&text, 20).starts_with("! 21 child no answer"), "{}", line(&text, 20));
    assert!(text.contains("the process ended here without a word"));
    assert!(text.ends_with("; step 21 failed\n"));
}

/// The host's steps beside the child are told as well, and the execution by who saw it.
#[test]
fn both_sides() {
    let hook = serde_json::json!([{"path": "/hooks/x"}]);
    let plan = Case::runc().with("/hooks/createRuntime", hook).plan();
    let report = Report::new(plan.steps.len(), Tracing::On).unwrap();
    let hook = position(&plan, |op| matches!(op, Op::RunHook(_)));
    let exec = position(&plan, |op| matches!(op, Op::Exec(_)));
    for index in 0..exec {
        if index == hook {
            let started = report.begin_beside(index);
            report.end_beside(index, started, &Err(fault(Errno::ACCESS, "")));
        } else {
            let started = report.begin(index);
            report.end(index, started, &Ok(Taken::Done));
        }
    }
    report.begin(exec);
    report.end_for_child(exec, &Ok(Taken::Done));
    let text = trace::text(&plan, &report, Style::plain(120));
    assert!(line(&text, hook).starts_with(&format!("! {} host EACCES execve", hook + 1)));
    assert!(line(&text, exec).starts_with(&format!("{} child ok execve", exec + 1)));
    assert!(!text.contains("not reached"));
}

/// No line is wider than the terminal but for words that cannot be broken, and colour adds
/// nothing to what is said.
#[test]
fn width_and_colour() {
    let plan = Case::runc().plan();
    let report = Report::new(plan.steps.len(), Tracing::On).unwrap();
    answered(&report, 30);
    for width in [60, 80, 120] {
        let plain = trace::text(&plan, &report, Style::plain(width));
        for line in plain.lines().filter(|line| columns(line) > width) {
            let widest = line.split_whitespace().map(columns).max().unwrap();
            // What stands before the call takes 41 columns, and `#12 = ` stays with it.
            assert!(41 + 6 + widest > width, "{width}: {line}");
        }
        let ansi = trace::text(&plan, &report, Style { colour: Colour::Ansi, width });
        assert_ne!(ansi, plain);
        let mut bare = String::new();
        for (n, part) in ansi.split('\x1b').enumerate() {
            bare += if n == 0 { part } else { part.split_once('m').unwrap().1 };
        }
        assert_eq!(bare, plain);
    }
}
