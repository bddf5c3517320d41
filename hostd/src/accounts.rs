//! Who the box belongs to, who may log in, and who is logged in.
//!
//! [`Accounts`] owns the records of owner and members, the sessions, the claim code and the counts of wrong tries. Its memory is the
//! truth for reads; a change is committed to the store first and shows in memory only after that, so nothing is ever
//! acknowledged that a power cut could take back. The lock is never held across a wait.
//!
//! Callers run [`Accounts::set_up`], [`Accounts::log_in`] and [`Accounts::log_out`] to their end even when their client has hung up: between the
//! commit and the change in memory nothing may stop.

mod change;
pub mod claim;
pub mod credentials;
pub mod limiter;
pub mod members;
pub mod password;
pub mod session;

use crate::clock::BoxTime;
use crate::clock::Clock;
use crate::clock::Ledger;
use crate::records::KeepError;
use crate::records::Records;
use crate::records::Role;
use crate::records::SetUp;
use crate::records::User;
use crate::vaults::record;
use crate::vaults::record::RecordError;
use claim::Claim;
use claim::RandomError;
use claim::Verdict;
use credentials::Attempt;
use credentials::Password;
use credentials::UserName;
use limiter::Limiter;
use limiter::TooManyTries;
use model::names::HostName;
use password::HashError;
use password::Hasher;
use password::Match;
use session::Session;
use session::Sessions;
use session::Token;
use session::TokenHash;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// Where accounts are kept.
#[derive(Clone, Debug)]
pub enum Storage {
    /// Here.
    Usable(Records),
    /// Nowhere: the box can only say why.
    Unavailable {
        /// Why, in plain words.
        reason: String,
    },
}

/// What the rest of the daemon follows.
#[derive(Clone, PartialEq, Eq)]
pub struct Ownership {
    /// Whether an owner exists.
    pub set_up: bool,
    /// The chosen name; `None` when it cannot be known.
    pub host_name: Option<HostName>,
    /// The claim code to show, as long as one is of use.
    pub claim_code: Option<Zeroizing<String>>,
}

/// What was kept of accounts, as read at start.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The owner, when the box is set up.
    pub owner: Option<User>,
    /// Everybody else who may log in.
    pub members: Vec<User>,
    /// The chosen name.
    pub host_name: Option<HostName>,
    /// Logged-in sessions.
    pub sessions: Vec<(TokenHash, Session)>,
    /// Passage of time.
    pub ledger: Ledger,
    /// The claim code that was decided before the first start, if one was.
    pub claim_code: Option<model::preset::ClaimCode>,
}

/// What somebody enters at set-up.
#[derive(Debug)]
pub struct SetUpWish {
    /// The code as typed.
    pub claim_code: Zeroizing<String>,
    /// Name for the box.
    pub host_name: HostName,
    /// Name of the owner.
    pub owner: UserName,
    /// Their password.
    pub password: Password,
}

/// Why an account request was refused; nothing was changed unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The box has an owner.
    #[error("the box is set up already")]
    AlreadySetUp,
    /// The claim code is wrong.
    #[error("wrong claim code, {tries_left} tries left")]
    WrongClaimCode {
        /// 0: a new code was made.
        tries_left: u8,
    },
    /// Name or password is wrong.
    #[error("wrong name or password")]
    WrongCredentials,
    /// There is nobody of that name.
    #[error("there is no such user")]
    NoSuchUser,
    /// There is somebody of that name.
    #[error("a user of that name exists already")]
    UserExists,
    /// There are as many as there can be.
    #[error("there are {} users already", members::MAX_USERS)]
    TooManyUsers,
    /// It cannot be done to the owner.
    #[error("this is the owner of the box")]
    LastOwner,
    /// Too many wrong tries.
    #[error("tries are limited")]
    TooManyTries {
        /// How long to wait.
        #[source]
        source: TooManyTries,
    },
    /// There is no storage.
    #[error("storage is unavailable: {reason}")]
    StorageUnavailable {
        /// Why, in plain words.
        reason: String,
    },
    /// The store did not keep it; after a failed sync it may turn out kept at the next start.
    #[error("keep the change")]
    Keep {
        /// Why.
        #[source]
        source: KeepError,
    },
    /// No vault could be made for the new user.
    #[error("make a vault")]
    Vault {
        /// Why.
        #[source]
        source: RecordError,
    },
    /// The password could not be hashed.
    #[error("check the password")]
    Hash {
        /// Why.
        #[source]
        source: HashError,
    },
    /// The kernel gave no random bytes.
    #[error("make a session token")]
    Token {
        /// Why.
        #[source]
        source: getrandom::Error,
    },
    /// The kernel gave no random bytes.
    #[error("make a claim code")]
    Claim {
        /// Why.
        #[source]
        source: RandomError,
    },
}

