//! The command line.

mod apps;
mod flash;
mod updates;
mod wifi;

pub use apps::*;
pub use flash::*;
pub use updates::*;
pub use wifi::*;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use model::network::endpoint::Endpoint;
use std::net::IpAddr;
use std::path::PathBuf;

/// The command line of your Hearth box.
///
/// It speaks to the box as its web page does, and can do nothing that you could not do there.
#[derive(Debug, Parser)]
#[command(
    name = "hearthctl",
    version,
    after_help = "Examples:
  hearthctl login https://hearth.local     trust your box and log in, once
  hearthctl status                         is all well?
  hearthctl app install nginx:1.29         an app, once you agreed to what it asks for
  hearthctl network rules --counters       what the firewall lets through and stops
  hearthctl network policy --explain app:notes lan
  hearthctl storage recovery-key           a key on paper, for when the box breaks
  hearthctl flash                          the disks that an image can be put on

Exit status: 0 when it worked, 1 when --explain says no, 2 when it did not work."
)]
pub struct Cli {
    /// Print the box's answer as JSON, for programs.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trust a box and log in to it
    ///
    /// The first time, the box's household certificate is fetched over plain HTTP and its fingerprint shown: compare it with the
    /// one on the box's own screen, or on the page Network of a browser that already trusts the box. The welcome page proves
    /// nothing: it comes over plain HTTP too. From then on nobody else can pose as the box.
    Login(Login),
    /// Log out, here and at the box
    Logout {
        /// Forget the box altogether, also its certificate
        #[arg(long)]
        forget: bool,
    },
    /// How the box is
    Status,
    /// The home network: links, names, time, firewall
    #[command(args_conflicts_with_subcommands = true)]
    Network {
        /// More of it; without, all of it at a glance.
        #[command(subcommand)]
        part: Option<Network>,
    },
    /// Wi-Fi of the box: which network it is in, which there are, joining one
    #[command(args_conflicts_with_subcommands = true)]
    Wifi {
        /// What to do; without, how it is.
        #[command(subcommand)]
        part: Option<Wifi>,
    },
    /// The encrypted data: how it was opened, and what opens it
    #[command(args_conflicts_with_subcommands = true)]
    Storage {
        /// What to do with it; without, how it is.
        #[command(subcommand)]
        part: Option<Storage>,
    },
    /// Apps: what there is, installing, updating and removing them
    #[command(args_conflicts_with_subcommands = true)]
    App {
        /// What to do; without, which there are.
        #[command(subcommand)]
        part: Option<App>,
    },
    /// Registries that images of apps come from: plain HTTP, logins, mirrors
    ///
    /// Of a registry that nothing is said about: HTTPS, public certificates, no login.
    #[command(args_conflicts_with_subcommands = true)]
    Registry {
        /// What to say; without, what was said.
        #[command(subcommand)]
        part: Option<Registry>,
    },
    /// Your vault: private files that only you can open
    #[command(args_conflicts_with_subcommands = true)]
    Vault {
        /// What to do with it; without, whether it is open.
        #[command(subcommand)]
        part: Option<Vault>,
    },
    /// The people who may log in to the box
    #[command(args_conflicts_with_subcommands = true)]
    Users {
        /// What to do; without, who they are.
        #[command(subcommand)]
        part: Option<Users>,
    },
    /// Backups: how they went, making one, proving one, the recovery kit
    #[command(args_conflicts_with_subcommands = true)]
    Backup {
        /// What to do; without, how they are.
        #[command(subcommand)]
        part: Option<Backup>,
    },
    /// Updates of the box's system: what there is, fetching one, restarting into it, what became of them
    #[command(args_conflicts_with_subcommands = true)]
    Update {
        /// What to do; without, how they are.
        #[command(subcommand)]
        part: Option<SystemUpdate>,
    },
    /// Put an image on a disk for a new box, and list the disks
    ///
    /// Needs no box. Everything that was on the disk is lost.
    Flash(Box<Flash>),
    /// Erase everything on the box and begin anew
    ///
    /// Everything that anybody keeps on the box is made unreadable for good, with whatever key. The box restarts for it and then waits to
    /// be set up, with another household certificate. For a box that nobody can log in to, put an empty file named factory-reset on
    /// its boot partition.
    FactoryReset(FactoryReset),
}

/// Erases everything.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  hearthctl factory-reset
  hearthctl factory-reset --box-name hearth --password-stdin < password.txt")]
pub struct FactoryReset {
    /// The name of the box, such as hearth; asked for when absent
    #[arg(long, value_name = "NAME")]
    pub box_name: Option<String>,
    /// Read your password from the first line of standard input
    #[arg(long, requires = "box_name")]
    pub password_stdin: bool,
}

