//! Somebody at a terminal, with a script of what they type.

use clap::Parser;
use hearthctl::cli::Cli;
use hearthctl::config::Store;
use hearthctl::terminal::Terminal;
use std::collections::VecDeque;
use std::io::Error;
use std::io::ErrorKind;
use std::process::ExitCode;
use tempfile::TempDir;
use zeroize::Zeroizing;

/// A person with a home folder.
pub(crate) struct Person {
    pub(crate) store: Store,
    pub(crate) folder: TempDir,
}

/// What came of one call.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitCode,
    pub(crate) printed: String,
    pub(crate) complained: String,
}

#[derive(Debug, Default)]
struct Script {
    answers: VecDeque<String>,
    input: Option<String>,
    printed: String,
    complained: String,
}

impl Person {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Store::at(folder.path()), folder }
    }

    /// Calls hearthctl and types these lines when asked.
    pub(crate) fn types<'a>(&self, arguments: impl IntoIterator<Item = &'a str>, lines: &[&str]) -> Outcome {
        let answers = lines.iter().map(|&line| line.to_owned()).collect();
        self.call(arguments, Script { answers, ..Script::default() })
    }

    /// Calls hearthctl with this as standard input, and nobody there.
    pub(crate) fn pipes<'a>(&self, arguments: impl IntoIterator<Item = &'a str>, input: &str) -> Outcome {
        self.call(arguments, Script { input: Some(input.to_owned()), ..Script::default() })
    }

    /// Calls hearthctl.
    pub(crate) fn runs(&self, line: &str) -> Outcome {
        self.pipes(line.split(' '), "")
    }

    fn call<'a>(&self, arguments: impl IntoIterator<Item = &'a str>, mut script: Script) -> Outcome {
        let cli = Cli::try_parse_from(["hearthctl"].into_iter().chain(arguments)).unwrap();
        let status = hearthctl::run(&cli, &self.store, &mut script);
        assert!(script.answers.is_empty(), "was not asked for {:?}", script.answers);
        Outcome { status, printed: script.printed, complained: script.complained }
    }
}

impl Outcome {
    /// What was printed, when all went well.
    pub(crate) fn well(self) -> String {
        assert_eq!(self.status, ExitCode::SUCCESS, "{self:?}");
        self.printed
    }

    /// What was said of the failure.
    pub(crate) fn failure(self) -> String {
        assert_eq!(self.status, ExitCode::from(2), "{self:?}");
        assert_eq!(self.printed, "");
        self.complained
    }
}

impl Terminal for Script {
    fn print(&mut self, text: &str) -> std::io::Result<()> {
        self.printed.push_str(text);
        Ok(())
    }

    fn complain(&mut self, text: &str) {
        self.complained.push_str(text);
        self.complained.push('\n');
    }

    fn has_person(&self) -> bool {
        self.input.is_none()
    }

    fn ask(&mut self, _question: &str) -> std::io::Result<String> {
        self.answers.pop_front().ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))
    }

    fn ask_secret(&mut self, question: &str) -> std::io::Result<Zeroizing<String>> {
        self.ask(question).map(Zeroizing::new)
    }

    fn read_line(&mut self) -> std::io::Result<Zeroizing<String>> {
        let input = self.input.take().unwrap_or_default();
        let (line, rest) = input.split_once('\n').unwrap_or((&input, ""));
        let (line, rest) = (line.to_owned(), rest.to_owned());
        self.input = Some(rest);
        Ok(Zeroizing::new(line))
    }

    fn read_all(&mut self) -> std::io::Result<String> {
        Ok(self.input.take().unwrap_or_default())
    }
}
