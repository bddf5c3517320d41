//! Keeps the box's certificate fitting its names and addresses, without dropping a connection.

use crate::accounts::Storage;
use crate::app::App;
use crate::household::authority::Authority;
use crate::household::leaf::Leaf;
use crate::household::leaf::LeafError;
use crate::household::leaf::LeafNames;
use crate::server::tls::LiveCertificate;
use rustls::crypto::CryptoProvider;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Addresses come in bursts when a link comes up; one certificate for all of them.
const SETTLE: Duration = Duration::from_secs(1);

/// The certificate in use, and everything needed to make the next.
#[derive(Debug)]
pub struct Certificates {
    leaf: Leaf,
    live: Arc<LiveCertificate>,
    provider: Arc<CryptoProvider>,
    storage: Storage,
}

impl Certificates {
    /// Starts with the kept certificate if it serves for `wanted`, else with a new one.
    ///
    /// # Errors
    ///
    /// When no certificate can be made.
    pub async fn start(
        kept: Option<Leaf>,
        wanted: LeafNames,
        authority: &Authority,
        provider: Arc<CryptoProvider>,
        storage: Storage,
    ) -> Result<Self, LeafError> {
        let kept = kept.filter(|leaf| leaf.names().covers(&wanted));
        let is_new = kept.is_none();
        let leaf = kept.map_or_else(|| Leaf::issue(authority, wanted), Ok)?;
        let live = LiveCertificate::new(leaf.certified(authority, &provider)?);
        let certificates = Self { leaf, live, provider, storage };
        if is_new {
            certificates.keep().await;
        }
        Ok(certificates)
    }

    /// What the TLS listener serves.
    #[must_use]
    pub fn live(&self) -> Arc<LiveCertificate> {
        Arc::clone(&self.live)
    }

    /// Follows names and addresses for as long as it runs.
    pub async fn follow(mut self, app: Arc<App>) {
        let mut ownership = app.accounts.ownership();
        let mut network = app.network.clone();
        let (mut ownership_lives, mut network_lives) = (true, true);
        while ownership_lives || network_lives {
            // Both are cancel safe: a change that was not taken is seen by the next call.
            tokio::select! {
                changed = ownership.changed(), if ownership_lives => ownership_lives = changed.is_ok(),
                changed = network.changed(), if network_lives => network_lives = changed.is_ok(),
            }
            tokio::time::sleep(SETTLE).await;
            let wanted = wanted(&app);
            if !self.leaf.names().covers(&wanted) {
                self.renew(wanted, &app.authority).await;
            }
        }
    }

    async fn renew(&mut self, wanted: LeafNames, authority: &Authority) {
        let renewed = Leaf::issue(authority, wanted)
            .and_then(|leaf| leaf.certified(authority, &self.provider).map(|certified| (leaf, certified)));
        match renewed {
            Ok((leaf, certified)) => {
                tracing::info!(names = ?leaf.names(), "the box has a new certificate");
                self.live.exchange(certified);
                self.leaf = leaf;
                self.keep().await;
            }
            Err(error) => tracing::error!(error = &error as &dyn Error, "no new certificate could be made"),
        }
    }

    /// A certificate that is not kept still serves; the next start makes another.
    async fn keep(&self) {
        if let Storage::Usable(records) = &self.storage
            && let Err(error) = records.keep_leaf(&self.leaf).await
        {
            tracing::warn!(error = &error as &dyn Error, "the box's certificate was not kept");
        }
    }
}

/// What a certificate has to vouch for now.
#[must_use]
pub fn wanted(app: &App) -> LeafNames {
    let network = app.network.borrow();
    LeafNames::new(&network.names(&app.chosen_name()), network.addresses())
}
