//! What is asked of the keeper.

use super::Event;
use super::Keeper;
use crate::apps::App;
use crate::daemon::uptime;
use crate::daemon::work::VolumeJob;
use crate::daemon::work::VolumeWork;
use crate::image::Reference;
use crate::state;
use crate::state::Record;
use crate::state::Removal;
use crate::volumes::VolumeError;
use crate::words::chain;
use hostapi::containers1::Containers1Error;
use model::containers::AppReport;
use model::containers::AppSpec;
use model::containers::AppState;
use model::containers::DataState;
use model::containers::PartName;
use model::containers::Wanted;
use model::network::names::AppKey;
use std::collections::BTreeMap;
use tokio::sync::oneshot;
use vault::directory::DirectoryKey;

/// Where an answer goes.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, Containers1Error>>;

/// A question or an order.
pub(crate) enum Ask {
    Set(AppKey, AppSpec, Answer<()>),
    Spec(AppKey, Answer<AppSpec>),
    Unlock(AppKey, DirectoryKey, oneshot::Sender<Result<(), VolumeError>>, Answer<()>),
    Lock(AppKey, Answer<()>),
    Start(AppKey, Answer<()>),
    Stop(AppKey, Answer<()>),
    Restart(AppKey, Answer<()>),
    Remove(AppKey, Removal, Answer<()>),
    Reports(Answer<Vec<AppReport>>),
    /// Whether there is such a container, and its log can be read.
    Know(AppKey, PartName, Answer<()>),
    /// Whether no app uses an image.
    Spare(Reference, Answer<()>),
    Volumes(AppKey, VolumeJob, Answer<()>),
}

