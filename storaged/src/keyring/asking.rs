//! A passphrase in place of the key on the boot partition: the box asks at each start, and who has its disk has nothing.

use super::Keep;
use super::Keyring;
use super::KeyringError;
use super::Passphrase;
use crate::luks::Cost;
use crate::luks::token::Purpose;
use model::storage::KeyKind;

/// Fewest letters: each guess at the disk costs two seconds of a board and 128 MiB.
const FEWEST: usize = 12;
/// Most bytes, well below what a line of `cryptsetup` takes.
const MOST: usize = 512;

/// Why there is no passphrase. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAsked {
    /// It would be guessed.
    #[error("a passphrase has at least {FEWEST} letters")]
    TooShort,
    /// Nobody types that.
    #[error("a passphrase has at most {MOST} bytes")]
    TooLong,
    /// It could not be typed, or not be carried over to another volume key.
    #[error("a passphrase has no control characters")]
    Control,
    /// There would be no way back from a passphrase that is forgotten.
    #[error(
        "make and confirm a recovery key first: nothing else opens the data when the passphrase is forgotten"
    )]
    NoRecoveryKey,
    /// The box opens its data by itself, and whoever has the disk does not.
    #[error("this box has a security chip, which keeps its key")]
    HasTpm,
}

impl Passphrase {
    /// Checks one that somebody thought up.
    ///
    /// # Errors
    /// When it is too short, too long or cannot be typed.
    pub fn parse(text: &str) -> Result<Self, NotAsked> {
        if text.chars().any(char::is_control) {
            return Err(NotAsked::Control);
        }
        if text.len() > MOST {
            return Err(NotAsked::TooLong);
        }
        if text.chars().count() < FEWEST {
            return Err(NotAsked::TooShort);
        }
        Ok(Self::typed(text))
    }
}

impl Keyring {
    /// Has the box ask for this passphrase at each start, in place of the key on the boot partition or of an earlier passphrase. The
    /// next boot destroys the key file, which opens nothing any more.
    ///
    /// # Errors
    /// When it is none, there is no recovery key, or the header cannot be changed.
    pub fn set_passphrase(&mut self, text: &str, keep: Keep<'_>) -> Result<(), KeyringError> {
        let passphrase = Passphrase::parse(text)?;
        let metadata = self.luks.metadata()?;
        if metadata.of_kind(KeyKind::Tpm).next().is_some() {
            return Err(NotAsked::HasTpm.into());
        }
        let confirmed = Purpose::Recovery { is_confirmed: true };
        if !metadata.tokens.values().any(|token| token.purpose == confirmed) {
            return Err(NotAsked::NoRecoveryKey.into());
        }
        let slot = self.luks.add(&self.opening, &passphrase.0, Cost::Typed, Purpose::Passphrase {})?;
        self.adopt(&passphrase.0, keep)?;
        for kind in [KeyKind::BootKey, KeyKind::Passphrase] {
            for (_, token) in metadata.of_kind(kind).filter(|(_, token)| token.slot != slot) {
                self.luks.remove(token.slot)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use crate::keyring::unlock;
    use crate::luks::Luks;
    use crate::luks::LuksError;
    use crate::luks::metadata::Slot;
    use crate::luks::token::Token;
    use std::io;

    const WORDS: &str = "nine warm stones";

    fn kept(_key: &Key) -> io::Result<()> {
        Ok(())
    }

    fn kinds(luks: &Luks) -> Vec<KeyKind> {
        luks.metadata().unwrap().told().into_iter().map(|slot| slot.kind).collect()
    }

    #[test]
    fn what_would_be_guessed_or_cannot_be_typed_is_refused() {
        for (text, why) in [
            ("", NotAsked::TooShort),
            ("elevenbytes", NotAsked::TooShort),
            ("ööööööö", NotAsked::TooShort),
            ("two\nlines of text", NotAsked::Control),
            (&"x".repeat(513), NotAsked::TooLong),
        ] {
            assert_eq!(Passphrase::parse(text).unwrap_err(), why, "{text:?}");
        }
        let shown = format!("{:?}", Passphrase::parse(WORDS).unwrap());
        assert!(!shown.contains("stones"), "{shown}");
    }

    #[test]
    fn it_takes_the_place_of_the_key_file_and_of_an_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let device = folder.path().join("partition");
        std::fs::File::create(&device).unwrap().set_len(32 << 20).unwrap();
        let (luks, key) =
            (Luks::by(&crate::testing::program(folder.path()), &device), Key::random().unwrap());
        luks.format(&key, Cost::Random).unwrap();
        luks.import(&Token { slot: Slot(0), purpose: Purpose::BootKey {} }, None).unwrap();
        let mut ring = Keyring::new(luks.clone(), key.clone());
        let alone = ring.set_passphrase(WORDS, &kept).unwrap_err();
        assert!(matches!(alone, KeyringError::Passphrase(NotAsked::NoRecoveryKey)), "{alone}");
        let code = ring.new_recovery_key(&kept).unwrap();
        let text = code.to_text();
        ring.confirm_recovery_key(&text[text.len() - 9..], &kept).unwrap();
        let typed = unlock(&luks, WORDS).unwrap_err();
        assert!(matches!(typed, KeyringError::Typed(_)), "without a passphrase only recovery keys are typed");

        ring.set_passphrase(WORDS, &kept).unwrap();
        assert_eq!(kinds(&luks), [KeyKind::Recovery, KeyKind::Passphrase]);
        assert!(matches!(luks.test(&key), Err(LuksError::WrongKey(_))));
        assert_eq!(unlock(&luks, WORDS).unwrap().1, KeyKind::Passphrase);
        assert_eq!(unlock(&luks, &text).unwrap().1, KeyKind::Recovery);
        let wrong = unlock(&luks, "nine cold stones").unwrap_err();
        assert!(matches!(wrong, KeyringError::Luks(LuksError::WrongKey(_))), "{wrong}");
        ring.set_passphrase("ten warm stones", &kept).unwrap();
        assert_eq!(kinds(&luks).len(), 2);
        assert!(matches!(unlock(&luks, WORDS), Err(KeyringError::Luks(LuksError::WrongKey(_)))));
        assert_eq!(ring.opening_key().bytes(), b"ten warm stones");
    }
}
