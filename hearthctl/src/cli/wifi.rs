//! Wi-Fi of the box.

use clap::Subcommand;
use model::preset::Country;
use model::preset::Ssid;

/// What can be done with the box's Wi-Fi.
#[derive(Debug, Subcommand)]
pub enum Wifi {
    /// Join a network, and wait for what comes of it
    ///
    /// The password is asked for, unless the box knows it already or the network is open. A password that the network does not accept
    /// is kept nowhere. When the box is reached by Wi-Fi, it may not answer for a moment.
    #[command(after_help = "Examples:
  hearthctl wifi join \"Our home\"
  hearthctl wifi join \"Our home\" --passphrase-stdin < password.txt
  hearthctl wifi join Library --open

Exit status: 0 when the box is in the network, 2 when it is not; then it says why.")]
    Join {
        /// Its name, exactly as it is written
        name: Ssid,
        /// It has no password
        #[arg(long)]
        open: bool,
        /// Read the password from the first line of standard input
        #[arg(long, conflicts_with = "open")]
        passphrase_stdin: bool,
    },
    /// Forget a network and its password
    Forget {
        /// Its name
        name: Ssid,
    },
    /// Say where the box stands, for the rules of radio
    Country {
        /// Two capital letters, such as DE
        country: Country,
    },
    /// Look around, and show the networks in reach
    Look,
}
