//! The words that this program is started with.

use rustix::process::Signal;
use std::time::Duration;

/// What to run, and how to stop it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// The app's stop signal.
    pub(crate) stop: Signal,
    /// How long it may go on after that.
    pub(crate) grace: Duration,
    /// The app's program.
    pub(crate) program: String,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
}

/// The words are not those of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotOurs;

impl std::fmt::Display for NotOurs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("started without a signal, a time and a program")
    }
}

impl Words {
    /// From all words, the name of this program first.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, NotOurs> {
        let mut words = words.into_iter().skip(1);
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).ok_or(NotOurs);
        let (signal, grace) = (number()?, number()?);
        let stop = i32::try_from(signal).ok().and_then(Signal::from_named_raw).ok_or(NotOurs)?;
        let program = words.next().ok_or(NotOurs)?;
        Ok(Self { stop, grace: Duration::from_millis(grace), program, arguments: words.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Words, NotOurs> {
        Words::parse(words.split(' ').map(str::to_owned))
    }

    #[test]
    fn signal_time_and_program_come_first() {
        let words = parse("init 3 1500 nginx -g x").unwrap();
        assert_eq!((words.stop, words.grace), (Signal::QUIT, Duration::from_millis(1500)));
        assert_eq!((words.program.as_str(), words.arguments.len()), ("nginx", 2));
    }

    #[test]
    fn anything_else_is_refused() {
        for words in
            ["init", "init 15", "init 15 1", "init x 1 a", "init 0 1 a", "init 99 1 a", "init 15 -1 a"]
        {
            parse(words).unwrap_err();
        }
    }
}
