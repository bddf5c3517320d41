//! What several tests stand on.

use crate::boot_key::BootKey;
use crate::counter;
use crate::counter::Counter;
use crate::keeper::Keeper;
use crate::key::Key;
use crate::key_tree::Folder;
use crate::keyring::random_code;
use crate::luks::CRYPTSETUP;
use crate::luks::Cost;
use crate::luks::Luks;
use crate::luks::token::Purpose;
use crate::notes::Notes;
use crate::opening::Opening;
use crate::opening::Outcome;
use crate::sealer::SealError;
use crate::sealer::Sealer;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use tempfile::TempDir;
use vault::RecoveryCode;

/// A TPM that keeps what it sealed; its clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    pub(crate) kept: Arc<Mutex<Vec<Key>>>,
    pub(crate) number: Arc<Mutex<Option<u64>>>,
    pub(crate) is_there: bool,
    pub(crate) refuses: Option<&'static str>,
}

impl Default for Fake {
    fn default() -> Self {
        Self { kept: Arc::default(), number: Arc::default(), is_there: true, refuses: None }
    }
}

impl Fake {
    /// Becomes another TPM.
    pub(crate) fn forget(&self) {
        self.kept.lock().unwrap().clear();
    }

    /// What it sealed last.
    pub(crate) fn last(&self) -> Option<Key> {
        self.kept.lock().unwrap().last().cloned()
    }

    fn check(&self) -> Result<(), SealError> {
        match (self.is_there, self.refuses) {
            (false, _) => Err(SealError::Absent("there is no TPM".to_owned())),
            (true, Some(reason)) => Err(SealError::Refused(reason.to_owned())),
            (true, None) => Ok(()),
        }
    }
}

impl Sealer for Fake {
    fn seal(&mut self, key: &Key) -> Result<Value, SealError> {
        self.check()?;
        let mut kept = self.kept.lock().unwrap();
        kept.push(key.clone());
        Ok(json!(kept.len() - 1))
    }

    fn unseal(&mut self, sealed: &Value) -> Result<Key, SealError> {
        self.check()?;
        let number = usize::try_from(sealed.as_u64().unwrap()).unwrap();
        let kept = self.kept.lock().unwrap();
        kept.get(number).cloned().ok_or_else(|| SealError::Refused("another TPM".to_owned()))
    }

    fn close(&mut self) -> Result<(), SealError> {
        Ok(())
    }
}

impl Counter for Fake {
    fn count(&mut self) -> Result<Option<u64>, SealError> {
        self.check()?;
        Ok(*self.number.lock().unwrap())
    }

    fn raise_to(&mut self, number: u64) -> Result<(), SealError> {
        self.check()?;
        let mut at = self.number.lock().unwrap();
        let from = at.unwrap_or_default();
        *at = Some(from + counter::steps(from, number)?);
        Ok(())
    }

    fn clear(&mut self) -> Result<(), SealError> {
        self.check()?;
        *self.number.lock().unwrap() = None;
        Ok(())
    }
}

/// `cryptsetup`, but for what needs a kernel with device-mapper: when a partition is to be opened the key is tried only, and the volume
/// key of a partition is changed as of one that is not open.
pub(crate) fn program(folder: &Path) -> PathBuf {
    let path = folder.join("cryptsetup");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = open ]; then shift; case \" $* \" in *--test-passphrase*) ;; *)\n\
         exec {CRYPTSETUP} open --test-passphrase \"$@\" ;; esac; set -- open \"$@\"; fi\n\
         if [ \"$1\" = reencrypt ]; then shift; set -- reencrypt --force-offline-reencrypt \"$@\"; fi\nexec {CRYPTSETUP} \"$@\"\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

/// A partition that the box made, with a recovery key, as it stands after a boot in another box: locked.
pub(crate) struct Locked {
    pub(crate) folder: TempDir,
    pub(crate) sealer: Fake,
    pub(crate) recovery: RecoveryCode,
}

impl Locked {
    pub(crate) fn new() -> Self {
        let (folder, sealer) = (tempfile::tempdir().unwrap(), Fake::default());
        let device = folder.path().join("partition");
        fs::File::create(&device).unwrap().set_len(32 << 20).unwrap();
        let boot_key = BootKey::on(&folder.path().join("boot"));
        let locked = Self { folder, sealer: sealer.clone(), recovery: random_code().unwrap() };
        let mut opening = Opening { luks: locked.luks(), boot_key, sealer };
        let Outcome::Opened(opened) = opening.make().unwrap() else { panic!("locked") };
        let recovery = Key::from_bytes(locked.recovery.expose().to_vec());
        let purpose = Purpose::Recovery { is_confirmed: true };
        opening.luks.add(&opened.key, &recovery, Cost::Random, purpose).unwrap();
        locked.sealer.forget();
        locked.notes().begin(&device).unwrap();
        locked.notes().tell(&opening.open().unwrap().report()).unwrap();
        locked
    }

    pub(crate) fn luks(&self) -> Luks {
        let device = self.folder.path().join("partition");
        Luks::by(&program(self.folder.path()), &device)
    }

    pub(crate) fn notes(&self) -> Notes {
        Notes::in_folder(&self.folder.path().join("run"))
    }

    /// As it is once the partition is mounted.
    pub(crate) fn own_keys(&self) -> Folder {
        let folder = self.folder.path().join("data");
        fs::create_dir_all(&folder).unwrap();
        Folder::at(&folder)
    }

    pub(crate) fn keeper(&self) -> Keeper<Fake> {
        Keeper::begin(self.notes(), self.sealer.clone(), self.own_keys(), |_device| self.luks()).unwrap()
    }

    pub(crate) fn header(&self) -> Vec<u8> {
        fs::read(self.folder.path().join("partition")).unwrap()
    }
}