/// How a box is reached whose certificate is not known yet.
#[derive(Args, Debug)]
pub struct Reach {
    /// SHA-256 fingerprint of the household certificate to trust, instead of being asked
    #[arg(long, value_name = "FINGERPRINT")]
    pub fingerprint: Option<String>,
    /// Where to fetch the household certificate: a file, or an address other than http://<host>/ca.crt
    #[arg(long, value_name = "FILE|URL")]
    pub certificate: Option<String>,
    /// Connect to this address instead of looking the name up
    #[arg(long, value_name = "IP")]
    pub address: Option<IpAddr>,
}

/// Logs in.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  hearthctl login https://hearth.local
  hearthctl login https://hearth.local --fingerprint 8F:1C:…:07 --name anna --password-stdin < password.txt
  hearthctl login                          again, to the same box")]
pub struct Login {
    /// Address of the box, such as https://hearth.local; may be left out for the box of last time
    pub url: Option<String>,
    /// Your name on the box; asked for when absent
    #[arg(long)]
    pub name: Option<String>,
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub password_stdin: bool,
    /// How to reach it.
    #[command(flatten)]
    pub reach: Reach,
}

/// What can be done with the encrypted data.
#[derive(Debug, Subcommand)]
pub enum Storage {
    /// Open the locked data with the recovery key or the passphrase
    ///
    /// Needs no login: who may log in is in the data. For the same reason the box has neither its own certificate nor its
    /// chosen name while it is locked. It is called hearth.local then, and shows the fingerprint of its certificate of the moment
    /// on its own screen.
    Unlock(Unlock),
    /// Make a recovery key, shown once, and confirm it
    ///
    /// The keys before stay until you have shown that you have the new one on paper, by typing its last two groups.
    RecoveryKey {
        /// Read your password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
        /// Only confirm the key that was made last, by its last two groups
        #[arg(long, value_name = "END", conflicts_with = "password_stdin")]
        confirm: Option<String>,
    },
    /// How the disk is and how much room is left
    Health,
    /// Seal the data to the box as it is now, so that it opens by itself at the next start
    Seal {
        /// Read your password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Have the box ask for a passphrase at each start
    ///
    /// For a box without a security chip: until then its key lies on the same disk as the data, and whoever takes the disk reads
    /// everything. Afterwards the box is locked at each start until somebody types the passphrase or the recovery key
    /// (hearthctl storage unlock). Make a recovery key first.
    Passphrase {
        /// Read your password and the passphrase from a line each of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Put a new key in the place of one that the box keeps for itself
    ///
    /// The key of the data takes as long as writing the whole disk. The box is in use meanwhile, and goes on after a power cut;
    /// `hearthctl storage` tells how far it is. The recovery key is asked for, and stays what it is.
    Rotate {
        /// Which key
        #[arg(value_enum)]
        what: Rotated,
        /// Read your password, and for the data the recovery key, from a line each of standard input
        #[arg(long)]
        password_stdin: bool,
    },
}

/// A key that the box keeps for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rotated {
    /// The key that the keys of its stores are kept under
    System,
    /// The volume key, under which everything on the disk is encrypted
    Data,
}

impl Rotated {
    /// As the box calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Data => "data",
        }
    }
}

