//! Password hashes: Argon2id, stored as PHC strings, one computation at a time.
//!
//! A computation takes 19 MiB and some tens of milliseconds of a core. [`Hasher`] runs them one after another on a blocking
//! thread and refuses when too many wait, so that a burst of logins costs neither memory nor the rest of the daemon's time.

use argon2::Algorithm;
use argon2::Argon2;
use argon2::Block;
use argon2::Params;
use argon2::Version;
use argon2::password_hash::Ident;
use argon2::password_hash::Output;
use argon2::password_hash::ParamsString;
use argon2::password_hash::PasswordHash;
use argon2::password_hash::Salt;
use argon2::password_hash::SaltString;
use std::sync::Arc;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Memory in KiB, passes, lanes: the smallest set that OWASP's password storage cheat sheet names for Argon2id (m=19456, t=2, p=1).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const OUTPUT_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
/// Computations that may wait for their turn; the last waits a few seconds on the slowest board.
const QUEUE: usize = 8;
/// Blocks of 1 KiB that are reserved, though only [`MEMORY_KIB`] are touched. glibc gives an allocation above 32 MiB
/// (`DEFAULT_MMAP_THRESHOLD_MAX`) a mapping of its own and returns it whole when it is freed; a smaller one raises the
/// threshold when it is first freed, and from then on 19 MiB would stay in the heap of an idle daemon.
const RESERVED_BLOCKS: usize = 33 * 1024;
/// Salt for the computation that is made for a name nobody has, so that it takes as long as one that is known.
const NOBODYS_SALT: &[u8; SALT_BYTES] = b"nobody has this.";

/// A stored hash: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct StoredHash(String);

impl std::fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredHash(…)")
    }
}

/// Why no hash could be computed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many others wait.
    #[error("too many password checks at once")]
    Busy,
    /// The kernel gave no random bytes.
    #[error("take random bytes for a salt")]
    Random {
        /// What it said.
        #[source]
        source: getrandom::Error,
    },
    /// Parameters, salt or result were refused.
    #[error("compute a password hash")]
    Argon {
        /// What was refused.
        #[source]
        source: argon2::Error,
    },
    /// The stored text is no such hash.
    #[error("read a stored password hash")]
    Stored {
        /// What is wrong with it.
        #[source]
        source: argon2::password_hash::Error,
    },
    /// The computation panicked.
    #[error("wait for a password hash")]
    Thread {
        /// The runtime's account.
        #[source]
        source: tokio::task::JoinError,
    },
}

/// Whether a password is the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// It is.
    Right,
    /// It is not, or there is nobody whose it could be.
    Wrong,
}

/// Computes hashes one at a time.
#[derive(Clone, Debug)]
pub struct Hasher {
    queue: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self { queue: Arc::new(Semaphore::new(QUEUE)), turn: Arc::new(Semaphore::new(1)) }
    }
}

impl Hasher {
    /// Hashes a new password with a new salt.
    ///
    /// # Errors
    ///
    /// When too many others wait, or the computation fails.
    pub async fn hash(&self, password: Zeroizing<Vec<u8>>) -> Result<StoredHash, HashError> {
        self.run(move || hash_blocking(&password)).await
    }

    /// Compares a password with a stored hash; without one the same work is done and the answer is [`Match::Wrong`].
    ///
    /// # Errors
    ///
    /// When too many others wait, the stored hash is damaged, or the computation fails.
    pub async fn compare(
        &self,
        password: Zeroizing<Vec<u8>>,
        stored: Option<StoredHash>,
    ) -> Result<Match, HashError> {
        self.run(move || compare_blocking(&password, stored.as_ref())).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        self.in_turn(work).await?
    }

    /// Does other costly work of a password, such as opening a vault, when nobody else's is being done.
    ///
    /// # Errors
    ///
    /// When too many others wait, or the work panics.
    pub async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let _place = self.queue.try_acquire().map_err(|_full| HashError::Busy)?;
        // Owned, and moved into the thread: a caller that hangs up must not let the next computation begin beside this one.
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_closed| HashError::Busy)?;
        let work = move || {
            let result = work();
            drop(turn);
            result
        };
        tokio::task::spawn_blocking(work).await.map_err(|source| HashError::Thread { source })
    }
}

