//! Who sits in front of it: what is printed and asked.

use rustix::termios::LocalModes;
use rustix::termios::OptionalActions;
use rustix::termios::Termios;
use rustix::termios::isatty;
use rustix::termios::tcgetattr;
use rustix::termios::tcsetattr;
use std::io::BufRead;
use std::io::Read;
use std::io::Write;
use std::io::stderr;
use std::io::stdin;
use std::io::stdout;
use zeroize::Zeroizing;

/// Longest input that is read, in bytes: the most the box takes.
const MAX_INPUT: u64 = 64 * 1024;

/// A person or a program.
pub trait Terminal {
    /// Shows the result.
    fn print(&mut self, text: &str) -> std::io::Result<()>;
    /// Says what is going on or wrong, apart from the result.
    fn complain(&mut self, text: &str);
    /// Says how far something is, in the place of what it said of that before; `is_last` when it goes no further.
    fn progress(&mut self, line: &str, is_last: bool) {
        if is_last {
            self.complain(line);
        }
    }
    /// Whether somebody can be asked.
    fn has_person(&self) -> bool;
    /// Asks for a line.
    fn ask(&mut self, question: &str) -> std::io::Result<String>;
    /// Asks for a line that is not shown.
    fn ask_secret(&mut self, question: &str) -> std::io::Result<Zeroizing<String>>;
    /// Reads the first line of standard input.
    fn read_line(&mut self) -> std::io::Result<Zeroizing<String>>;
    /// Reads standard input to its end.
    fn read_all(&mut self) -> std::io::Result<String>;
}

/// Standard input, output and error.
#[derive(Debug, Default)]
pub struct Keyboard(());

impl Terminal for Keyboard {
    fn print(&mut self, text: &str) -> std::io::Result<()> {
        let mut out = stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    fn complain(&mut self, text: &str) {
        // Where standard error is closed there is nobody to tell.
        drop(writeln!(stderr(), "{text}"));
    }

    fn progress(&mut self, line: &str, is_last: bool) {
        if isatty(stderr()) {
            // Back to the line's start, and nothing behind what is written (ECMA-48, 8.3.41).
            let end = if is_last { "\n" } else { "" };
            drop(write!(stderr(), "\r{line}\x1b[K{end}"));
        } else if is_last {
            self.complain(line);
        }
    }

    fn has_person(&self) -> bool {
        isatty(stdin())
    }

    fn ask(&mut self, question: &str) -> std::io::Result<String> {
        prompt(question)?;
        line().map(|line| line.to_string())
    }

    fn ask_secret(&mut self, question: &str) -> std::io::Result<Zeroizing<String>> {
        prompt(question)?;
        let _silence = Silence::begin()?;
        let secret = line();
        // The line break that was typed was not shown either.
        self.complain("");
        secret
    }

    fn read_line(&mut self) -> std::io::Result<Zeroizing<String>> {
        line()
    }

    fn read_all(&mut self) -> std::io::Result<String> {
        let mut text = String::new();
        stdin().lock().take(MAX_INPUT + 1).read_to_string(&mut text)?;
        Ok(text)
    }
}

/// On standard error, so that a redirected result stays clean.
fn prompt(question: &str) -> std::io::Result<()> {
    write!(stderr(), "{question} ")?;
    stderr().flush()
}

fn line() -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    stdin().lock().take(MAX_INPUT).read_line(&mut text)?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// While it lives, what is typed is not shown.
struct Silence(Termios);

impl Silence {
    fn begin() -> std::io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if tcsetattr(stdin(), OptionalActions::Now, &self.0).is_err() {
            drop(writeln!(stderr(), "hearthctl: what you type stays hidden; `stty echo` shows it again"));
        }
    }
}
