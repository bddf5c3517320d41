//! Why something about apps is not done.

use super::containerd::ContainerdError;
use super::policy::PolicyError;
use super::record::KeyError;
use super::source::Remark;
use crate::net::AskError;
use crate::records::KeepError;
use model::apps::InvalidAppId;
use model::containers::InvalidRegistries;
use model::network::app_policy::InvalidPolicy;

/// Why something about apps is not done; then nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum AppsError {
    /// There is none of that key, or whoever asks does not see it.
    #[error("there is no such app")]
    NoSuchApp,
    /// It is the household's.
    #[error("only the owner of the box changes apps of the household")]
    OwnerOnly,
    /// Something is being done to it.
    #[error("something is being done to the app already")]
    Busy,
    /// Only its data is left.
    #[error("the app was removed, and only its data is left")]
    Leftover,
    /// Another app has the ID.
    #[error("another app has that ID")]
    IdTaken,
    /// What would be installed is not what somebody agreed to.
    #[error("that is not what was shown")]
    NotWhatWasShown,
    /// It cannot be installed: at least one reason.
    #[error("{}", .0.iter().map(|remark| remark.words.as_str()).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Remark>),
    /// A permission that the app does not ask for.
    #[error("the app does not ask for {0}")]
    NotAsked(String),
    /// Nothing can be kept.
    #[error("storage is unavailable: {reason}")]
    NoStore {
        /// Why, in plain words.
        reason: String,
    },
    /// The store did not keep it.
    #[error("keep the record of an app")]
    Keep(#[source] KeepError),
    /// There is no key for it.
    #[error("make a key for an app")]
    Key(#[source] KeyError),
    /// There is no key for its data.
    #[error("make a key for the data of an app")]
    Secret(#[source] getrandom::Error),
    /// There is no ID for it.
    #[error("find an ID for an app")]
    Id(#[source] InvalidAppId),
    /// There is no policy.
    #[error("make the policy of all apps")]
    Policy(#[source] PolicyError),
    /// netd would not take the policy.
    #[error("check the policy of all apps")]
    InvalidPolicy(#[source] InvalidPolicy),
    /// netd did not take the policy.
    #[error("have netd take the policy of all apps")]
    Netd(#[source] AskError),
    /// What is said of registries cannot be meant.
    #[error(transparent)]
    InvalidRegistries(InvalidRegistries),
    /// containerd-lite did not do it.
    #[error("ask containerd-lite")]
    Containerd(#[source] ContainerdError),
}

impl AppsError {
    /// Why a step of an operation failed, as a clause in plain words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Containerd(error) => error.words(),
            Self::InvalidPolicy(InvalidPolicy::PortTaken { port, .. }) => port_taken(&port.to_string()),
            Self::InvalidPolicy(error) => format!("its permissions do not fit those of other apps: {error}"),
            Self::Netd(AskError::Refused { source, .. }) => {
                format!("the box's network service did not take its permissions: {source}")
            }
            Self::Netd(_) => "the box's network service does not answer".to_owned(),
            other @ (Self::NoSuchApp
            | Self::OwnerOnly
            | Self::Busy
            | Self::Leftover
            | Self::IdTaken
            | Self::NotWhatWasShown
            | Self::Refused(_)
            | Self::NotAsked(_)
            | Self::NoStore { .. }
            | Self::Keep(_)
            | Self::Key(_)
            | Self::Secret(_)
            | Self::Id(_)
            | Self::InvalidRegistries(_)
            | Self::Policy(_)) => other.to_string(),
        }
    }
}

/// Says nothing of who has it: that may be somebody else's app.
pub(super) fn port_taken(port: &str) -> String {
    format!("it asks for port {port} of the box, which another app or the box itself has")
}
