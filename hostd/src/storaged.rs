//! The keys of the data partition: what storaged tells of them, and asking it for others.
//!
//! One task, [`follow`], holds the connection to storaged; everybody else asks through [`Storaged`]. Keys change by what is asked
//! here alone, so the report is asked for at each connection and after each change, and read from memory in between. How the disk is
//! changes by itself and is asked for every now and then.

mod backups;
#[cfg(feature = "testing")]
pub mod fake;

use hostapi::peer::ConnectError;
use hostapi::storage1::Storage1Error;
use hostapi::storage1::Storage1Proxy;
use hostapi::storage1::StrangeReport;
use hostapi::storage1::read_report;
use model::storage::StorageReport;
use model::storage::health::HealthReport;
use std::error::Error;
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// Wait between two tries to reach storaged; it doubles from the first to the second.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Between two looks at how the disk is.
const HEALTH_EVERY: Duration = Duration::from_secs(60);

/// The way to storaged; clones share it. Every call ends after [`hostapi::storage1::METHOD_TIMEOUT`].
#[derive(Clone, Debug, Default)]
pub struct Storaged {
    connection: watch::Sender<Option<Storage1Proxy<'static>>>,
    report: watch::Sender<Option<StorageReport>>,
    health: watch::Sender<Option<HealthReport>>,
}

/// Why storaged did not do it.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// There is no connection to storaged.
    #[error("reach storaged")]
    Away,
    /// storaged refused, or its answer did not come.
    #[error("have storaged {what}")]
    Refused {
        /// What it was asked.
        what: &'static str,
        /// What it said.
        #[source]
        source: Storage1Error,
    },
    /// storaged answered something that is not understood.
    #[error("understand storaged's report")]
    Strange {
        /// Why not.
        #[source]
        source: StrangeReport,
    },
}

