//! Private files in the backups: saved while their vaults are open, proved, restored sealed.
//!
//! Each vault has snapshots of its own, right behind the household's, of files that are sealed with the key of its archive before they leave the
//! vault ([`crate::vaults::archive`]). A vault that is locked keeps its last one.

use super::error::TaskError;
use super::error::chain;
use super::task::Workplace;
use crate::accounts::credentials::UserName;
use crate::records::BackupsRecord;
use crate::records::PrivateRecord;
use crate::records::Records;
use crate::vaults::VaultError;
use crate::vaults::Vaults;
use crate::vaults::files;
use crate::vaults::record::VaultRecord;
use crate::vaults::show::Saving;
use backup::BackUpError;
use backup::Cancel;
use backup::Control;
use backup::Drilling;
use backup::Exclude;
use backup::Keep;
use backup::Pick;
use backup::Request;
use backup::Scratch;
use backup::Series;
use backup::Source;
use std::collections::BTreeMap;
use std::error::Error;

/// Tries when somebody writes files while they are saved.
const TRIES: u32 = 3;

/// What is known of all users' private files, by their names.
pub(super) type Private = BTreeMap<String, PrivateRecord>;

/// The snapshots of a vault.
pub(super) fn series(vault: &str) -> Series {
    Series::Private { archive: vault.to_owned() }
}

/// The id of a vault.
pub(super) fn id_of(record: &VaultRecord) -> Option<String> {
    record.document().ok().map(|document| document.user().as_str().to_owned())
}

/// Saves the files of all vaults that are open, and says what is known of all.
pub(super) fn save_all(
    (records, vaults): (&Records, &Vaults),
    at: &Workplace,
    scratch: &Scratch,
    keep: Keep,
    before: &Private,
) -> Private {
    let users = match records.vaults_blocking() {
        Ok(users) => users,
        Err(error) => {
            tracing::error!(error = &error as &dyn Error, "whose private files there are cannot be read");
            return before.clone();
        }
    };
    let mut after = Private::new();
    for (user, record) in users {
        let vault = id_of(&record).unwrap_or_default();
        let known = before.get(user.as_str()).filter(|known| known.vault == vault).cloned();
        let mut known = known.unwrap_or_else(|| PrivateRecord { vault, ..PrivateRecord::default() });
        let cancel = at.control.cancel.of_a_part();
        match vaults.enter_to_save(&user, &known.vault, &cancel) {
            Ok(saving) => match save(&saving, &known.vault, at, scratch, keep, &cancel) {
                Ok((files, bytes)) => {
                    known = PrivateRecord { at: Some(at.now), files, bytes, problem: None, ..known };
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn Error, "private files were not saved");
                    known.problem = Some(chain(&error));
                }
            },
            // It keeps what was saved last.
            Err(VaultError::Locked) => {}
            Err(error) => known.problem = Some(chain(&error)),
        }
        after.insert(user.as_str().to_owned(), known);
    }
    after
}

fn save(
    saving: &Saving,
    vault: &str,
    at: &Workplace,
    scratch: &Scratch,
    keep: Keep,
    cancel: &Cancel,
) -> Result<(u64, u64), TaskError> {
    let source = Source {
        name: vault.to_owned(),
        path: saving.lease.folder().to_owned(),
        exclude: vec![Exclude::Name(format!("{}*", files::ASIDE))],
        key: Some(saving.key.clone()),
    };
    let request = Request {
        series: series(vault),
        sources: vec![source],
        // What did not open after a restore lies in older snapshots only.
        keep: saving.is_whole.then_some(keep),
        now: at.now,
    };
    let control = Control { cancel: cancel.clone(), observer: at.control.observer.clone() };
    let mut tries = 1;
    loop {
        match backup::back_up(&at.owner, &at.target, &request, scratch, &control) {
            Ok(report) => {
                if !report.left_out.is_empty() {
                    tracing::warn!(left_out = ?report.left_out, "not everything in a vault is a file");
                }
                let listed = files::list(saving.lease.folder()).map_err(VaultError::from);
                let listed = listed.map_err(|error| TaskError::Vault(Box::new(error)))?;
                return Ok((listed.len() as u64, listed.iter().map(|file| file.bytes).sum()));
            }
            Err(BackUpError::Changed) if tries < TRIES => tries += 1,
            Err(BackUpError::Cancelled) if !at.control.cancel.is_cancelled() => {
                return Err(TaskError::LockedMeanwhile);
            }
            Err(error) => return Err(TaskError::BackUp(error)),
        }
    }
}

/// Proves the newest private snapshots: as they lie there, and where a vault is open by opening every file.
pub(super) fn drill(
    vaults: &Vaults,
    at: &Workplace,
    scratch: &Scratch,
    known: &Private,
) -> Result<(), TaskError> {
    for (user, record) in known.iter().filter(|(_, record)| record.at.is_some()) {
        let cancel = at.control.cancel.of_a_part();
        let name = UserName::try_from(user.clone()).ok();
        let saving = name.and_then(|name| vaults.enter_to_save(&name, &record.vault, &cancel).ok());
        let key = saving.map(|saving| saving.key);
        let drilling = Drilling { series: series(&record.vault), snapshot: Pick::Newest, key };
        backup::drill(&at.owner, &at.target, &drilling, scratch, at.now, &at.control)
            .map_err(|source| TaskError::PrivateDrill { user: user.clone(), source: Box::new(source) })?;
    }
    Ok(())
}

/// Users whose snapshots are to be there, and are not, cannot be restored: it is told with the backups of the restored box.
pub(super) fn note_missing(kept: &mut BackupsRecord, missing: &[String]) -> bool {
    let mut is_told = false;
    for user in missing {
        if let Some(known) = kept.private.get_mut(user).filter(|known| known.at.is_some()) {
            let problem = "they were not in the backup that this box was restored from".to_owned();
            *known = PrivateRecord {
                vault: known.vault.clone(),
                problem: Some(problem),
                ..PrivateRecord::default()
            };
            is_told = true;
        }
    }
    is_told
}
