//! What became of a plan: each step with the kernel's answer and its time.

use std::fmt::Write;

use rustix::io::Errno;

use super::paint::{Ink, Style, columns, wrapped};
use super::plain::visible;
use super::steps::{Placed, Steps, actor_word, placed};
use crate::apply::outcome::Taken;
use crate::apply::report::{Answer, Report};
use crate::plan::step::{Actor, Op, Plan};
use crate::sys::errno::words;

/// How a step ended, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The kernel has answered.
    Answered(Answer),
    /// It was begun, and whoever did it ended in the middle.
    NoAnswer,
    /// Something before it failed.
    NotReached,
}

impl End {
    fn of(report: &Report, index: usize) -> Self {
        match report.answer(index) {
            Some(answer) => End::Answered(answer),
            None if report.was_begun(index) => End::NoAnswer,
            None => End::NotReached,
        }
    }

    fn failed(self) -> bool {
        !matches!(self, End::Answered(Answer { result: Ok(_), .. }) | End::NotReached)
    }
}

/// The steps of `plan` with what `report` says of them, for a terminal.
pub fn text(plan: &Plan, report: &Report, style: Style) -> String {
    let steps = placed(plan, Steps::All);
    let mut text = String::new();
    let mut before = None;
    for step in &steps {
        text.push_str(&step.headings(before, style));
        line(&mut text, step, End::of(report, step.index), style);
        reason_of_failure(&mut text, step, report, style);
        before = Some(step);
    }
    summary(&mut text, plan, report);
    text
}

/// A mark, the number, the actor, the time, the answer, the call.
fn line(text: &mut String, step: &Placed<'_>, end: End, style: Style) {
    let mark = if end.failed() { "!" } else { " " };
    let time = match end {
        End::Answered(answer) => duration(answer.nanoseconds),
        End::NoAnswer | End::NotReached => String::new(),
    };
    let head =
        format!("{mark} {:>3}  {:<5}  {time:>8}  ", step.index + 1, actor_word(step.actor()));
    let answer = format!("{:<15}  ", answer_word(end));
    let indent = columns(&head) + columns(&answer);
    let mut lines = step.call_lines(style.width.saturating_sub(indent).max(12)).into_iter();
    let (head_ink, answer_ink) = match end {
        _ if end.failed() => (Ink::Bad, Ink::Bad),
        End::NotReached => (Ink::Quiet, Ink::Quiet),
        _ => (Ink::Quiet, Ink::Good),
    };
    let first = lines.next().unwrap_or_default();
    let _ =
        writeln!(text, "{}{}{first}", style.ink(head_ink, &head), style.ink(answer_ink, &answer));
    for line in lines {
        let _ = writeln!(text, "{:indent$}{line}", "");
    }
}

/// The words for how a step ended; none is longer than its column.
fn answer_word(end: End) -> String {
    let Answer { result, .. } = match end {
        End::Answered(answer) => answer,
        End::NoAnswer => return "no answer".into(),
        End::NotReached => return "not reached".into(),
    };
    match result {
        Ok(Taken::Done) => "ok".into(),
        Ok(Taken::SkippedAbsent) => "absent, skipped".into(),
        Ok(Taken::Made) => "ok, made".into(),
        Ok(Taken::HidFile) => "hid a file".into(),
        Ok(Taken::HidDirectory) => "hid a directory".into(),
        Ok(Taken::WasThere) => "was there".into(),
        Ok(Taken::NotPermitted) => "not permitted".into(),
        Err(errno) => errno_name(errno),
    }
}

/// The name that the kernel's headers have: `EINVAL`.
fn errno_name(errno: Errno) -> String {
    format!("{:?}", nix::errno::Errno::from_raw(errno.raw_os_error()))
}

/// Below a step that failed: what the errno means, what the kernel says, and why it was asked.
fn reason_of_failure(text: &mut String, step: &Placed<'_>, report: &Report, style: Style) {
    let end = End::of(report, step.index);
    let mut reasons = Vec::new();
    match end {
        End::Answered(Answer { result: Err(errno), .. }) => reasons.push(words(errno)),
        End::NoAnswer => reasons.push(match step.actor() {
            Actor::Child => "the process ended here without a word".into(),
            Actor::Host => "it was not waited for".into(),
        }),
        _ => return,
    }
    let failure = report.failure().filter(|failure| failure.step == step.index);
    let said = failure.map(|failure| failure.words).filter(|said| !said.is_empty());
    reasons.extend(said.map(|said| visible(&said)));
    reasons.push(format!("wanted because: {}", step.step.because));
    for reason in reasons {
        for line in wrapped(&reason, style.width - 7) {
            let _ = writeln!(text, "       {}", style.ink(Ink::Bad, &line));
        }
    }
}

/// A time in three digits, with its unit.
fn duration(nanoseconds: u64) -> String {
    // The parts are at most 999, and one digit after the point is cut, not rounded.
    let (whole, unit) = match nanoseconds {
        0..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    format!("{}.{} {unit}", nanoseconds / whole, nanoseconds % whole * 10 / whole)
}

fn summary(text: &mut String, plan: &Plan, report: &Report) {
    let mut spent = [0, 0];
    let (mut answered, mut first_failed) = (0, None);
    for (index, step) in plan.steps.iter().enumerate() {
        let end = End::of(report, index);
        if let End::Answered(answer) = end {
            answered += 1;
            // Waiting for the other side is in the other side's time already.
            if !matches!(step.op, Op::Sync { .. }) {
                spent[usize::from(step.actor == Actor::Child)] += answer.nanoseconds;
            }
        }
        if end.failed() && first_failed.is_none() {
            first_failed = Some(index + 1);
        }
    }
    let total = plan.steps.len();
    let (host, child) = (duration(spent[0]), duration(spent[1]));
    let _ = write!(text, "\n{answered} of {total} steps answered; host {host}, child {child}");
    let _ = match first_failed {
        Some(number) => writeln!(text, "; step {number} failed"),
        None => writeln!(text),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times keep their place in the column whatever their size.
    #[test]
    fn times_have_units() {
        let cases = [
            (0, "0.0 µs"),
            (950, "0.9 µs"),
            (12_345, "12.3 µs"),
            (999_999, "999.9 µs"),
            (1_000_000, "1.0 ms"),
            (61_040_000_000, "61.0 s"),
        ];
        for (nanoseconds, want) in cases {
            assert_eq!(duration(nanoseconds), want);
        }
    }

    /// The kernel's own names, not numbers.
    #[test]
    fn errors_have_names() {
        assert_eq!(errno_name(Errno::INVAL), "EINVAL");
        assert_eq!(errno_name(Errno::LOOP), "ELOOP");
    }
}