/// The accounts of the box.
#[derive(Debug)]
pub struct Accounts {
    storage: Storage,
    hasher: Hasher,
    clock: Arc<dyn Clock>,
    time: BoxTime,
    memory: Mutex<Memory>,
    ownership: watch::Sender<Ownership>,
}

#[derive(Debug)]
struct Memory {
    owner: Option<User>,
    members: Vec<User>,
    sessions: Sessions,
    claim: Claim,
    limiter: Limiter,
}

impl Memory {
    /// The user of that name.
    fn user(&self, name: &str) -> Option<&User> {
        self.owner.iter().chain(&self.members).find(|user| user.name.as_str() == name)
    }
}

impl std::fmt::Debug for Ownership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ownership")
            .field("set_up", &self.set_up)
            .field("host_name", &self.host_name)
            .finish_non_exhaustive()
    }
}

impl Accounts {
    /// Takes up what was kept.
    ///
    /// # Errors
    ///
    /// When the kernel gives no random bytes for a claim code.
    pub fn new(storage: Storage, loaded: Loaded, clock: Arc<dyn Clock>) -> Result<Self, RandomError> {
        let time = BoxTime::start(loaded.ledger, clock.as_ref());
        let mut sessions = Sessions::default();
        sessions.load(loaded.sessions, time.now(clock.as_ref()));
        let claim = match &loaded.claim_code {
            Some(code) => Claim::preset(code),
            None => Claim::new()?,
        };
        let usable = matches!(storage, Storage::Usable(_));
        let ownership = Ownership {
            set_up: loaded.owner.is_some(),
            // Until somebody chooses, the box has its default name; without storage the chosen one is unknown.
            host_name: usable.then(|| loaded.host_name.unwrap_or_default()),
            claim_code: (usable && loaded.owner.is_none()).then(|| Zeroizing::new(claim.code().shown())),
        };
        let (owner, members) = (loaded.owner, loaded.members);
        let memory = Memory { owner, members, sessions, claim, limiter: Limiter::default() };
        Ok(Self {
            storage,
            hasher: Hasher::default(),
            clock,
            time,
            memory: Mutex::new(memory),
            ownership: watch::Sender::new(ownership),
        })
    }

    /// Present and later ownership.
    #[must_use]
    pub fn ownership(&self) -> watch::Receiver<Ownership> {
        self.ownership.subscribe()
    }

    /// Whether an owner exists.
    #[must_use]
    pub fn is_set_up(&self) -> bool {
        self.memory().owner.is_some()
    }

    /// Why nothing can be kept, if so.
    #[must_use]
    pub fn storage_problem(&self) -> Option<&str> {
        match &self.storage {
            Storage::Usable(records) if records.has_stopped() => Some(
                "its disk did not confirm a change; restart the box, and replace the disk if this comes back",
            ),
            Storage::Usable(_) => None,
            Storage::Unavailable { reason } => Some(reason),
        }
    }

    /// Whether somebody is still logged in with this. Unlike a request, that is no use of the session.
    #[must_use]
    pub fn has_session(&self, token: &TokenHash) -> bool {
        let now = self.time.now(self.clock.as_ref());
        self.memory().sessions.is_live(token, now)
    }

    /// Says that the disk did not take, or not confirm, a change of something else that people keep.
    pub fn disk_failed(&self) {
        if let Storage::Usable(records) = &self.storage {
            records.disk_failed();
        }
    }