/// What can be done with the vault.
#[derive(Debug, Subcommand)]
pub enum Vault {
    /// Open it with your password
    Unlock {
        /// Read your password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Lock it: the box forgets its key
    Lock,
    /// Encrypt everything in it with a new key
    ///
    /// For when somebody may have learnt the old one. Nothing in the vault can be used meanwhile; when the power goes, it is as before.
    /// The password and the recovery code stay.
    Rotate {
        /// Do not wait for its end
        #[arg(long)]
        no_wait: bool,
        /// Read your password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the files in it
    Files,
    /// Put a file into it, in the place of one of the same name
    Put {
        /// The file, at most 16 MiB
        file: PathBuf,
    },
    /// Write a file in it to a file here; one that is there already is left alone
    Get {
        /// Its name in the vault
        name: String,
        /// Where to write it, instead of its name in this folder
        file: Option<PathBuf>,
    },
    /// Remove a file from it for good
    Remove {
        /// Its name in the vault
        name: String,
    },
}

/// What can be said of registries.
#[derive(Debug, Subcommand)]
pub enum Registry {
    /// Say something about a registry, in the place of what was said before
    #[command(after_help = "Examples:
  hearthctl registry set 192.168.1.9:5000 --plain
  hearthctl registry set ghcr.io --user ada --password-stdin < token.txt
  hearthctl registry set docker.io --mirror mirror.example.net")]
    Set(RegistryWish),
    /// Forget what was said about a registry
    Forget {
        /// Its name, as the names of images have it
        name: String,
    },
}

/// Something about a registry.
#[derive(Args, Debug)]
pub struct RegistryWish {
    /// Its name, as the names of images have it: a host, with a port perhaps
    pub name: String,
    /// Speak to it without encryption; whoever is on the way may change what comes by a tag
    #[arg(long, conflicts_with = "user")]
    pub plain: bool,
    /// Log in as this user; the password is asked for
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Read the password from the first line of standard input
    #[arg(long, requires = "user")]
    pub password_stdin: bool,
    /// Ask this host first; may be given more than once
    #[arg(long, value_name = "HOST")]
    pub mirror: Vec<String>,
    /// The same without encryption; these come after the others
    #[arg(long, value_name = "HOST")]
    pub plain_mirror: Vec<String>,
}

/// What can be done with the people who may log in.
#[derive(Debug, Subcommand)]
pub enum Users {
    /// Let somebody else log in, with private files of their own
    Add {
        /// The name they log in with
        name: String,
        /// Read your password and their first password from a line each of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Give somebody another password
    ///
    /// They are logged out everywhere. Their private files stay locked until they type their recovery code: nobody else opens them,
    /// the owner of the box neither.
    ResetPassword {
        /// The name they log in with
        name: String,
        /// Read your password and their new password from a line each of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Let somebody not log in any more, and destroy their private files
    Remove {
        /// The name they log in with
        name: String,
        /// Read your password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
}

/// What can be done with backups.
#[derive(Debug, Subcommand)]
pub enum Backup {
    /// Have backups made to a disk that is plugged in
    Disk {
        /// The name of its file system; without, the first partition of a disk that can be pulled out
        #[arg(long)]
        label: Option<String>,
    },
    /// Make a backup now
    Run {
        /// Do not wait for its end
        #[arg(long)]
        no_wait: bool,
    },
    /// Prove the newest backup by restoring it to a private folder on the box
    Drill {
        /// Do not wait for its end
        #[arg(long)]
        no_wait: bool,
    },
    /// Print the recovery kit: with it and the backup, a new box is the same household
    #[command(after_help = "Examples:
  hearthctl backup kit > kit.txt
  hearthctl backup kit --html kit.html

Keep it on paper, away from the box: whoever has it and reaches the backup can read everything in it but private files,\n\
    which open with their owner's password only.")]
    Kit {
        /// Write a page with a QR code to this file instead; one that is there already is left alone
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// Put the access to the object store into it too
        #[arg(long)]
        with_access: bool,
        /// Read your password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// What you chose for backups
    #[command(subcommand)]
    Settings(BackupSettings),
}

/// Settings of backups.
#[derive(Debug, Subcommand)]
pub enum BackupSettings {
    /// Print the settings, as JSON, without secrets
    Get,
    /// Change the settings
    Set {
        /// The whole settings as JSON; - for standard input
        file: PathBuf,
    },
}

/// Opens the locked data.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  hearthctl storage unlock
  hearthctl storage unlock https://hearth.local --fingerprint 8F:1C:…:07 --key-stdin < key.txt")]
pub struct Unlock {
    /// Address of the locked box; may be left out for the box of last time, if it is called hearth.local or --address is given
    pub url: Option<String>,
    /// Read the key from the first line of standard input
    #[arg(long)]
    pub key_stdin: bool,
    /// How to reach it.
    #[command(flatten)]
    pub reach: Reach,
}

/// Parts of the network.
#[derive(Debug, Subcommand)]
pub enum Network {
    /// What the firewall lets through and what it stops
    Rules {
        /// How many packets met each rule
        #[arg(long)]
        counters: bool,
    },
    /// Who may reach what
    #[command(
        after_help = "Ends are app:<key>, box, lan, internet, internet:<domain> and mesh; the second may have a port behind it.

Examples:
  hearthctl network policy
  hearthctl network policy --explain app:notes lan
  hearthctl network policy --explain app:notes \"app:db tcp/5432\" && echo yes

Exit status of --explain: 0 yes or partly, 1 no, 2 it could not be told."
    )]
    Policy {
        /// May FROM reach TO, and by which rule?
        #[arg(long, num_args = 2, value_names = ["FROM", "TO"])]
        explain: Option<Vec<Endpoint>>,
    },
    /// What you chose for the network
    #[command(subcommand)]
    Settings(Settings),
}

/// Settings of the network.
#[derive(Debug, Subcommand)]
pub enum Settings {
    /// Print the settings in force, as JSON
    Get,
    /// Change the settings; they are taken back unless confirmed in time
    #[command(after_help = "Examples:
  hearthctl network settings get > network.json
  hearthctl network settings set network.json
  hearthctl network settings confirm

A change is on trial at first: if it cuts you off, you cannot confirm it, and the box goes back to what was before.")]
    Set {
        /// The whole settings as JSON; - for standard input
        file: PathBuf,
        /// Seconds until they are taken back: 10 to 600; 0 keeps them at once
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        trial: u32,
    },
    /// Keep the settings that are on trial
    Confirm,
}
