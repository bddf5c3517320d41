//! Updates of the box's system.

use clap::Subcommand;
use std::path::PathBuf;

/// What can be done with updates of the box's system.
#[derive(Debug, Subcommand)]
pub enum SystemUpdate {
    /// What runs, what there is, and when it comes
    Status,
    /// Look for an update now
    Check,
    /// Fetch an update and write it beside the running system
    #[command(after_help = "Examples:
  hearthctl update apply                     the newest one that is offered
  hearthctl update apply --now               and restart into it
  hearthctl update apply hearth.bundle       from a file: the box needs no internet for it
  hearthctl update apply --stick             from the USB stick that is plugged into the box

The running system stays as it is until the box restarts, and comes back by itself if the new one is not healthy.")]
    Apply {
        /// Restart as soon as it is written; else in the window, or by hearthctl update restart
        #[arg(long)]
        now: bool,
        /// This version instead of the newest
        #[arg(long, value_name = "VERSION", conflicts_with = "file")]
        to: Option<String>,
        /// An update file instead of the repository
        file: Option<PathBuf>,
        /// The update file at the top of the USB stick that is plugged into the box, instead of the repository
        #[arg(long, conflicts_with_all = ["file", "to"])]
        stick: bool,
        /// Do not wait for its end
        #[arg(long)]
        no_wait: bool,
    },
    /// Restart into the update that is ready
    Restart,
    /// What became of updates, and which check failed
    History {
        /// The last log lines of the system that failed, by its number in the list
        #[arg(long, value_name = "NUMBER")]
        log: Option<u32>,
    },
    /// Whether updates come by themselves, when the box may restart, and from where they come
    #[command(subcommand)]
    Settings(SystemUpdateSettings),
}

/// Settings of updates.
#[derive(Debug, Subcommand)]
pub enum SystemUpdateSettings {
    /// Print the settings, as JSON
    Get,
    /// Change the settings
    Set {
        /// The whole settings as JSON; - for standard input
        file: PathBuf,
    },
}