    /// Ends when the disk does not confirm a change; never where nothing is kept.
    pub async fn storage_stopped(&self) {
        match &self.storage {
            Storage::Usable(records) => records.wait_stopped().await,
            Storage::Unavailable { .. } => std::future::pending().await,
        }
    }

    /// Makes somebody with the claim code the owner, and logs them in.
    ///
    /// # Errors
    ///
    /// Says why not; see [`Refusal`].
    pub async fn set_up(&self, wish: SetUpWish, from: IpAddr) -> Result<(Token, Session), Refusal> {
        let records = self.records()?;
        self.check_claim(&wish.claim_code, from)?;
        let typed = wish.password.clone();
        let vault = self.hasher.in_turn(move || record::make(&typed)).await;
        let vault = vault.map_err(|source| Refusal::Hash { source })?;
        let vault = vault.map_err(|source| Refusal::Vault { source })?;
        let password = Zeroizing::new(wish.password.as_bytes().to_vec());
        let password = self.hasher.hash(password).await.map_err(|source| Refusal::Hash { source })?;
        let owner = User { name: wish.owner, role: Role::Owner, password };
        let (token, session) = self.new_session(&owner)?;
        let hash = token.hash();
        let set_up =
            SetUp { owner: &owner, host_name: &wish.host_name, session: (&hash, &session), vault: &vault };
        records.keep_set_up(set_up).await.map_err(|source| match source {
            KeepError::AlreadySetUp => Refusal::AlreadySetUp,
            KeepError::UserExists
            | KeepError::Commit { .. }
            | KeepError::Encode { .. }
            | KeepError::Thread { .. } => Refusal::Keep { source },
        })?;
        let mut memory = self.memory();
        memory.owner = Some(owner);
        memory.sessions.add(hash, session.clone());
        drop(memory);
        self.ownership.send_replace(Ownership {
            set_up: true,
            host_name: Some(wish.host_name),
            claim_code: None,
        });
        Ok((token, session))
    }

    /// Logs somebody in.
    ///
    /// # Errors
    ///
    /// Says why not; see [`Refusal`]. An unknown name takes as long as a wrong password.
    pub async fn log_in(&self, attempt: Attempt, from: IpAddr) -> Result<(Token, Session), Refusal> {
        let records = self.records()?;
        let user = self.right_user(attempt, from).await?;
        let (token, session) = self.new_session(&user)?;
        let written = [(token.hash(), session.clone())];
        let ledger = self.time.ledger(self.clock.as_ref());
        records.keep_sessions(&written, &[], ledger).await.map_err(|source| Refusal::Keep { source })?;
        let removed = {
            let mut memory = self.memory();
            // They were removed, or got another password, while theirs was compared.
            let is_still = memory.user(user.name.as_str()) == Some(&user);
            if is_still { Ok(memory.sessions.add(token.hash(), session.clone())) } else { Err(token.hash()) }
        };
        let removed = match removed {
            Ok(removed) => removed,
            Err(token) => {
                let removed = records.keep_sessions(&[], &[token], ledger).await;
                removed.map_err(|source| Refusal::Keep { source })?;
                return Err(Refusal::WrongCredentials);
            }
        };
        if !removed.is_empty() {
            records.keep_sessions(&[], &removed, ledger).await.map_err(|source| Refusal::Keep { source })?;
        }
        Ok((token, session))
    }

    /// Whether it is the password of a user who is logged in; wrong ones count as at login.
    ///
    /// # Errors
    ///
    /// Says why not; see [`Refusal`].
    pub async fn check_password(
        &self,
        user: &UserName,
        password: Zeroizing<String>,
        from: IpAddr,
    ) -> Result<(), Refusal> {
        self.right_user(Attempt { name: user.as_str().to_owned(), password }, from).await.map(drop)
    }