fn hash_blocking(password: &[u8]) -> Result<StoredHash, HashError> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|source| HashError::Random { source })?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT_BYTES))
        .map_err(|source| HashError::Argon { source })?;
    let output = compute(password, &salt, &params)?;
    let stored = |source| HashError::Stored { source };
    let salt = SaltString::encode_b64(&salt).map_err(stored)?;
    let text = PasswordHash {
        algorithm: Ident::from(Algorithm::Argon2id),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(stored)?,
        salt: Some(salt.as_salt()),
        hash: Some(Output::new(output.as_slice()).map_err(stored)?),
    };
    Ok(StoredHash(text.to_string()))
}

fn compare_blocking(password: &[u8], stored: Option<&StoredHash>) -> Result<Match, HashError> {
    let Some(stored) = stored else {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT_BYTES))
            .map_err(|source| HashError::Argon { source })?;
        std::hint::black_box(compute(password, NOBODYS_SALT, &params)?);
        return Ok(Match::Wrong);
    };
    let damaged = |source| HashError::Stored { source };
    let parsed = PasswordHash::new(&stored.0).map_err(damaged)?;
    let params = Params::try_from(&parsed).map_err(damaged)?;
    let salt = parsed.salt.ok_or(argon2::password_hash::Error::PhcStringField).map_err(damaged)?;
    let mut salt_bytes = [0; Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut salt_bytes).map_err(damaged)?;
    let expected = parsed.hash.ok_or(argon2::password_hash::Error::PhcStringField).map_err(damaged)?;
    let output = Output::new(compute(password, salt, &params)?.as_slice()).map_err(damaged)?;
    // `Output` compares in constant time.
    Ok(if output == expected { Match::Right } else { Match::Wrong })
}

fn compute(
    password: &[u8],
    salt: &[u8],
    params: &Params,
) -> Result<Zeroizing<[u8; OUTPUT_BYTES]>, HashError> {
    let mut memory: Vec<Block> = Vec::with_capacity(RESERVED_BLOCKS);
    memory.resize(params.block_count(), Block::default());
    let mut output = Zeroizing::new([0; OUTPUT_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into_with_memory(password, salt, output.as_mut_slice(), &mut memory)
        .map_err(|source| HashError::Argon { source })?;
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_fits_its_password_and_no_other() {
        let stored = hash_blocking(b"correct horse").unwrap();
        assert!(stored.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", stored.0);
        assert_eq!(compare_blocking(b"correct horse", Some(&stored)).unwrap(), Match::Right);
        assert_eq!(compare_blocking(b"correct horsf", Some(&stored)).unwrap(), Match::Wrong);
        assert_eq!(compare_blocking(b"correct horse", None).unwrap(), Match::Wrong);
        assert_ne!(stored, hash_blocking(b"correct horse").unwrap());
    }

    #[test]
    fn a_hash_made_by_the_reference_program_is_understood() {
        // Test vector of the Argon2 reference implementation (test.c: version 0x13, t=2, m=2^16, p=1, "password", "somesalt").
        let stored = StoredHash(
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
                .to_owned(),
        );
        assert_eq!(compare_blocking(b"password", Some(&stored)).unwrap(), Match::Right);
        assert_eq!(compare_blocking(b"passwore", Some(&stored)).unwrap(), Match::Wrong);
    }

    #[test]
    fn a_damaged_hash_is_an_error_and_never_a_match() {
        for text in ["", "$argon2id$v=19$m=19456,t=2,p=1", "plain"] {
            assert!(matches!(
                compare_blocking(b"x", Some(&StoredHash(text.to_owned()))),
                Err(HashError::Stored { .. })
            ));
        }
    }

    #[tokio::test]
    async fn callers_beyond_the_queue_are_refused() {
        let hasher = Hasher::default();
        let turn = Arc::clone(&hasher.turn).acquire_owned().await.unwrap();
        let waiting: Vec<_> = (0..QUEUE)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.compare(Zeroizing::new(b"x".to_vec()), None).await })
            })
            .collect();
        while hasher.queue.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = hasher.compare(Zeroizing::new(b"x".to_vec()), None).await;
        assert!(matches!(refused, Err(HashError::Busy)));
        drop(turn);
        for one in waiting {
            assert_eq!(one.await.unwrap().unwrap(), Match::Wrong);
        }
    }
}
