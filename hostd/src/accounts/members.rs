//! Members of the household: whom the owner lets in beside themselves.
//!
//! Callers do one of these at a time (the turn of vaults), so that what is looked at here still holds when it is kept.

use super::Accounts;
use super::Memory;
use super::Refusal;
use super::credentials::Password;
use super::credentials::UserName;
use crate::records::Doomed;
use crate::records::KeepError;
use crate::records::Member;
use crate::records::Role;
use crate::records::User;
use crate::vaults::record::VaultRecord;
use zeroize::Zeroizing;

/// Most users of a box, the owner counted: a household.
pub const MAX_USERS: usize = 32;

impl Accounts {
    /// Everybody who may log in, the owner first.
    #[must_use]
    pub fn users(&self) -> Vec<(UserName, Role)> {
        let memory = self.memory();
        let mut members: Vec<_> = memory.members.iter().map(|user| (user.name.clone(), user.role)).collect();
        members.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        let owner = memory.owner.iter().map(|user| (user.name.clone(), user.role));
        owner.chain(members).collect()
    }

    /// Whether somebody of this name could be let in.
    ///
    /// # Errors
    ///
    /// [`Refusal::UserExists`], also for a name that differs in upper and lower case only, which people would take for the same;
    /// [`Refusal::TooManyUsers`].
    pub fn require_room(&self, name: &UserName) -> Result<(), Refusal> {
        let memory = self.memory();
        let mut users = memory.owner.iter().chain(&memory.members);
        if users.any(|user| user.name.as_str().to_lowercase() == name.as_str().to_lowercase()) {
            return Err(Refusal::UserExists);
        }
        if memory.members.len() + 1 >= MAX_USERS { Err(Refusal::TooManyUsers) } else { Ok(()) }
    }

    /// The member of this name.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchUser`], and [`Refusal::LastOwner`] for the owner.
    pub fn member(&self, name: &UserName) -> Result<User, Refusal> {
        let user = self.user(name.as_str()).ok_or(Refusal::NoSuchUser)?;
        match user.role {
            Role::Owner => Err(Refusal::LastOwner),
            Role::Member => Ok(user),
        }
    }

    /// Lets somebody in, with a vault of theirs.
    ///
    /// # Errors
    ///
    /// As [`Self::require_room`], and when it could not be hashed or kept.
    pub async fn add_member(
        &self,
        name: &UserName,
        password: &Password,
        vault: &VaultRecord,
    ) -> Result<(), Refusal> {
        let records = self.records()?;
        self.require_room(name)?;
        let typed = Zeroizing::new(password.as_bytes().to_vec());
        let password = self.hasher.hash(typed).await.map_err(|source| Refusal::Hash { source })?;
        let user = User { name: name.clone(), role: Role::Member, password };
        records.keep_member(Member { user: &user, vault }).await.map_err(|source| match source {
            KeepError::UserExists => Refusal::UserExists,
            KeepError::AlreadySetUp
            | KeepError::Commit { .. }
            | KeepError::Encode { .. }
            | KeepError::Thread { .. } => Refusal::Keep { source },
        })?;
        self.memory().put(user);
        Ok(())
    }

    /// Lets a member go; their sessions end, and their vaults are doomed.
    ///
    /// # Errors
    ///
    /// When the store did not keep it.
    pub async fn remove_member(&self, user: &User, vaults: &[Doomed]) -> Result<(), Refusal> {
        let records = self.records()?;
        let ended = self.memory().sessions.of_user_but(&user.name, None);
        let removed = records.remove_member(&user.name, &ended, vaults).await;
        removed.map_err(|source| Refusal::Keep { source })?;
        let mut memory = self.memory();
        memory.members.retain(|member| member.name != user.name);
        for token in memory.sessions.of_user_but(&user.name, None) {
            memory.sessions.remove(&token);
        }
        Ok(())
    }
}

impl Memory {
    /// Takes a user up, in the place of the one of that name.
    pub(super) fn put(&mut self, user: User) {
        match user.role {
            Role::Owner => self.owner = Some(user),
            Role::Member => {
                self.members.retain(|member| member.name != user.name);
                self.members.push(user);
            }
        }
    }
}
