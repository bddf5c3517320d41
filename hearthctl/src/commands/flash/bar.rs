//! How far it is, on one line.

use crate::show;
use crate::terminal::Terminal;
use flash::write::Progress;
use flash::write::Step;
use std::time::Duration;
use std::time::Instant;

/// Between two changes of the line: what is faster cannot be read.
const REDRAW_EVERY: Duration = Duration::from_millis(100);

/// A line that changes.
pub(super) struct Bar<'a> {
    terminal: &'a mut dyn Terminal,
    what: &'static str,
    begun: Instant,
    drawn: Option<Instant>,
}

impl<'a> Bar<'a> {
    pub(super) fn new(terminal: &'a mut dyn Terminal) -> Self {
        Self { terminal, what: "", begun: Instant::now(), drawn: None }
    }

    /// The image file is being read.
    pub(super) fn checking(&mut self, done: u64, total: u64) {
        self.draw("Checking the image", done, total);
    }

    fn draw(&mut self, what: &'static str, done: u64, total: u64) {
        if self.what != what {
            (self.what, self.begun, self.drawn) = (what, Instant::now(), None);
        }
        let is_last = done >= total;
        if !is_last && self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW_EVERY) {
            return;
        }
        self.drawn = Some(Instant::now());
        self.terminal.progress(&show::bar(what, done, total, self.begun.elapsed()), is_last);
    }
}

impl Progress for Bar<'_> {
    fn at(&mut self, step: Step, done: u64, total: u64) {
        match step {
            Step::Writing => self.draw("Writing", done, total),
            Step::Verifying => self.draw("Reading back", done, total),
            // A moment; its end is the result.
            Step::Finishing => {}
        }
    }
}
