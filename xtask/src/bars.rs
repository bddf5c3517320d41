//! Progress on the terminal: one bar for the step that runs, finished steps above it.

use image::progress::Progress;
use indicatif::ProgressBar;
use indicatif::ProgressStyle;
use std::sync::Mutex;
use std::time::Duration;

/// Draws the steps of a long work.
#[derive(Debug)]
pub(crate) struct Bars {
    current: Mutex<Option<ProgressBar>>,
}

impl Bars {
    /// Nothing drawn yet.
    pub(crate) fn new() -> Self {
        Self { current: Mutex::new(None) }
    }

    /// Ends the step that runs.
    pub(crate) fn finish(&self) {
        if let Ok(mut current) = self.current.lock() {
            end(current.take());
        }
    }

    /// Writes a line above the bar.
    pub(crate) fn line(&self, text: &str) {
        if let Ok(current) = self.current.lock() {
            match current.as_ref().filter(|bar| !bar.is_hidden()) {
                Some(bar) => bar.println(text),
                None => crate::host_packages::say(text),
            }
        }
    }
}

impl Progress for Bars {
    fn step(&self, what: &str) {
        let Ok(mut current) = self.current.lock() else { return };
        end(current.take());
        let bar = ProgressBar::new(1000).with_style(style()).with_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        if bar.is_hidden() {
            crate::host_packages::say(what);
        }
        *current = Some(bar);
    }

    fn permille(&self, done: u32) {
        if let Ok(current) = self.current.lock()
            && let Some(bar) = current.as_ref()
        {
            bar.set_position(u64::from(done));
        }
    }
}

fn end(bar: Option<ProgressBar>) {
    if let Some(bar) = bar {
        bar.set_position(1000);
        bar.finish();
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {bar:24} {elapsed:>5}  {msg}")
        .unwrap_or_else(|_unparsable| ProgressStyle::default_bar())
}
