//! The report: one page that both sides share, so that the parent knows what became of the child.
//!
//! The pipe between them only wakes: its end alone proves nothing, for a child that is killed in
//! set-up closes it too. What counts is the step that stands here.

use std::sync::atomic::AtomicU64;

use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::outcome::{Fault, Outcome, Taken};
use crate::sys::page::SharedPage;

const ALL: [Taken; 7] = [
    Taken::Done,
    Taken::SkippedAbsent,
    Taken::Made,
    Taken::HidFile,
    Taken::HidDirectory,
    Taken::WasThere,
    Taken::NotPermitted,
];

const STEP: usize = 0;
const ERRNO: usize = 1;
const WORDS_LENGTH: usize = 2;
const CHILD_PID: usize = 3;
const WORDS: usize = 4;
const WORDS_BYTES: usize = 240;
const TRACE: usize = WORDS + WORDS_BYTES / 8;
/// Three words of its own for each step of a trace, so that two sides never write to the same one.
const TRACE_WORDS: usize = 3;
const STARTED: usize = 0;
const TOOK: usize = 1;
const CODE: usize = 2;

/// Are times and answers of every step kept?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracing {
    /// Only progress and failure.
    Off,
    /// Every step.
    On,
}

/// What a step answered, for a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// How long it took.
    pub nanoseconds: u64,
    /// What came of it.
    pub result: Result<Taken, Errno>,
}

/// What the child tells the parent: which step, which errno, and the kernel's words.
///
/// Everything else (path, origin, reason) is in the plan, which the parent has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFailure {
    /// The step, from 0.
    pub step: usize,
    /// The kernel's answer.
    pub errno: Errno,
    /// The kernel's words, or ours where we refused.
    pub words: String,
}

fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// The shared page.
#[derive(Debug)]
pub struct Report {
    page: SharedPage,
    tracing: Tracing,
}

impl Report {
    /// A report for a plan of `steps` steps.
    pub fn new(steps: usize, tracing: Tracing) -> Result<Self, Errno> {
        let trace = if tracing == Tracing::On { steps * TRACE_WORDS } else { 0 };
        Ok(Self { page: SharedPage::new(TRACE + trace)?, tracing })
    }

    fn trace(&self, index: usize, word: usize) -> usize {
        TRACE + TRACE_WORDS * index + word
    }

    /// Step `index` begins; the time is asked for only if there is a trace.
    pub fn begin(&self, index: usize) -> u64 {
        self.reach(index);
        self.begin_beside(index)
    }

    /// Step `index` is where the child is now; whoever waits in it answers for it.
    pub fn reach(&self, index: usize) {
        self.page.set(STEP, index as u64 + 1);
    }

    /// Step `index` begins on the host after the clone. Which step is the current one stays the
    /// child's to say: if it ends without a word, that is all there is to go by.
    pub fn begin_beside(&self, index: usize) -> u64 {
        if self.tracing == Tracing::Off {
            return 0;
        }
        let now = now();
        self.page.set(self.trace(index, STARTED), now);
        now
    }

    /// Step `index` is over.
    pub fn end(&self, index: usize, started: u64, outcome: &Outcome) {
        if let Err(fault) = outcome {
            self.fail(fault);
        }
        self.end_beside(index, started, outcome);
    }

    /// Step `index` is over on the host after the clone; its failure is the host's to return.
    pub fn end_beside(&self, index: usize, started: u64, outcome: &Outcome) {
        if self.tracing == Tracing::Off {
            return;
        }
        let code = match outcome {
            Ok(taken) => *taken as u64,
            Err(fault) => 1 << 32 | u64::from(fault.errno.raw_os_error().unsigned_abs()),
        };
        // Time first: the answer says that both are there.
        self.page.set(self.trace(index, TOOK), now().saturating_sub(started));
        self.page.set(self.trace(index, CODE), code + 1);
    }

    /// The host has seen how step `index`, the execution, ended: the child can tell of it only
    /// until its program is there.
    pub fn end_for_child(&self, index: usize, outcome: &Outcome) {
        if self.tracing == Tracing::On {
            self.end_beside(index, self.page.get(self.trace(index, STARTED)), outcome);
        }
    }