impl Keeper {
    pub(in crate::daemon) async fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Set(app, spec, answer) => drop(answer.send(self.set(&app, spec).await)),
            Ask::Spec(app, answer) => {
                let known = self.known(&app).map(|managed| managed.app.spec().clone());
                drop(answer.send(known));
            }
            Ask::Unlock(app, key, done, answer) => drop(answer.send(self.unlock(&app, key, done))),
            Ask::Lock(app, answer) => {
                let locked = self.lasting(&app).map(drop);
                if locked.is_ok() {
                    self.step(&app, Event::Lock);
                }
                drop(answer.send(locked));
            }
            Ask::Start(app, answer) => {
                drop(answer.send(self.want(&app, Wanted::Running, Event::Want(Wanted::Running)).await));
            }
            Ask::Stop(app, answer) => {
                drop(answer.send(self.want(&app, Wanted::Stopped, Event::Want(Wanted::Stopped)).await));
            }
            Ask::Restart(app, answer) => {
                drop(answer.send(self.want(&app, Wanted::Running, Event::Restart).await));
            }
            Ask::Remove(app, removal, answer) => drop(answer.send(self.remove(&app, removal).await)),
            Ask::Reports(answer) => drop(answer.send(Ok(self.reports()))),
            Ask::Know(app, part, answer) => drop(answer.send(self.know(&app, &part))),
            Ask::Spare(image, answer) => drop(answer.send(self.spare(&image))),
            Ask::Volumes(app, job, answer) => drop(answer.send(self.volumes(&app, job))),
        }
    }

    fn known(&mut self, key: &AppKey) -> Result<&mut super::Managed, Containers1Error> {
        if let Some(error) = self.damaged.get(key) {
            return Err(Containers1Error::Refused(chain(error)));
        }
        self.apps.get_mut(key).ok_or_else(|| Containers1Error::UnknownApp(format!("there is no app {key}")))
    }

    /// The same, when it is not being removed.
    fn lasting(&mut self, key: &AppKey) -> Result<&mut super::Managed, Containers1Error> {
        let managed = self.known(key)?;
        if managed.record.removal.is_some() {
            return Err(Containers1Error::Refused(format!("{key} is being removed")));
        }
        Ok(managed)
    }

    async fn set(&mut self, key: &AppKey, spec: AppSpec) -> Result<(), Containers1Error> {
        spec.check().map_err(|error| Containers1Error::Invalid(error.to_string()))?;
        if self.apps.contains_key(key) {
            let record = Record { spec: Some(spec.clone()), ..self.lasting(key)?.record.clone() };
            self.keep(key, &record).await?;
            self.lasting(key)?.record = record;
            self.step(key, Event::Set(spec));
            return Ok(());
        }
        let record = match self.dormant.get(key) {
            Some(record) => Record { spec: Some(spec.clone()), ..record.clone() },
            None => Record::new(self.free_ids(key)?, spec.clone()),
        };
        self.keep(key, &record).await?;
        self.dormant.remove(key);
        if self.damaged.remove(key).is_some() {
            // What runs of it is taken over, and started anew.
            self.take_up(key, record).await;
        } else {
            let app = App::new(spec, Wanted::Stopped).with_data(self.is_open(key).await);
            self.manage(key, record, app);
        }
        self.step(key, Event::Due);
        Ok(())
    }

    fn unlock(
        &mut self,
        key: &AppKey,
        secret: DirectoryKey,
        done: oneshot::Sender<Result<(), VolumeError>>,
    ) -> Result<(), Containers1Error> {
        let managed = self.lasting(key)?;
        managed.worker.unlock(secret, managed.record.project(), done);
        self.step(key, Event::Unlocking);
        Ok(())
    }

    /// A range of ids that no other app has, as far as all of them are known.
    fn free_ids(&self, key: &AppKey) -> Result<u32, Containers1Error> {
        if let Some((_, error)) = self.damaged.iter().find(|(other, _)| *other != key) {
            let said = format!("no app can be added while one is not known: {}", chain(error));
            return Err(Containers1Error::Refused(said));
        }
        let records = self.apps.values().map(|managed| &managed.record).chain(self.dormant.values());
        state::free_ids(records)
            .ok_or_else(|| Containers1Error::Refused(format!("{} apps are the most", state::MAX_APPS)))
    }

    async fn want(&mut self, key: &AppKey, wanted: Wanted, event: Event) -> Result<(), Containers1Error> {
        let record = Record { wanted, ..self.lasting(key)?.record.clone() };
        self.keep(key, &record).await?;
        self.lasting(key)?.record = record;
        self.step(key, event);
        Ok(())
    }

    async fn remove(&mut self, key: &AppKey, removal: Removal) -> Result<(), Containers1Error> {
        if let Some(record) = self.dormant.get(key).cloned() {
            if removal == Removal::KeepData {
                return Ok(());
            }
            self.manage(key, record, App::new(AppSpec::default(), Wanted::Stopped));
            self.dormant.remove(key);
        } else if self.damaged.remove(key).is_some() {
            self.take_up(key, Record::new(0, AppSpec::default())).await;
            if let Some(managed) = self.apps.get_mut(key) {
                managed.is_damaged = true;
            }
        }
        let managed = self.known(key)?;
        // Whoever wanted the data gone does not get it back by asking again.
        let removal = managed
            .record
            .removal
            .map_or(removal, |before| if before == Removal::DeleteData { before } else { removal });
        let is_damaged = managed.is_damaged;
        let record = Record { removal: Some(removal), wanted: Wanted::Stopped, ..managed.record.clone() };
        if !is_damaged {
            self.keep(key, &record).await?;
        }
        self.known(key)?.record = record;
        self.step(key, Event::Remove);
        self.clear_if_gone(key).await;
        Ok(())
    }

    async fn keep(&self, key: &AppKey, record: &Record) -> Result<(), Containers1Error> {
        let (state, key, record) = (self.state.clone(), key.clone(), record.clone());
        let kept = tokio::task::spawn_blocking(move || state.keep(&key, &record)).await;
        kept.map_err(|_broke| Containers1Error::Refused("it broke off".to_owned()))?
            .map_err(|error| Containers1Error::Refused(chain(&error)))
    }

    fn reports(&self) -> Vec<AppReport> {
        let now = uptime();
        let apps = self.apps.iter().map(|(key, managed)| {
            let mut report = managed.app.report(key, now);
            if managed.app.is_gone() {
                // Its data is being removed.
                report.state = AppState::Stopping;
            }
            report
        });
        let damaged = self.damaged.iter().map(|(key, error)| AppReport {
            app: key.clone(),
            wanted: Wanted::Stopped,
            state: AppState::Failed,
            data: DataState::Locked,
            reasons: vec![chain(error)],
            traffic: None,
            storage: None,
            containers: BTreeMap::new(),
        });
        apps.chain(damaged).collect()
    }

    fn know(&mut self, key: &AppKey, part: &PartName) -> Result<(), Containers1Error> {
        let managed = self.known(key)?;
        if !managed.app.parts().any(|(name, _)| name == part) {
            return Err(Containers1Error::UnknownContainer(format!("{key} has no container {part}")));
        }
        if managed.app.has_open_data() { Ok(()) } else { Err(locked(key)) }
    }

    fn spare(&self, image: &Reference) -> Result<(), Containers1Error> {
        let uses = |spec: &AppSpec| {
            let mut names = spec.containers.values().map(|container| &container.image.name);
            names.any(|name| name.parse::<Reference>().is_ok_and(|name| name == *image))
        };
        match self.apps.iter().find(|(_, managed)| uses(managed.app.spec())) {
            Some((key, _)) => Err(Containers1Error::InUse(format!("the app {key} uses {image}"))),
            None => Ok(()),
        }
    }

    fn volumes(&mut self, key: &AppKey, job: VolumeJob) -> Result<(), Containers1Error> {
        let managed = self.lasting(key)?;
        // What runs does not use its copies: one that is not needed any more may go at any time.
        let is_apart = matches!(job.0, VolumeWork::RemoveSnapshot(_));
        if !is_apart && !managed.app.is_at_rest() {
            return Err(Containers1Error::Running(format!("{key} runs, or is to run: stop it first")));
        }
        if !is_apart && !managed.app.has_open_data() {
            return Err(locked(key));
        }
        managed.worker.volumes(job);
        Ok(())
    }
}

fn locked(key: &AppKey) -> Containers1Error {
    Containers1Error::Locked(format!("the data of {key} is locked"))
}
