//! Other passwords, and what vaults ask of accounts: whose tries to count, who is there.

use super::Accounts;
use super::Refusal;
use super::credentials::Attempt;
use super::credentials::Password;
use super::credentials::UserName;
use super::password::Hasher;
use super::session::TokenHash;
use crate::records::User;
use crate::vaults::record::VaultRecord;
use std::net::IpAddr;
use std::time::Duration;
use zeroize::Zeroizing;

impl Accounts {
    /// Where all costly work of passwords is done, one after another.
    #[must_use]
    pub fn hasher(&self) -> Hasher {
        self.hasher.clone()
    }

    /// Whether a user has a session that was used within this time.
    #[must_use]
    pub fn is_present(&self, user: &UserName, within: Duration) -> bool {
        let now = self.time.now(self.clock.as_ref());
        let last = self.memory().sessions.last_use(user, now);
        last.is_some_and(|last| now.saturating_sub(last) < within.as_secs())
    }

    /// Counts a try of a password or code by whoever claims to be this user.
    ///
    /// # Errors
    ///
    /// When there were too many.
    pub fn count_try(&self, user: &str, from: IpAddr) -> Result<(), Refusal> {
        let tried = self.memory().limiter.try_account(account_of(user), from, self.clock.uptime());
        tried.map_err(|source| Refusal::TooManyTries { source })
    }

    /// Takes the count back: the last try was right.
    pub fn was_right(&self, user: &str, from: IpAddr) {
        self.memory().limiter.was_right(Some(account_of(user)), from);
    }

    /// The user of that name.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<User> {
        self.memory().user(name).cloned()
    }

    /// Gives a user another password, and their vault what goes with it, in one commit; all their sessions but one end.
    ///
    /// # Errors
    ///
    /// [`Refusal::WrongCredentials`] when the user is not any more as they were when asked for, and when it could not be hashed or kept.
    pub async fn replace_password(
        &self,
        user: User,
        password: &Password,
        vault: Option<&VaultRecord>,
        kept: Option<&TokenHash>,
    ) -> Result<(), Refusal> {
        let records = self.records()?;
        let typed = Zeroizing::new(password.as_bytes().to_vec());
        let password = self.hasher.hash(typed).await.map_err(|source| Refusal::Hash { source })?;
        let changed = User { password, ..user.clone() };
        let ended = {
            let memory = self.memory();
            if memory.user(user.name.as_str()) != Some(&user) {
                return Err(Refusal::WrongCredentials);
            }
            memory.sessions.of_user_but(&user.name, kept)
        };
        let user = changed;
        records.keep_password(&user, vault, &ended).await.map_err(|source| Refusal::Keep { source })?;
        let mut memory = self.memory();
        // Also those that began while the change was written, with the old password.
        for token in memory.sessions.of_user_but(&user.name, kept) {
            memory.sessions.remove(&token);
        }
        memory.put(user);
        Ok(())
    }
}

fn account_of(user: &str) -> [u8; 32] {
    Attempt { name: user.to_owned(), password: Zeroizing::default() }.account()
}
