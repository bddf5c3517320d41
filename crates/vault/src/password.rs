//! Passwords: Argon2id (RFC 9106) with a salt and costs that are kept with the wrap.

use std::fmt;

use argon2::Algorithm;
use argon2::Argon2;
use argon2::Block;
use argon2::Params;
use argon2::Version;
use zeroize::Zeroize;
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::credential::CredentialError;
use crate::credential::CredentialKind;
use crate::credential::KeyEncryptionKey;
use crate::credential::Parameter;
use crate::credential::Parameters;
use crate::encoding::Base64;
use crate::secret::KEY_BYTES;
use crate::secret::random;

const SALT_BYTES: usize = 16;

/// What one try of a password costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl PasswordCost {
    /// For every new wrap: 64 MiB and two passes, which a Raspberry Pi 4 does in less than a second; the memory is that of
    /// RFC 9106's second recommended option.
    pub const BOARD: Self = Self { memory_kib: 64 * 1024, passes: 2, lanes: 1 };

    /// Most that a wrap may ask for: twice the memory, four times the work in it. A document that asks for more was not
    /// written by us, and would only keep the box busy.
    const MOST: Self = Self { memory_kib: 128 * 1024, passes: 8, lanes: 4 };

    /// Checks costs; `None` where they are beyond [what a box bears](Self::BOARD) or not Argon2's.
    #[must_use]
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        let most = Self::MOST;
        let borne = (1..=most.lanes).contains(&lanes)
            && (1..=most.passes).contains(&passes)
            // Argon2 wants eight blocks a lane (RFC 9106 section 3.1).
            && (8 * lanes..=most.memory_kib).contains(&memory_kib);
        borne.then_some(Self { memory_kib, passes, lanes })
    }
}

/// A password that somebody typed.
#[derive(Clone)]
pub struct Password {
    bytes: Zeroizing<Vec<u8>>,
    cost: PasswordCost,
}

impl Password {
    /// Takes what was typed, with the [costs of a board](PasswordCost::BOARD) for new wraps.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self::with_cost(text, PasswordCost::BOARD)
    }

    /// The same with other costs for new wraps; existing wraps have their own.
    #[must_use]
    pub fn with_cost(text: &str, cost: PasswordCost) -> Self {
        Self { bytes: Zeroizing::new(text.as_bytes().to_vec()), cost }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password").field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl Credential for Password {
    fn kind(&self) -> CredentialKind {
        CredentialKind::Password
    }

    fn new_parameters(&self) -> Result<Parameters, CredentialError> {
        Ok(Parameters::from([
            ("memory-kib", Parameter::Number(self.cost.memory_kib.into())),
            ("passes", Parameter::Number(self.cost.passes.into())),
            ("lanes", Parameter::Number(self.cost.lanes.into())),
            ("salt", Parameter::Text(Base64(*random::<SALT_BYTES>()?).to_text())),
        ]))
    }

    fn key_encryption_key(&self, parameters: &Parameters) -> Result<KeyEncryptionKey, CredentialError> {
        let (cost, salt) =
            read(parameters).ok_or(CredentialError::Parameters { kind: CredentialKind::Password })?;
        compute(&self.bytes, &salt, cost).map_err(|source| CredentialError::Argon { source })
    }
}

/// Reads and bounds what [`Password::new_parameters`] makes.
fn read(parameters: &Parameters) -> Option<(PasswordCost, Base64<SALT_BYTES>)> {
    let number = |name| match parameters.get(name)? {
        Parameter::Number(number) => u32::try_from(*number).ok(),
        Parameter::Text(_) => None,
    };
    let cost = PasswordCost::new(number("memory-kib")?, number("passes")?, number("lanes")?)?;
    let Parameter::Text(salt) = parameters.get("salt")? else { return None };
    (parameters.count() == 4).then_some((cost, Base64::from_text(salt)?))
}

fn compute(
    password: &[u8],
    salt: &Base64<SALT_BYTES>,
    cost: PasswordCost,
) -> Result<KeyEncryptionKey, argon2::Error> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(KEY_BYTES))?;
    let mut memory = vec![Block::default(); params.block_count()];
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let computed = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        password,
        &salt.0,
        key.as_mut_slice(),
        &mut memory,
    );
    memory.iter_mut().for_each(|block| block.as_mut().zeroize());
    computed.map(|()| KeyEncryptionKey::from_bytes(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: PasswordCost = PasswordCost { memory_kib: 8, passes: 1, lanes: 1 };

    #[test]
    fn the_same_password_and_parameters_give_the_same_key_and_others_do_not() {
        let password = Password::with_cost("correct horse", CHEAP);
        let parameters = password.new_parameters().unwrap();
        let key = |text, parameters| {
            *Password::new(text).key_encryption_key(parameters).unwrap().expose().first_chunk::<32>().unwrap()
        };
        assert_eq!(key("correct horse", &parameters), key("correct horse", &parameters));
        assert_ne!(key("correct horse", &parameters), key("correct horsf", &parameters));
        let salted_otherwise = password.new_parameters().unwrap();
        assert_ne!(key("correct horse", &parameters), key("correct horse", &salted_otherwise));
    }

    /// Made with the argon2 program of the reference implementation, with the costs of every new wrap:
    /// `printf 'correct horse' | argon2 saltsaltsaltsalt -id -k 65536 -t 2 -p 1 -l 32 -r`.
    #[test]
    fn keys_are_those_of_the_reference_program() {
        let key = compute(b"correct horse", &Base64(*b"saltsaltsaltsalt"), PasswordCost::BOARD).unwrap();
        let hex: String = key.expose().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "abed2c28045c6bfa6e6dabcc81adf507599a44ab71b387e54aab03235b563bce");
    }

    #[test]
    fn costs_beyond_what_a_box_bears_are_refused_before_any_work() {
        let with = |memory: u64, passes: u64, lanes: u64, salt: &str| {
            Parameters::from([
                ("memory-kib", Parameter::Number(memory)),
                ("passes", Parameter::Number(passes)),
                ("lanes", Parameter::Number(lanes)),
                ("salt", Parameter::Text(salt.to_owned())),
            ])
        };
        let salt = Base64([7; SALT_BYTES]).to_text();
        read(&with(64 * 1024, 2, 1, &salt)).unwrap();
        for refused in [
            with(128 * 1024 + 1, 1, 1, &salt),
            with(u64::from(u32::MAX) + 65, 1, 1, &salt),
            with(64, 9, 1, &salt),
            with(64, 0, 1, &salt),
            with(64, 1, 5, &salt),
            with(64, 1, 0, &salt),
            with(15, 1, 2, &salt),
            with(64, 1, 1, "c2hvcnQ"),
            Parameters::default(),
        ] {
            let error = Password::new("x").key_encryption_key(&refused).unwrap_err();
            assert!(matches!(error, CredentialError::Parameters { .. }), "{refused:?}");
        }
    }

    #[test]
    fn is_not_shown() {
        assert!(!format!("{:?}", Password::new("horse")).contains("horse"));
    }
}
