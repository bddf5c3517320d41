//! hearthctl: the owner's command line of a Hearth box.
//!
//! It runs on the owner's computer, speaks the HTTP API only and has no powers of its own; only `flash` does without a box: it writes
//! disks, with the powers of whoever runs it. The box is known by its household's
//! certificate, which is trusted once, at `login`, by its fingerprint; nothing else vouches for it afterwards, neither the
//! certificates that the computer trusts nor a proxy.
//!
//! ```text
//! cli ── commands ─┬─ login ── trust (fingerprint) ── config (who, token; mode 0600)
//!                  └─ others ── client (TLS, pinned) ── show (pure: answer → text)
//! ```
//!
//! Exit status: 0, done; 1, `network policy --explain` says no; 2, it did not work.

pub mod answers;
pub mod cli;
pub mod client;
mod commands;
pub mod config;
pub mod show;
pub mod terminal;
pub mod trust;

use crate::cli::Cli;
use crate::commands::Answered;
use crate::config::Store;
use crate::terminal::Terminal;
use std::error::Error;
use std::process::ExitCode;

/// Carries out one command line.
pub fn run(cli: &Cli, store: &Store, terminal: &mut dyn Terminal) -> ExitCode {
    match commands::carry_out(cli, store, terminal) {
        Ok(Answered::Yes) => ExitCode::SUCCESS,
        Ok(Answered::No) => ExitCode::from(1),
        Err(failure) => {
            let mut text = format!("hearthctl: {failure}");
            let mut cause = failure.source();
            while let Some(error) = cause {
                text.push_str(": ");
                text.push_str(&error.to_string());
                cause = error.source();
            }
            terminal.complain(&text);
            if let Some(advice) = failure.advice() {
                terminal.complain(&advice);
            }
            ExitCode::from(2)
        }
    }
}