    /// The user whose name and password these are; wrong ones are counted.
    pub(crate) async fn right_user(&self, attempt: Attempt, from: IpAddr) -> Result<User, Refusal> {
        let account = attempt.account();
        let candidate = {
            let mut memory = self.memory();
            memory
                .limiter
                .try_account(account, from, self.clock.uptime())
                .map_err(|source| Refusal::TooManyTries { source })?;
            memory.user(&attempt.name).cloned()
        };
        let password = Zeroizing::new(attempt.password.as_bytes().to_vec());
        let stored = candidate.as_ref().map(|user| user.password.clone());
        let matched =
            self.hasher.compare(password, stored).await.map_err(|source| Refusal::Hash { source })?;
        let (Match::Right, Some(user)) = (matched, candidate) else {
            return Err(Refusal::WrongCredentials);
        };
        self.memory().limiter.was_right(Some(account), from);
        Ok(user)
    }

    /// Whose token it is, if its session has not ended and its user is still there; that counts as a use.
    #[must_use]
    pub fn who(&self, token: &Token) -> Option<Session> {
        let mut memory = self.memory();
        let session = memory.sessions.use_now(&token.hash(), self.time.now(self.clock.as_ref()))?;
        let is_user = memory.user(session.user.as_str()).is_some_and(|user| user.role == session.role);
        is_user.then_some(session)
    }

    /// Ends a session at once, and for good when the store has kept that.
    ///
    /// # Errors
    ///
    /// When the store did not keep it: it may come back at the next start.
    pub async fn log_out(&self, token: &Token) -> Result<(), Refusal> {
        let records = self.records()?;
        self.memory().sessions.remove(&token.hash());
        let ledger = self.time.ledger(self.clock.as_ref());
        records.keep_sessions(&[], &[token.hash()], ledger).await.map_err(|source| Refusal::Keep { source })
    }

    /// Writes what has aged: uses of sessions, ended sessions, the passage of time. Called hourly, and with `last` at the end.
    ///
    /// # Errors
    ///
    /// When the store did not keep it.
    pub async fn upkeep(&self, last: bool) -> Result<(), Refusal> {
        let Storage::Usable(records) = &self.storage else { return Ok(()) };
        let upkeep = self.memory().sessions.upkeep(self.time.now(self.clock.as_ref()), last);
        let ledger = self.time.ledger(self.clock.as_ref());
        records
            .keep_sessions(&upkeep.written, &upkeep.removed, ledger)
            .await
            .map_err(|source| Refusal::Keep { source })
    }

    /// Whether somebody has the claim code of a box without an owner; wrong ones count.
    ///
    /// # Errors
    ///
    /// Says why not; see [`Refusal`].
    pub fn check_claim(&self, typed: &str, from: IpAddr) -> Result<(), Refusal> {
        let mut memory = self.memory();
        if memory.owner.is_some() {
            return Err(Refusal::AlreadySetUp);
        }
        memory
            .limiter
            .try_address(from, self.clock.uptime())
            .map_err(|source| Refusal::TooManyTries { source })?;
        match memory.claim.check(typed).map_err(|source| Refusal::Claim { source })? {
            Verdict::Right => {
                memory.limiter.was_right(None, from);
                Ok(())
            }
            Verdict::Wrong { tries_left } => Err(Refusal::WrongClaimCode { tries_left }),
            Verdict::Replaced => {
                let shown = Zeroizing::new(memory.claim.code().shown());
                self.ownership.send_modify(|ownership| ownership.claim_code = Some(shown));
                Err(Refusal::WrongClaimCode { tries_left: 0 })
            }
        }
    }

    fn new_session(&self, user: &User) -> Result<(Token, Session), Refusal> {
        let token = Token::random().map_err(|source| Refusal::Token { source })?;
        let last_used = self.time.now(self.clock.as_ref());
        Ok((token, Session { user: user.name.clone(), role: user.role, last_used }))
    }

    fn records(&self) -> Result<&Records, Refusal> {
        match &self.storage {
            Storage::Usable(records) => Ok(records),
            Storage::Unavailable { reason } => Err(Refusal::StorageUnavailable { reason: reason.clone() }),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Every change of the memory is a single assignment or insertion, so a panic leaves nothing half done.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
