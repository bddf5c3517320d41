//! Sessions: random tokens of which only the hash is kept, and a bounded table of them that ends by idle time.

use super::credentials::UserName;
use crate::records::Role;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;
use std::collections::HashMap;
use zeroize::Zeroizing;

/// A session without requests for this long has ended: 7 days, in seconds of box time.
pub const IDLE_SECONDS: u64 = 7 * 24 * 60 * 60;
/// Sessions at most; a new one ends the one idle longest. A household has a handful of devices.
const MAX_SESSIONS: usize = 64;
/// A use is written to disk when the stored one is older than this: an SD card wears.
const STORE_EVERY_SECONDS: u64 = 60 * 60;
const TOKEN_BYTES: usize = 32;
/// A token in base64url without padding.
const TOKEN_CHARS: usize = 43;

/// What the browser holds; not shown by `Debug`.
pub struct Token(Zeroizing<String>);

/// What we hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

/// A login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Who logged in.
    pub user: UserName,
    /// What they may do.
    pub role: Role,
    /// Last use, in seconds of box time.
    pub last_used: u64,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

impl Token {
    /// Makes a new token.
    ///
    /// # Errors
    ///
    /// When the kernel gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        getrandom::fill(bytes.as_mut_slice())?;
        Ok(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()))))
    }

    /// Takes what a browser sent, if it can be a token at all.
    #[must_use]
    pub fn from_cookie(text: &str) -> Option<Self> {
        let plausible = text.len() == TOKEN_CHARS && text.bytes().all(|b| b.is_ascii_graphic());
        plausible.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// What the browser is to send back.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What we keep. Looking a hash up needs no constant time: learning one tells nothing about its token.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl TokenHash {
    /// Takes up a stored hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The sessions in memory.
#[derive(Debug, Default)]
pub struct Sessions {
    entries: HashMap<TokenHash, Entry>,
}

#[derive(Debug)]
struct Entry {
    session: Session,
    stored_use: u64,
}

/// What to write to and remove from the store.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Sessions whose stored use is old.
    pub written: Vec<(TokenHash, Session)>,
    /// Sessions that ended.
    pub removed: Vec<TokenHash>,
}

impl Sessions {
    /// Takes up stored sessions. A use later than `now` (box time lost up to an hour in a power cut) counts as now.
    pub fn load(&mut self, stored: Vec<(TokenHash, Session)>, now: u64) {
        for (token, mut session) in stored {
            session.last_used = session.last_used.min(now);
            self.entries.insert(token, Entry { stored_use: session.last_used, session });
        }
    }

    /// Adds a session that was stored; returns those that had to make room, which are to be removed from the store.
    pub fn add(&mut self, token: TokenHash, session: Session) -> Vec<TokenHash> {
        let mut removed = Vec::new();
        while self.entries.len() >= MAX_SESSIONS {
            let Some(oldest) =
                self.entries.iter().min_by_key(|(_, entry)| entry.session.last_used).map(|(token, _)| *token)
            else {
                break;
            };
            self.entries.remove(&oldest);
            removed.push(oldest);
        }
        self.entries.insert(token, Entry { stored_use: session.last_used, session });
        removed
    }

    /// Whose session it is, if it has not ended; that counts as a use.
    pub fn use_now(&mut self, token: &TokenHash, now: u64) -> Option<Session> {
        let entry = self.entries.get_mut(token)?;
        if ended(&entry.session, now) {
            return None;
        }
        entry.session.last_used = entry.session.last_used.max(now);
        Some(entry.session.clone())
    }

    /// Whether a session has not ended; that is no use of it.
    #[must_use]
    pub fn is_live(&self, token: &TokenHash, now: u64) -> bool {
        self.entries.get(token).is_some_and(|entry| !ended(&entry.session, now))
    }

    /// Ends a session.
    pub fn remove(&mut self, token: &TokenHash) {
        self.entries.remove(token);
    }

    /// When a user's sessions were last used; `None` when none of theirs is left.
    #[must_use]
    pub fn last_use(&self, user: &UserName, now: u64) -> Option<u64> {
        let theirs = self.entries.values().map(|entry| &entry.session);
        theirs
            .filter(|session| session.user == *user && !ended(session, now))
            .map(|session| session.last_used)
            .max()
    }

