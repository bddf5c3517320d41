//! Asking netd, over whichever connection to it lives now.

use hostapi::net1::Net1Error;
use hostapi::net1::Net1Proxy;
use hostapi::net1::StrangeAnswer;
use hostapi::net1::read_answer;
use model::network::app_policy::AppPolicy;
use model::network::endpoint::Endpoint;
use model::network::explanation::Explanation;
use model::network::report::NetworkReport;
use model::network::settings::NetworkSettings;
use model::network::wifi::WifiWish;
use std::net::IpAddr;
use tokio::sync::watch;

/// The way to netd; clones share it. Every call ends after [`hostapi::net1::METHOD_TIMEOUT`].
#[derive(Clone, Debug)]
pub struct Netd(watch::Receiver<Option<Net1Proxy<'static>>>);

/// Why netd did not do it.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no connection to netd.
    #[error("reach netd")]
    Away,
    /// netd refused, or its answer did not come.
    #[error("have netd {what}")]
    Refused {
        /// What it was asked.
        what: &'static str,
        /// What it said.
        #[source]
        source: Net1Error,
    },
    /// netd answered something that is not understood.
    #[error("understand netd's answer, asked to {what}")]
    Strange {
        /// What it was asked.
        what: &'static str,
        /// Why not.
        #[source]
        source: StrangeAnswer,
    },
}

impl AskError {
    /// Whether netd is away rather than unwilling: asking again in a moment may help.
    #[must_use]
    pub const fn is_absence(&self) -> bool {
        match self {
            Self::Away => true,
            Self::Refused { source, .. } => matches!(source, Net1Error::ZBus(_) | Net1Error::Stopping(_)),
            Self::Strange { .. } => false,
        }
    }
}

impl Netd {
    /// Over the connection that the sender of this holds, when it holds one.
    #[must_use]
    pub const fn new(connection: watch::Receiver<Option<Net1Proxy<'static>>>) -> Self {
        Self(connection)
    }

    /// Whether there is a connection.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// The connection, and whenever there is another.
    #[must_use]
    pub fn connection(&self) -> watch::Receiver<Option<Net1Proxy<'static>>> {
        self.0.clone()
    }

    /// Brings a policy of apps into force, all of it or nothing; connections that it no longer allows are cut.
    pub async fn set_app_policy(&self, policy: &AppPolicy) -> Result<(), AskError> {
        let refused = |source| AskError::Refused { what: "take the policy of apps", source };
        let text = serde_json::to_string(policy)
            .map_err(|error| refused(Net1Error::InvalidDocument(error.to_string())))?;
        self.proxy()?.set_app_policy(&text).await.map_err(refused)
    }

    /// How the network is now.
    pub async fn report(&self) -> Result<NetworkReport, AskError> {
        let what = "report";
        let answer = self.proxy()?.report().await.map_err(|source| AskError::Refused { what, source })?;
        read_answer(&answer).map_err(|source| AskError::Strange { what, source })
    }

    /// Brings checked settings into force; with trial seconds other than 0 they are taken back unless confirmed.
    pub async fn set_settings(&self, settings: &NetworkSettings, trial_seconds: u32) -> Result<(), AskError> {
        let refused = |source| AskError::Refused { what: "change its settings", source };
        let text = serde_json::to_string(settings)
            .map_err(|error| refused(Net1Error::InvalidDocument(error.to_string())))?;
        self.proxy()?.set_settings(&text, trial_seconds).await.map_err(refused)
    }

    /// Keeps the settings that are on trial.
    pub async fn confirm_settings(&self) -> Result<(), AskError> {
        let refused = |source| AskError::Refused { what: "keep its settings", source };
        self.proxy()?.confirm_settings().await.map_err(refused)
    }

    /// Does what the owner wants of Wi-Fi.
    pub async fn wifi(&self, wish: &WifiWish) -> Result<(), AskError> {
        let refused = |source| AskError::Refused { what: "do something with Wi-Fi", source };
        let text = serde_json::to_string(wish)
            .map(zeroize::Zeroizing::new)
            .map_err(|error| refused(Net1Error::InvalidDocument(error.to_string())))?;
        self.proxy()?.wifi(&text).await.map_err(refused)
    }

    /// Whether one end may reach another, and by which rule.
    pub async fn explain(&self, from: &Endpoint, to: &Endpoint) -> Result<Explanation, AskError> {
        let what = "explain its rules";
        let answer = self.proxy()?.explain(&from.to_string(), &to.to_string()).await;
        let answer = answer.map_err(|source| AskError::Refused { what, source })?;
        read_answer(&answer).map_err(|source| AskError::Strange { what, source })
    }

    /// The answer to a DNS message; empty when it deserves none.
    pub async fn answer_dns(&self, message: &[u8], client: IpAddr) -> Result<Vec<u8>, AskError> {
        let refused = |source| AskError::Refused { what: "answer a DNS message", source };
        self.proxy()?.answer_dns(message.to_vec(), &client.to_string()).await.map_err(refused)
    }

    fn proxy(&self) -> Result<Net1Proxy<'static>, AskError> {
        self.0.borrow().clone().ok_or(AskError::Away)
    }
}
