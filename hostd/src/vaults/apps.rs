//! What users' apps are given of their vaults: a secret of which the keys of their data are made.
//!
//! It is had from when a vault is opened until its user locks it, another vault takes its place, or hostd ends. Somebody who logs out or is
//! away has their files locked, and their apps run on: that is what apps are for.

use super::Vaults;
use crate::accounts::credentials::UserName;
use std::collections::HashMap;
use std::fmt;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// The secret of one user's apps.
pub type AppsSecret = Zeroizing<[u8; 32]>;

/// Those that are had now.
#[derive(Default)]
pub struct AppsSecrets(HashMap<UserName, AppsSecret>);

impl fmt::Debug for AppsSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppsSecrets(…)")
    }
}

impl AppsSecrets {
    /// That of a user.
    #[must_use]
    pub fn of(&self, user: &UserName) -> Option<&AppsSecret> {
        self.0.get(user)
    }

    pub(super) fn insert(&mut self, user: UserName, secret: AppsSecret) {
        self.0.insert(user, secret);
    }
}

impl Vaults {
    /// The secrets of users' apps, now and later.
    #[must_use]
    pub fn secrets_of_apps(&self) -> watch::Receiver<AppsSecrets> {
        self.memory().apps.subscribe()
    }

    /// From now on the data of a user's apps is locked, too.
    pub(super) fn close_apps(&self, user: &UserName) {
        self.memory().apps.send_if_modified(|secrets| secrets.0.remove(user).is_some());
    }
}
