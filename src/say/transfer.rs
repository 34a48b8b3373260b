//! Layers on their way from or to a registry: bars on a terminal, lines everywhere else.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Output;
use crate::image::Digest;
use crate::image::registry::Event;

/// Where it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// On standard output: it is what the command is for.
    Output,
    /// On standard error: the command is for something else.
    Aside,
    /// Nowhere.
    Nowhere,
}

/// Tells of layers, from any thread.
pub struct Transfer {
    place: Where,
    bars: Option<MultiProgress>,
    layers: Mutex<HashMap<Digest, ProgressBar>>,
}

const IDLE: &str = "{prefix}: {msg}";
const MOVING: &str = "{prefix}: {msg} [{wide_bar}] {bytes}/{total_bytes}";

impl Transfer {
    /// Tells of layers at `place`.
    pub fn new(place: Where) -> Self {
        let target = match place {
            Where::Output if io::stdout().is_terminal() => Some(ProgressDrawTarget::stdout()),
            Where::Aside if io::stderr().is_terminal() => Some(ProgressDrawTarget::stderr()),
            _ => None,
        };
        let bars = target.map(MultiProgress::with_draw_target);
        Self { place, bars, layers: Mutex::default() }
    }

    /// Tells one line. Bars that are still there are not drawn over any more.
    pub fn line(&self, text: impl Display) -> io::Result<()> {
        if let Some(bars) = &self.bars {
            return bars.suspend(|| self.plain_line(text));
        }
        self.plain_line(text)
    }

    fn plain_line(&self, text: impl Display) -> io::Result<()> {
        match self.place {
            Where::Output => Output.line(text),
            Where::Aside => {
                Output.aside(&format!("{text}\n"));
                Ok(())
            }
            Where::Nowhere => Ok(()),
        }
    }

    /// Tells what happened to a layer.
    pub fn event(&self, layer: &Digest, event: Event) {
        match &self.bars {
            Some(bars) => self.draw(bars, layer, event),
            None => {
                for words in lines(event) {
                    // A reader who is gone does not stop the transfer.
                    let _ = self.line(format_args!("{}: {words}", layer.short()));
                }
            }
        }
    }

    /// A layer that is done leaves its bar for a line that stays.
    fn draw(&self, bars: &MultiProgress, layer: &Digest, event: Event) {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        if is_last(event) {
            if let Some(bar) = layers.remove(layer) {
                bar.finish_and_clear();
                bars.remove(&bar);
            }
            let _ = self.line(format_args!("{}: {}", layer.short(), words(event)));
            return;
        }
        let bar = layers.entry(layer.clone()).or_insert_with(|| {
            let bar = ProgressBar::hidden();
            style(&bar, IDLE);
            bar.set_prefix(layer.short().to_owned());
            bar.set_message(words(event));
            bars.add(bar)
        });
        match event {
            Event::Moved { at, of } => {
                if bar.length() != Some(of) {
                    bar.set_length(of);
                    bar.set_message(MOVING_WORD);
                    style(bar, MOVING);
                }
                bar.set_position(at);
            }
            event => {
                style(bar, IDLE);
                bar.set_message(words(event));
                bar.set_length(0);
                bar.tick();
            }
        }
    }
}

/// What is left of a transfer that failed is not left on the screen.
impl Drop for Transfer {
    fn drop(&mut self) {
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
    }
}

const MOVING_WORD: &str = "Transferring";

fn style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
}

fn is_last(event: Event) -> bool {
    matches!(event, Event::AlreadyExists | Event::PullComplete | Event::Pushed | Event::Known)
}

/// Docker's words.
fn words(event: Event) -> String {
    match event {
        Event::Pulling => "Pulling fs layer".into(),
        Event::Waiting => "Waiting".into(),
        Event::AlreadyExists => "Already exists".into(),
        Event::Moved { at, of } => format!("{at}/{of}"),
        Event::Retrying { seconds: 1 } => "Retrying in 1 second".into(),
        Event::Retrying { seconds } => format!("Retrying in {seconds} seconds"),
        Event::Downloaded => "Download complete".into(),
        Event::Extracting => "Extracting".into(),
        Event::PullComplete => "Pull complete".into(),
        Event::Preparing => "Preparing".into(),
        Event::Pushed => "Pushed".into(),
        Event::Known => "Layer already exists".into(),
    }
}

/// What is worth a line where nothing can be drawn over.
fn lines(event: Event) -> Vec<String> {
    match event {
        Event::Moved { .. } | Event::Extracting => Vec::new(),
        Event::Downloaded => vec!["Verifying Checksum".into(), words(event)],
        event => vec![words(event)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a pull, as Docker has them, and no line a block of bytes.
    #[test]
    fn plain_lines() {
        let events = [
            (Event::Pulling, vec!["Pulling fs layer"]),
            (Event::Moved { at: 1, of: 2 }, vec![]),
            (Event::Retrying { seconds: 2 }, vec!["Retrying in 2 seconds"]),
            (Event::Downloaded, vec!["Verifying Checksum", "Download complete"]),
            (Event::Extracting, vec![]),
            (Event::PullComplete, vec!["Pull complete"]),
        ];
        for (event, wanted) in events {
            assert_eq!(lines(event), wanted);
        }
    }
}
