//! What netd itself keeps of Wi-Fi: the country, a network that is to be joined and whose password nobody has proved yet, and the password of
//! the box's own network. Networks that were joined are iwd's to keep.

use crate::documents;
use crate::documents::DocumentError;
use crate::documents::Lasting;
use model::network::wifi::WifiJoin;
use model::preset::Country;
use model::preset::MAX_BYTES;
use model::preset::Passphrase;
use model::preset::Preset;
use serde::Deserialize;
use serde::Serialize;
use std::error::Error;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// What is easily read out and typed on a phone: no I, L, O, U, no small letters.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    country: Option<Country>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wanted: Option<WifiJoin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own_passphrase: Option<Passphrase>,
}

/// What is kept, and where.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    kept: Kept,
}

/// Why there is no password for the box's own network.
#[derive(Debug, thiserror::Error)]
enum NoPassphrase {
    #[error("make random numbers")]
    Random(#[source] getrandom::Error),
}

impl Memory {
    /// Reads the document in this folder, and takes up what was decided before the first start, once.
    #[must_use]
    pub fn load(state: &Path) -> Self {
        let path = state.join("wifi.json");
        let kept = documents::read(&path).unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn Error, "what was known of Wi-Fi is not used");
            None
        });
        let mut memory = Self { path, kept: kept.unwrap_or_default() };
        memory.take_preset(&state.join("preset.json"));
        if memory.kept.own_passphrase.is_none() {
            match passphrase() {
                Ok(passphrase) => {
                    memory.kept.own_passphrase = passphrase;
                    memory.save();
                }
                Err(error) => tracing::error!(error = &error as &dyn Error, "no network for set-up"),
            }
        }
        memory
    }

    /// Gone only once it is kept elsewhere: a cut in between has it done again.
    fn take_preset(&mut self, path: &Path) {
        let content = match read(path) {
            Ok(None) => return,
            Ok(Some(content)) => content,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn Error,
                    "what was decided before the first start is not read"
                );
                return;
            }
        };
        let wifi = match Preset::parse(&content) {
            Ok(preset) => preset.wifi,
            Err(error) => {
                // Only the place: it has a password in it.
                tracing::error!(
                    place = error.place(),
                    "what was decided before the first start makes no sense"
                );
                None
            }
        };
        if let Some(wifi) = wifi {
            self.kept.country = Some(wifi.country);
            self.kept.wanted = Some(WifiJoin { ssid: wifi.ssid, passphrase: wifi.passphrase });
            if !self.save() {
                return;
            }
        }
        if let Err(error) = fs::remove_file(path) {
            tracing::error!(
                error = &error as &dyn Error,
                "what was decided before the first start stays there"
            );
        }
    }

    /// Whose rules for radio hold.
    #[must_use]
    pub const fn country(&self) -> Option<&Country> {
        self.kept.country.as_ref()
    }

    /// The network that is to be joined.
    #[must_use]
    pub const fn wanted(&self) -> Option<&WifiJoin> {
        self.kept.wanted.as_ref()
    }

    /// Password of the box's own network.
    #[must_use]
    pub const fn own_passphrase(&self) -> Option<&Passphrase> {
        self.kept.own_passphrase.as_ref()
    }

    /// Another country.
    ///
    /// # Errors
    /// When it cannot be kept; then nothing changed.
    pub fn set_country(&mut self, country: Country) -> Result<(), DocumentError> {
        self.set(Kept { country: Some(country), ..self.kept.clone() })
    }

    /// A network to be joined, or none any more.
    ///
    /// # Errors
    /// When it cannot be kept; then nothing changed.
    pub fn set_wanted(&mut self, wanted: Option<WifiJoin>) -> Result<(), DocumentError> {
        self.set(Kept { wanted, ..self.kept.clone() })
    }

    fn set(&mut self, kept: Kept) -> Result<(), DocumentError> {
        if kept != self.kept {
            documents::write(&self.path, &kept, Lasting::ForGood)?;
            self.kept = kept;
        }
        Ok(())
    }

    fn save(&self) -> bool {
        let written = documents::write(&self.path, &self.kept, Lasting::ForGood);
        if let Err(error) = &written {
            tracing::warn!(error = error as &dyn Error, "what is known of Wi-Fi lasts until the next start");
        }
        written.is_ok()
    }
}

fn read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Zeroizing::new(Vec::new());
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut content)?;
    Ok(Some(content))
}

/// Twelve letters, 60 bits: who records the handshake can try passwords at home.
fn passphrase() -> Result<Option<Passphrase>, NoPassphrase> {
    let mut random = Zeroizing::new([0; 12]);
    getrandom::fill(random.as_mut_slice()).map_err(NoPassphrase::Random)?;
    let letter = |byte: &u8| LETTERS.get(usize::from(byte & 31)).copied().map_or('0', char::from);
    let letters: Vec<char> = random.iter().map(letter).collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    Ok(Zeroizing::new(groups.join("-")).parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESET: &str =
        r#"{"version":1,"wifi":{"ssid":"Home","passphrase":"correct horse","country":"DE"}}"#;

    #[test]
    fn a_preset_is_taken_up_once_and_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let preset = folder.path().join("preset.json");
        fs::write(&preset, PRESET).unwrap();
        let memory = Memory::load(folder.path());
        assert_eq!(memory.country().unwrap().as_str(), "DE");
        assert_eq!(memory.wanted().unwrap().ssid.as_str(), "Home");
        assert!(!preset.exists());
        let mut again = Memory::load(folder.path());
        assert_eq!((again.wanted(), again.own_passphrase()), (memory.wanted(), memory.own_passphrase()));
        again.set_wanted(None).unwrap();
        let last = Memory::load(folder.path());
        assert!(last.wanted().is_none() && last.country().is_some());
        let text = fs::read_to_string(folder.path().join("wifi.json")).unwrap();
        assert!(!text.contains("horse"), "{text}");
    }

    #[test]
    fn a_preset_that_cannot_be_kept_stays() {
        let folder = tempfile::tempdir().unwrap();
        let preset = folder.path().join("preset.json");
        fs::write(&preset, PRESET).unwrap();
        fs::create_dir(folder.path().join("wifi.new")).unwrap();
        assert!(Memory::load(folder.path()).wanted().is_some());
        assert!(preset.exists());
    }

    #[test]
    fn a_preset_without_sense_is_dropped_and_damage_is_no_reason_not_to_start() {
        let folder = tempfile::tempdir().unwrap();
        let preset = folder.path().join("preset.json");
        fs::write(&preset, "{\"version\":2}").unwrap();
        fs::write(folder.path().join("wifi.json"), "{\"country\":").unwrap();
        let memory = Memory::load(folder.path());
        assert!(memory.wanted().is_none() && memory.own_passphrase().is_some() && !preset.exists());
    }

    #[test]
    fn the_own_password_differs_from_box_to_box_and_can_be_read_out() {
        let one = passphrase().unwrap().unwrap();
        assert_eq!(one.reveal().len(), 14);
        assert!(one.reveal().bytes().all(|byte| byte == b'-' || LETTERS.contains(&byte)));
        assert_ne!(one, passphrase().unwrap().unwrap());
    }
}
