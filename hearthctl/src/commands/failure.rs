//! Why a command did not work, and what to do about it.

use super::flash::FlashFailure;
use crate::client::ClientError;
use crate::config::StoreError;
use crate::trust::Fingerprint;
use crate::trust::InvalidFingerprint;
use crate::trust::NoCertificate;
use model::preset::InvalidWifi;
use model::preset::Ssid;
use std::path::PathBuf;

/// Why a command did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The box did not answer as wished.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Nothing can be remembered.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no certificate.
    #[error(transparent)]
    Certificate(#[from] NoCertificate),
    /// No box was ever logged in to.
    #[error("no box is known here")]
    NoBox,
    /// The box is known, and nobody is logged in.
    #[error("you are not logged in")]
    NeverLoggedIn,
    /// The address is none of a box.
    #[error("use {url:?} as the address of a box: write https:// and its name, with nothing behind it")]
    Address {
        /// As written.
        url: String,
    },
    /// The fingerprint that was given is none.
    #[error("read the fingerprint {text:?}")]
    Fingerprint {
        /// As written.
        text: String,
        /// Why not.
        #[source]
        source: InvalidFingerprint,
    },
    /// The certificate has another fingerprint.
    #[error("trust the box: its household certificate has the fingerprint\n  {found}\nand not\n  {wanted}")]
    OtherFingerprint {
        /// As given.
        wanted: Fingerprint,
        /// What the box has.
        found: Fingerprint,
    },
    /// Nobody is there to compare.
    #[error("trust the box: nobody is here to compare the fingerprint\n  {found}")]
    NobodyCompares {
        /// What the box has.
        found: Fingerprint,
    },
    /// The person said no.
    #[error("trust the box: the fingerprint is not the one you expect")]
    NotTrusted,
    /// Nobody is there to type a secret.
    #[error("ask for {what}: standard input is no terminal")]
    NobodyTypes {
        /// What was to be typed.
        what: &'static str,
        /// How it is given without anybody.
        how: &'static str,
    },
    /// A file here could not be read or written.
    #[error("read or write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A path that ends in nothing a file could be called.
    #[error("call a file in the vault as {} is called", path.display())]
    FileName {
        /// Which.
        path: PathBuf,
    },
    /// The data is open.
    #[error("unlock the data: it is not locked")]
    NotLocked,
    /// Two times something else was typed.
    #[error("that is not the same twice: nothing was changed")]
    NotTheSame,
    /// The box has no owner.
    #[error("log in: {url} has no owner yet")]
    NotSetUp {
        /// Of the box.
        url: String,
    },
    /// Who may log in cannot be read.
    #[error("log in: the data of {url} is locked")]
    DataLocked {
        /// Of the box.
        url: String,
    },
    /// A question with another number of ends than two.
    #[error("explain: give two ends, such as app:notes and lan")]
    TwoEnds,
    /// There is no report on Wi-Fi.
    #[error("the box does not say how its Wi-Fi is")]
    NoWifi,
    /// The box has no radio.
    #[error("this box has no wireless device")]
    NoRadio,
    /// What was typed is no password of a wireless network.
    #[error("use what was typed as a password")]
    Passphrase {
        /// Why not.
        #[source]
        source: InvalidWifi,
    },
    /// A wireless network was not joined.
    #[error("{problem}")]
    Wifi {
        /// What the box says of it.
        problem: String,
        /// Whether the box goes on trying.
        goes_on: bool,
    },
    /// The box was not heard of since.
    #[error("the box has not said in time whether it is in {:?}", name.as_str())]
    WifiUnknown {
        /// The network.
        name: Ssid,
    },
    /// There is no report on the firewall.
    #[error("the box does not say how its firewall is")]
    NoFirewall,
    /// A file could not be read.
    #[error("read {}", path.display())]
    Input {
        /// Which; `-` for standard input.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// The terminal failed.
    #[error("ask")]
    Ask {
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// A step of an update ended badly.
    #[error("{problem}")]
    Update {
        /// What the box says of it.
        problem: String,
    },
    /// There is nothing to fetch.
    #[error("the box knows of no update; to have it look:\n  hearthctl update check")]
    NoUpdate,
    /// A backup or a drill ended badly.
    #[error("{problem}")]
    Backup {
        /// What the box says of it.
        problem: String,
    },
    /// Something that was to be done to an app came to nothing.
    #[error("{problem}")]
    App {
        /// What the box says of it.
        problem: String,
    },
    /// An app cannot be had as it is.
    #[error("install it:\n- {}", refusals.join("\n- "))]
    AppRefused {
        /// Why, each with its place.
        refusals: Vec<String>,
    },
    /// Nobody is there to agree.
    #[error("nobody is here to agree to what the app asks for")]
    NobodyAgrees,
    /// The person said no.
    #[error("nothing was changed")]
    NotAgreed,
    /// Nobody said what becomes of the data.
    #[error("nobody said what becomes of its data")]
    DataUnsaid,
    /// There is no such app.
    #[error("there is no app {app:?} that you see")]
    NoSuchApp {
        /// As written.
        app: String,
    },
    /// An app has no such permission.
    #[error("it has no permission {name:?}")]
    NoSuchPermission {
        /// As written.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// A variable without a value.
    #[error("use {text:?} as a variable: write NAME=VALUE")]
    Variable {
        /// As written.
        text: String,
    },
    /// The key of the vault stays what it was.
    #[error("{problem}")]
    Rotation {
        /// What the box says of it.
        problem: String,
    },
    /// A disk was not written.
    #[error(transparent)]
    Flash(Box<FlashFailure>),
    /// The result could not be printed.
    #[error("print the result")]
    Print {
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
}

/// Boxed, because it is larger than all others.
impl From<FlashFailure> for Failure {
    fn from(failure: FlashFailure) -> Self {
        Self::Flash(Box::new(failure))
    }
}

impl Failure {
    /// What to do, where there is something to do.
    pub(crate) fn advice(&self) -> Option<String> {
        let text = match self {
            Self::NoBox => "Log in to yours first: hearthctl login https://hearth.local",
            Self::NeverLoggedIn | Self::Client(ClientError::LoggedOut) => "Log in again: hearthctl login",
            Self::Client(ClientError::Stranger { .. }) => {
                "Either the box was reset and has a new household certificate, or something else poses as it. If you reset \
                 it, read the new fingerprint on its screen and run:\n  hearthctl login https://… --fingerprint …\n\
                 Or its data is locked; then its screen says so: hearthctl storage unlock"
            }
            Self::Client(ClientError::OtherName { .. }) => {
                "Use the name the box has now, such as https://hearth-2.local; it is on the box's screen."
            }
            Self::Client(ClientError::Unreachable { .. }) => {
                "Check that the box has power and that this computer is on its network. Where .local names do not work, \
                 give its address: hearthctl login https://… --address 192.168.1.5"
            }
            Self::Client(ClientError::Refused { code, .. }) if code == "too_large" => {
                "The box takes settings of at most 64 KiB, and private files of at most 16 MiB."
            }
            Self::NobodyCompares { .. } => {
                "Compare it with the one on the box's screen, then give it: hearthctl login … --fingerprint …"
            }
            Self::OtherFingerprint { .. } => {
                "Do not go on unless you know why: this may be another box, or somebody between you and yours."
            }
            Self::NotTrusted => "Nothing was sent to it, and nothing was kept.",
            Self::NobodyTypes { what, how } => return Some(format!("Give {what} on standard input: {how}")),
            Self::DataLocked { url } => {
                return Some(format!("Unlock it first: hearthctl storage unlock {url}"));
            }
            Self::NotSetUp { .. } => "Open it in a browser and set it up first.",
            Self::Flash(failure) => return failure.advice(),
            Self::NobodyAgrees => "Look at it, then say that you agree: --yes",
            Self::DataUnsaid => "Say it: --keep-data or --delete-data",
            Self::NoSuchApp { .. } => "These there are: hearthctl app list",
            Self::NoSuchPermission { known, .. } => {
                return Some(format!("These it has: {}", known.join(", ")));
            }
            Self::Wifi { goes_on: true, .. } => "The box goes on trying.",
            Self::WifiUnknown { .. } => "Join that network with this computer too, then: hearthctl wifi",
            Self::NoFirewall | Self::NoWifi => {
                "Its network service may be starting just now; try again in a moment."
            }
            Self::Client(_)
            | Self::Store(_)
            | Self::Certificate(_)
            | Self::Address { .. }
            | Self::Fingerprint { .. }
            | Self::TwoEnds
            | Self::File { .. }
            | Self::FileName { .. }
            | Self::NotLocked
            | Self::NotTheSame
            | Self::Input { .. }
            | Self::Ask { .. }
            | Self::Backup { .. }
            | Self::Update { .. }
            | Self::NoUpdate
            | Self::NoRadio
            | Self::Passphrase { .. }
            | Self::Wifi { goes_on: false, .. }
            | Self::App { .. }
            | Self::AppRefused { .. }
            | Self::NotAgreed
            | Self::Variable { .. }
            | Self::Rotation { .. }
            | Self::Print { .. } => return None,
        };
        Some(text.to_owned())
    }
}
