//! How a long build tells its caller where it stands, without knowing about terminals.

use std::fmt;

/// Told what happens; the caller may draw bars.
pub trait Progress: fmt::Debug {
    /// A step begins, and with it the one before has ended.
    fn step(&self, what: &str);

    /// The current step has done this much of its work, in thousandths.
    fn permille(&self, done: u32);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _what: &str) {}

    fn permille(&self, _done: u32) {}
}