    /// Writes the failure of the current step down.
    pub fn fail(&self, fault: &Fault) {
        let bytes = fault.words.as_bytes();
        let length = bytes.len().min(WORDS_BYTES);
        for (index, chunk) in bytes[..length].chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.page.set(WORDS + index, u64::from_le_bytes(word));
        }
        self.page.set(WORDS_LENGTH, length as u64);
        self.page.set(ERRNO, u64::from(fault.errno.raw_os_error().unsigned_abs()));
    }

    /// Where the clone writes the child's process id, before the child runs.
    pub fn child_pid_word(&self) -> &AtomicU64 {
        self.page.word(CHILD_PID)
    }

    /// The child's process id, as the host numbers it; 0 before the clone.
    pub fn child_pid(&self) -> i32 {
        i32::try_from(self.page.get(CHILD_PID)).unwrap_or(0)
    }

    /// The step that was begun last.
    pub fn current_step(&self) -> Option<usize> {
        usize::try_from(self.page.get(STEP)).ok()?.checked_sub(1)
    }

    /// The failure, if there was one.
    pub fn failure(&self) -> Option<StepFailure> {
        let errno = i32::try_from(self.page.get(ERRNO)).ok().filter(|&e| e != 0)?;
        let length = usize::try_from(self.page.get(WORDS_LENGTH)).ok()?.min(WORDS_BYTES);
        let bytes: Vec<u8> = (0..length.div_ceil(8))
            .flat_map(|index| self.page.get(WORDS + index).to_le_bytes())
            .take(length)
            .collect();
        Some(StepFailure {
            step: self.current_step()?,
            errno: Errno::from_raw_os_error(errno),
            words: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    /// What step `index` answered, if it was reached and a trace was asked for.
    pub fn answer(&self, index: usize) -> Option<Answer> {
        if self.tracing == Tracing::Off {
            return None;
        }
        let code = self.page.get(self.trace(index, CODE)).checked_sub(1)?;
        let low = i32::try_from(code & u64::from(u32::MAX)).ok()?;
        let result = match code >> 32 {
            0 => Ok(*ALL.get(usize::try_from(low).ok()?)?),
            _ => Err(Errno::from_raw_os_error(low)),
        };
        Some(Answer { nanoseconds: self.page.get(self.trace(index, TOOK)), result })
    }

    /// Was step `index` begun, as far as a trace tells?
    pub fn was_begun(&self, index: usize) -> bool {
        self.tracing == Tracing::On && self.page.get(self.trace(index, STARTED)) != 0
    }

    /// Was a trace asked for?
    pub fn is_traced(&self) -> bool {
        self.tracing == Tracing::On
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one side writes the other reads: step, errno, words cut at 240 bytes.
    #[test]
    fn failure_is_read_back() -> Result<(), Errno> {
        let report = Report::new(3, Tracing::On)?;
        assert_eq!(report.failure(), None);
        let words = "tmpfs: Unknown parameter 'sise'";
        let started = report.begin(2);
        let outcome = Err(Fault { errno: Errno::INVAL, words: words.repeat(20) });
        report.end(2, started, &outcome);
        let failure = report.failure();
        let failure = failure.as_ref();
        assert_eq!(failure.map(|f| (f.step, f.errno)), Some((2, Errno::INVAL)));
        assert_eq!(failure.map(|f| f.words.len()), Some(240));
        assert!(failure.is_some_and(|f| f.words.starts_with(words)));
        assert_eq!(report.answer(2).map(|a| a.result), Some(Err(Errno::INVAL)));
        assert_eq!(report.answer(1), None);
        Ok(())
    }

    /// What the host does beside the child has an answer, and leaves where the child is alone.
    #[test]
    fn the_host_writes_beside_the_child() -> Result<(), Errno> {
        let report = Report::new(4, Tracing::On)?;
        report.begin(0);
        let started = report.begin_beside(2);
        assert!(report.was_begun(2) && !report.was_begun(3));
        report.end_beside(2, started, &Err(Errno::PERM.into()));
        assert_eq!(report.answer(2).map(|a| a.result), Some(Err(Errno::PERM)));
        report.reach(1);
        assert_eq!((report.current_step(), report.failure()), (Some(1), None));
        assert!(!report.was_begun(1));
        Ok(())
    }

    /// Without a trace there are no words for steps, and none is written or read.
    #[test]
    fn no_trace_no_answers() -> Result<(), Errno> {
        let report = Report::new(4, Tracing::Off)?;
        let started = report.begin(3);
        report.end(3, started, &Ok(Taken::Made));
        report.end_for_child(3, &Ok(Taken::Done));
        assert_eq!((report.answer(3), report.was_begun(3)), (None, false));
        assert_eq!(report.current_step(), Some(3));
        Ok(())
    }
}
