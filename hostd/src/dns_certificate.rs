//! The certificate with which netd's resolver proves itself to the home network (DNS over TLS).
//!
//! It has a key of its own, so that netd never holds the one of the web console, and lives in memory only: devices trust the
//! household authority, not this certificate, so a new one at every start is noticed by nobody.

use crate::app::App;
use crate::household::leaf::Leaf;
use crate::household::leaf::LeafNames;
use hostapi::net1::DnsCertificate;
use std::error::Error;
use std::sync::Arc;
use tokio::sync::watch;

/// Makes a certificate for every new name of the box, for as long as it runs.
pub async fn follow(app: Arc<App>, latest: watch::Sender<Option<Arc<DnsCertificate>>>) {
    let mut ownership = app.accounts.ownership();
    let mut network = app.network.clone();
    let mut vouched: Option<LeafNames> = None;
    let (mut ownership_lives, mut network_lives) = (true, true);
    loop {
        ownership.mark_unchanged();
        network.mark_unchanged();
        let wanted = wanted(&app);
        if vouched.as_ref() != Some(&wanted) {
            match Leaf::issue(&app.authority, wanted.clone()) {
                Ok(leaf) => {
                    let (chain_pem, key_pem) = leaf.pem(&app.authority);
                    latest.send_replace(Some(Arc::new(DnsCertificate { chain_pem, key_pem })));
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn Error, "there is no certificate for the resolver");
                }
            }
            // Another try before the names change would fail like this one.
            vouched = Some(wanted);
        }
        if !ownership_lives && !network_lives {
            return;
        }
        // Both are cancel safe: a change that was not taken is seen by the next call.
        tokio::select! {
            changed = ownership.changed(), if ownership_lives => ownership_lives = changed.is_ok(),
            changed = network.changed(), if network_lives => network_lives = changed.is_ok(),
        }
    }
}

/// Names only: devices are told the name, and addresses come and go with leases.
fn wanted(app: &App) -> LeafNames {
    LeafNames::new(&app.network.borrow().names(&app.chosen_name()), [])
}