/// Keeps the connection, for as long as it runs.
pub async fn follow(socket: &Path, storaged: Storaged) {
    let mut wait = FIRST_WAIT;
    let mut warned = false;
    loop {
        match hostapi::storage1::connect(socket).await {
            Ok(proxy) => {
                (wait, warned) = (FIRST_WAIT, false);
                storaged.hold(proxy).await;
                tracing::debug!("storaged closed the connection");
            }
            // storaged starts beside hostd, so the first tries may fail without anything being wrong; one warning an outage will do.
            Err(error) if wait == LONGEST_WAIT && !warned => {
                tracing::warn!(error = &error as &dyn Error, "storaged cannot be reached; trying on");
                warned = true;
            }
            Err(error) => log_absence(&error),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

fn log_absence(error: &ConnectError) {
    tracing::debug!(error = error as &dyn Error, "storaged is not there");
}

impl Storaged {
    /// Uses a connection until the other side closes it.
    pub async fn hold(&self, proxy: Storage1Proxy<'static>) {
        let connection = proxy.inner().connection().clone();
        self.connection.send_replace(Some(proxy));
        self.refresh().await;
        // Neither has anything to lose when the other ends.
        tokio::select! {
            () = connection.closed() => {}
            () = self.watch_health() => {}
        }
        self.connection.send_replace(None);
        self.health.send_replace(None);
    }

    /// What it told last; nothing until it has told something.
    #[must_use]
    pub fn last_report(&self) -> Option<StorageReport> {
        self.report.borrow().clone()
    }

    /// How the data partition was opened and what opens it.
    ///
    /// # Errors
    ///
    /// When storaged is away, whatever it told before, or does not say.
    pub async fn report(&self) -> Result<StorageReport, KeysError> {
        let proxy = self.proxy()?;
        match self.last_report() {
            // How far a change of the volume key is changes by itself.
            Some(report) if report.rotation.is_none() => Ok(report),
            Some(_) | None => self.ask(&proxy).await,
        }
    }

    /// How the disk was when it was looked at last; nothing while storaged is away.
    #[must_use]
    pub fn last_health(&self) -> Option<HealthReport> {
        self.health.borrow().clone()
    }

    /// How the disk is now.
    ///
    /// # Errors
    ///
    /// When storaged is away, or does not say.
    pub async fn health(&self) -> Result<HealthReport, KeysError> {
        let refused = |source| KeysError::Refused { what: "look at the disk", source };
        let answer = self.proxy()?.health().await.map_err(refused)?;
        let health: HealthReport = read_report(&answer).map_err(|source| KeysError::Strange { source })?;
        self.health.send_replace(Some(health.clone()));
        Ok(health)
    }

    /// For ever.
    async fn watch_health(&self) {
        let mut tick = tokio::time::interval(HEALTH_EVERY);
        loop {
            tick.tick().await;
            if let Err(error) = self.health().await {
                tracing::warn!(error = &error as &dyn Error, "storaged does not say how the disk is");
            }
        }
    }

    /// Opens the locked partition with what somebody typed. Right afterwards init stops this program and starts it anew.
    ///
    /// # Errors
    ///
    /// When it is no key, or the partition is not locked.
    pub async fn unlock(&self, typed: &str) -> Result<(), KeysError> {
        let refused = |source| KeysError::Refused { what: "unlock the data", source };
        self.proxy()?.unlock(typed.to_owned()).await.map_err(refused)
    }

    /// Makes a new recovery key; those before stay until it is confirmed.
    ///
    /// # Errors
    ///
    /// When storaged makes none.
    pub async fn new_recovery_key(&self) -> Result<Zeroizing<String>, KeysError> {
        let refused = |source| KeysError::Refused { what: "make a recovery key", source };
        let made = self.proxy()?.new_recovery_key().await.map(Zeroizing::new).map_err(refused);
        self.refresh().await;
        made
    }

    /// Somebody typed the end of the new recovery key; from now on it is the only one.
    ///
    /// # Errors
    ///
    /// When that is not its end, or none waits for it.
    pub async fn confirm_recovery_key(&self, end: &str) -> Result<(), KeysError> {
        let refused = |source| KeysError::Refused { what: "keep the new recovery key", source };
        let confirmed = self.proxy()?.confirm_recovery_key(end.to_owned()).await.map_err(refused);
        self.refresh().await;
        confirmed
    }

    /// Seals the data to the box as it is now.
    ///
    /// # Errors
    ///
    /// When storaged does not.
    pub async fn seal_anew(&self) -> Result<(), KeysError> {
        let refused = |source| KeysError::Refused { what: "seal the data anew", source };
        let sealed = self.proxy()?.seal_anew().await.map_err(refused);
        self.refresh().await;
        sealed
    }

    /// Has the box ask for a passphrase at each start, in place of the key on the boot partition.
    ///
    /// # Errors
    ///
    /// When storaged does not.
    pub async fn set_passphrase(&self, passphrase: &str) -> Result<(), KeysError> {
        let refused = |source| KeysError::Refused { what: "ask for a passphrase", source };
        let set = self.proxy()?.set_passphrase(passphrase.to_owned()).await.map_err(refused);
        self.refresh().await;
        set
    }

    /// Whether somebody typed a recovery key of the open data.
    ///
    /// # Errors
    ///
    /// When it is none, or there were too many wrong ones.
    pub async fn check_recovery_key(&self, typed: &str) -> Result<(), KeysError> {
        let refused = |source| KeysError::Refused { what: "check a recovery key", source };
        self.proxy()?.check_recovery_key(typed.to_owned()).await.map_err(refused)
    }

    /// Puts another system key in the place of the one that the stores' keys are under.
    ///
    /// # Errors
    ///
    /// When storaged does not.
    pub async fn rotate_system_key(&self) -> Result<(), KeysError> {
        let refused = |source| KeysError::Refused { what: "change the system key", source };
        self.proxy()?.rotate_system_key().await.map_err(refused)
    }

    /// Begins to change the volume key; the recovery key that somebody typed goes on to open the data.
    ///
    /// # Errors
    ///
    /// When storaged does not.
    pub async fn rotate_volume_key(&self, typed: &str) -> Result<(), KeysError> {
        let refused = |source| KeysError::Refused { what: "change the volume key", source };
        let begun = self.proxy()?.rotate_volume_key(typed.to_owned()).await.map_err(refused);
        self.refresh().await;
        begun
    }

    /// What was told before must not outlive a change, even where the new report does not come.
    async fn refresh(&self) {
        self.report.send_replace(None);
        let Ok(proxy) = self.proxy() else { return };
        if let Err(error) = self.ask(&proxy).await {
            tracing::warn!(error = &error as &dyn Error, "storaged does not say how the data is");
        }
    }

    async fn ask(&self, proxy: &Storage1Proxy<'_>) -> Result<StorageReport, KeysError> {
        let answer = proxy.report().await.map_err(|source| KeysError::Refused { what: "report", source })?;
        let report: StorageReport = read_report(&answer).map_err(|source| KeysError::Strange { source })?;
        self.report.send_replace(Some(report.clone()));
        Ok(report)
    }

    fn proxy(&self) -> Result<Storage1Proxy<'static>, KeysError> {
        self.connection.borrow().clone().ok_or(KeysError::Away)
    }
}
