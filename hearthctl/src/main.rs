//! The owner's command line of a Hearth box.

use clap::Parser;
use hearthctl::cli::Cli;
use hearthctl::config::Store;
use hearthctl::terminal::Keyboard;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    hearthctl::run(&cli, &Store::of_user(), &mut Keyboard::default())
}
