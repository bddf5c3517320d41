//! A new box becomes the household that a recovery kit and a backup are of.
//!
//! ```text
//! backup ── restored to a private folder, every byte compared ──> export ── imported aside, opened, read ─┬─> noted ──> hostd anew
//! private files of each vault in it ── restored beside, sealed as they are, every byte compared ──────────┘
//! ```
//! Each user's are opened when they open their vault first ([`crate::vaults::restored`]).
//! Nothing live is touched before the last arrow but one; whatever is wrong before is told, and the box stays as new as it was.

use super::Backups;
use super::error::TaskError;
use super::error::chain;
use super::lock;
use super::private;
use super::settings::Place;
use super::task::SOURCE;
use super::task::STORE_FILE;
use super::task::Workplace;
use super::task::make_folder;
use super::task::open_scratch;
use crate::app::App;
use crate::household::authority::Authority;
use crate::household::authority::AuthorityError;
use crate::records;
use crate::records::KeepError;
use crate::records::LoadError;
use crate::records::Records;
use crate::storage::restored;
use crate::storage::restored::ExchangeError;
use crate::storaged::KeysError;
use backup::Cancel;
use backup::Control;
use backup::Observer;
use backup::Owner;
use backup::Pick;
use backup::Progress;
use backup::RecoveryKit;
use backup::Restoring;
use backup::Series;
use model::control::ControlAnswer;
use model::control::ControlRequest;
use std::error::Error;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use store::ImportError;
use store::Limits;
use store::OpenError;
use store::OpenOptions;
use store::Sealing;
use store::SledStore;
use store::StoreKey;
use tokio::sync::watch;