    /// Lists a user's sessions but one.
    #[must_use]
    pub fn of_user_but(&self, user: &UserName, kept: Option<&TokenHash>) -> Vec<TokenHash> {
        let theirs = self.entries.iter().filter(|(_, entry)| entry.session.user == *user);
        theirs.map(|(token, _)| *token).filter(|token| Some(token) != kept).collect()
    }

    /// Drops ended sessions and says what the store has to learn; `everything` also writes uses that are hardly newer.
    pub fn upkeep(&mut self, now: u64, everything: bool) -> Upkeep {
        let mut upkeep = Upkeep::default();
        self.entries.retain(|token, entry| {
            let keep = !ended(&entry.session, now);
            if !keep {
                upkeep.removed.push(*token);
            }
            keep
        });
        for (token, entry) in &mut self.entries {
            let behind = entry.session.last_used.saturating_sub(entry.stored_use);
            if behind >= STORE_EVERY_SECONDS || (everything && behind > 0) {
                entry.stored_use = entry.session.last_used;
                upkeep.written.push((*token, entry.session.clone()));
            }
        }
        upkeep
    }
}

fn ended(session: &Session, now: u64) -> bool {
    now.saturating_sub(session.last_used) >= IDLE_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(last_used: u64) -> Session {
        Session { user: "anna".to_owned().try_into().unwrap(), role: Role::Owner, last_used }
    }

    fn token(byte: u8) -> TokenHash {
        TokenHash([byte; 32])
    }

    #[test]
    fn tokens_are_random_and_survive_the_cookie() {
        let made = Token::random().unwrap();
        assert_eq!(made.as_str().len(), TOKEN_CHARS);
        assert!(Token::from_cookie(made.as_str()).unwrap().hash() == made.hash());
        assert!(Token::random().unwrap().hash() != made.hash());
        for bad in ["", "short", &"a".repeat(44), &"ä".repeat(43)] {
            assert!(Token::from_cookie(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_session_ends_after_seven_idle_days_and_a_use_prolongs_it() {
        let mut sessions = Sessions::default();
        sessions.add(token(1), session(1000));
        assert!(sessions.use_now(&token(1), 1000 + IDLE_SECONDS - 1).is_some());
        assert!(sessions.use_now(&token(1), 1000 + 2 * IDLE_SECONDS - 2).is_some());
        assert!(sessions.use_now(&token(1), 1000 + 3 * IDLE_SECONDS).is_none());
        assert!(sessions.use_now(&token(2), 1000).is_none());
    }

    #[test]
    fn upkeep_removes_the_ended_and_writes_old_uses_once() {
        let mut sessions = Sessions::default();
        sessions.add(token(1), session(0));
        sessions.add(token(2), session(IDLE_SECONDS));
        sessions.use_now(&token(2), IDLE_SECONDS + 5000);
        let upkeep = sessions.upkeep(IDLE_SECONDS + 5000, false);
        assert_eq!(upkeep.removed, [token(1)]);
        assert_eq!(upkeep.written, [(token(2), session(IDLE_SECONDS + 5000))]);
        sessions.use_now(&token(2), IDLE_SECONDS + 5001);
        assert_eq!(sessions.upkeep(IDLE_SECONDS + 5001, false), Upkeep::default());
        assert_eq!(sessions.upkeep(IDLE_SECONDS + 5001, true).written.len(), 1);
    }

    #[test]
    fn the_table_is_bounded_and_the_idlest_makes_room() {
        let mut sessions = Sessions::default();
        for byte in 0..64 {
            assert_eq!(sessions.add(token(byte), session(1000 + u64::from(byte))), []);
        }
        sessions.use_now(&token(0), 5000);
        assert_eq!(sessions.add(token(200), session(6000)), [token(1)]);
        assert_eq!(sessions.entries.len(), 64);
    }

    #[test]
    fn a_use_in_the_lost_future_counts_as_now() {
        let mut sessions = Sessions::default();
        sessions.load(vec![(token(1), session(9000))], 6000);
        assert!(sessions.use_now(&token(1), 6000 + IDLE_SECONDS).is_none());
    }
}
