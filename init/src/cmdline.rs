//! Words of the kernel command line (docs/spec/boot.md).
//!
//! The signed part of the line comes first; what a loader or a hypervisor appends comes after it. For every
//! `hearth.*` word the first one therefore counts, so that an appended word cannot replace a signed one.

use std::fs;
use std::io;

/// The kernel command line, split into words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    words: Vec<String>,
}

impl CommandLine {
    /// Splits a line as the kernel does: at white space, except between double quotes, which are dropped.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        let mut words = Vec::new();
        let mut word = String::new();
        let mut quoted = false;
        for character in line.chars() {
            match character {
                '"' => quoted = !quoted,
                c if c.is_ascii_whitespace() && !quoted => {
                    if !word.is_empty() {
                        words.push(std::mem::take(&mut word));
                    }
                }
                c => word.push(c),
            }
        }
        if !word.is_empty() {
            words.push(word);
        }
        Self { words }
    }

    /// Reads the running kernel's line; needs `/proc`.
    ///
    /// # Errors
    /// When `/proc/cmdline` cannot be read.
    pub fn load() -> io::Result<Self> {
        fs::read_to_string("/proc/cmdline").map(|line| Self::parse(&line))
    }

    /// Value of the first `<name>=<value>` word.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_and_quotes_dropped() {
        let line = CommandLine::parse("quiet  hearth.board=x86_64 a=\"b c\"\thearth.root=sha256:00\n");
        assert_eq!(line.value("hearth.board"), Some("x86_64"));
        assert_eq!(line.value("a"), Some("b c"));
        assert_eq!(line.value("hearth.root"), Some("sha256:00"));
        assert_eq!(line.value("quiet"), None);
        assert_eq!(line.value("hearth.slot"), None);
    }

    #[test]
    fn a_name_that_only_starts_alike_is_another_word() {
        assert_eq!(CommandLine::parse("hearth.rootfs=1").value("hearth.root"), None);
    }

    #[test]
    fn an_appended_word_does_not_replace_a_signed_one() {
        let line = CommandLine::parse("hearth.root=sha256:aa hearth.root=sha256:bb");
        assert_eq!(line.value("hearth.root"), Some("sha256:aa"));
    }
}