/// How a restore is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Restored {
    /// Nobody has asked for one.
    #[default]
    No,
    /// It runs.
    Running(Option<Progress>),
    /// It was refused, and nothing was changed.
    Refused(String),
    /// Everything is in place; hostd starts anew with it.
    Done,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The place, or a private folder.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The backup.
    #[error(transparent)]
    Restore(backup::RestoreError),
    /// What was restored is no backup of a box.
    #[error("the backup has no records of a box")]
    NoRecords(#[source] io::Error),
    /// The records are damaged, or of another key.
    #[error("the records in the backup are refused")]
    Import(#[source] ImportError),
    /// They do not open.
    #[error("the restored records cannot be opened")]
    Open(#[source] OpenError),
    /// They are not understood.
    #[error("the restored records cannot be read")]
    Load(#[source] LoadError),
    /// Nobody owns what was restored.
    #[error("the restored records are not of a box that was set up")]
    NotSetUp,
    /// The authority in them.
    #[error("the restored household authority cannot be used")]
    Authority(#[source] AuthorityError),
    /// They are of another household than the kit.
    #[error("the restored records are of another household than the recovery kit")]
    OtherHousehold,
    /// Old sessions.
    #[error("old sessions cannot be ended")]
    Sessions(#[source] KeepError),
    /// Private files.
    #[error("the private files of {user} in the backup are refused")]
    Private {
        /// Whose.
        user: String,
        /// Why.
        #[source]
        source: Box<backup::RestoreError>,
    },
    /// That some are not there.
    #[error("that private files are missing in the backup cannot be noted")]
    Missing(#[source] KeepError),
    /// storaged.
    #[error("the box's keys cannot be reached")]
    Keys(#[source] KeysError),
    /// Somebody was faster.
    #[error("somebody has set up the box meanwhile")]
    SetUpMeanwhile,
    /// The last step.
    #[error("that the restored records are the box's cannot be noted")]
    Exchange(#[source] ExchangeError),
}

struct Teller(watch::Sender<Restored>);

impl Observer for Teller {
    fn progress(&self, progress: &Progress) {
        self.0.send_replace(Restored::Running(Some(progress.clone())));
    }
}

impl Backups {
    /// How the restore is.
    #[must_use]
    pub fn restored(&self) -> Restored {
        self.0.restored.borrow().clone()
    }

    /// Restores into this box, which nobody has set up, and has hostd start anew. It goes on by itself.
    ///
    /// # Errors
    ///
    /// When another task runs.
    pub fn begin_restore(
        &self,
        app: Arc<App>,
        kit: RecoveryKit,
        place: Place,
    ) -> Result<(), super::error::BackupsError> {
        let turn = self.take_turn()?;
        self.0.restored.send_replace(Restored::Running(None));
        let backups = self.clone();
        drop(tokio::spawn(async move {
            let ended = backups.restore(&app, kit, &place).await;
            backups.0.restored.send_replace(match &ended {
                Ok(()) => Restored::Done,
                Err(error) => Restored::Refused(chain(error)),
            });
            drop(turn);
            match ended {
                Ok(()) => start_anew(&app).await,
                Err(error) => tracing::warn!(error = &error as &dyn Error, "nothing was restored"),
            }
        }));
        Ok(())
    }

    async fn restore(&self, app: &App, kit: RecoveryKit, place: &Place) -> Result<(), RestoreError> {
        let cancel = Cancel::new();
        *lock(&self.0.cancel) = cancel.clone();
        let key = app.storaged.own_store_key().await.map_err(RestoreError::Keys)?;
        let target = self.reach(place).await?;
        let observer: Arc<dyn Observer> = Arc::new(Teller(self.0.restored.clone()));
        let at = Workplace {
            owner: Owner { household: kit.household, key: kit.key },
            target,
            folder: self.0.folder.clone(),
            control: Control { cancel, observer: Some(observer) },
            now: self.0.clock.wall_unix(),
        };
        let state = self.state_folder();
        let made = tokio::task::spawn_blocking(move || prepare(&at, &state, &key)).await;
        self.leave(place).await;
        made.map_err(TaskError::Thread)??;
        let anchor = app.storaged.anchor().await.map_err(RestoreError::Keys)?;
        let Ok(records) = self.records() else { return Err(TaskError::NoStore.into()) };
        // From here on the store of the new box takes nothing more that would be lost.
        records.retire().await;
        let committed = if app.accounts.is_set_up() {
            Err(RestoreError::SetUpMeanwhile)
        } else {
            restored::commit(&self.state_folder(), anchor).map_err(RestoreError::Exchange)
        };
        if committed.is_err() {
            records.resume();
        }
        committed
    }

    fn state_folder(&self) -> PathBuf {
        self.0.folder.parent().unwrap_or(&self.0.folder).to_owned()
    }
}

async fn start_anew(app: &App) {
    tracing::info!("a backup was restored; everything starts anew with it");
    match app.host.ask(ControlRequest::Restart { unit: "hostd".to_owned() }).await {
        Ok(ControlAnswer::Accepted) => {}
        Ok(answer) => tracing::error!(?answer, "init does not start hostd anew; restart the box"),
        Err(error) => {
            tracing::error!(error = &error as &dyn Error, "init does not start hostd anew; restart the box");
        }
    }
}

/// Up to a whole, closed store that waits beside the one in use.
fn prepare(at: &Workplace, state: &Path, key: &StoreKey) -> Result<(), RestoreError> {
    // Held: the only task of this folder.
    let _scratch = open_scratch(&at.folder)?;
    let into = at.folder.join("restored");
    let failed = |doing| {
        let path = into.clone();
        move |source| TaskError::Folder { doing, path, source }
    };
    if into.exists() {
        fs::remove_dir_all(&into).map_err(failed("empty"))?;
    }
    make_folder(&into)?;
    let restoring =
        Restoring { series: Series::Household, snapshot: Pick::Newest, into: into.clone(), owners: false };
    let done = backup::restore(&at.owner, &at.target, &restoring, &at.control)
        .map_err(RestoreError::Restore)
        .and_then(|_report| import(at, &into, state, key));
    fs::remove_dir_all(&into).map_err(failed("remove"))?;
    done
}

/// The sealed files of each vault in a store that was imported. Who never had any saved has none.
fn restore_private(at: &Workplace, records: &Records, state: &Path) -> Result<(), RestoreError> {
    let sealed = restored::place_of_sealed(state).map_err(RestoreError::Exchange)?;
    let mut missing = Vec::new();
    for (user, record) in records.vaults_blocking().map_err(RestoreError::Load)? {
        let Some(vault) = private::id_of(&record) else { continue };
        let into = sealed.join(&vault);
        make_folder(&into)?;
        let series = private::series(&vault);
        let restoring = Restoring { series, snapshot: Pick::Newest, into: into.clone(), owners: false };
        match backup::restore(&at.owner, &at.target, &restoring, &at.control) {
            Ok(report) => tracing::info!(files = report.files, "sealed private files were restored"),
            Err(backup::RestoreError::NoSnapshot { .. }) => {
                missing.push(user.as_str().to_owned());
                let failed = |source| TaskError::Folder { doing: "remove", path: into.clone(), source };
                fs::remove_dir(&into).map_err(failed)?;
            }
            Err(source) => {
                return Err(RestoreError::Private {
                    user: user.as_str().to_owned(),
                    source: Box::new(source),
                });
            }
        }
    }
    if let Some(mut kept) = records.backups_blocking().map_err(RestoreError::Load)?
        && private::note_missing(&mut kept, &missing)
    {
        records.keep_backups_blocking(&kept).map_err(RestoreError::Missing)?;
    }
    restored::sync_sealed(&sealed).map_err(RestoreError::Exchange)
}

fn import(at: &Workplace, into: &Path, state: &Path, key: &StoreKey) -> Result<(), RestoreError> {
    let path = into.join("files").join(SOURCE).join(STORE_FILE);
    let mut file = File::open(path).map_err(RestoreError::NoRecords)?;
    let store = restored::place(state).map_err(RestoreError::Exchange)?;
    let exported = StoreKey::from_bytes(*at.owner.key.export_key());
    let sealing = Sealing { key: &exported, store: records::EXPORTED_AS };
    SledStore::import(&store, key, Limits::default(), &sealing, &mut file).map_err(RestoreError::Import)?;
    check(&store, key, at, state)
}

/// Reads the restored store as the next start will, and ends what must not come back.
fn check(path: &Path, key: &StoreKey, at: &Workplace, state: &Path) -> Result<(), RestoreError> {
    let known = records::migrations();
    let (store, _opened) = OpenOptions::new(key).migrations(&known).open(path).map_err(RestoreError::Open)?;
    let records = Records::in_sled(Arc::new(store));
    let kept = records.load_blocking().map_err(RestoreError::Load)?;
    let (Some(authority), Some(_owner)) = (kept.authority, kept.owner) else {
        return Err(RestoreError::NotSetUp);
    };
    Authority::from_stored(&authority).map_err(RestoreError::Authority)?;
    let backups = records.backup_key_blocking().map_err(RestoreError::Load)?;
    if backups.is_none_or(|backups| backups.household != at.owner.household) {
        return Err(RestoreError::OtherHousehold);
    }
    restore_private(at, &records, state)?;
    records.end_sessions_blocking().map_err(RestoreError::Sessions)
}
