//! `org.hearthos.Containers1` in front of the keeper, the images and the logs.

use crate::apps::words;
use crate::daemon::Shared;
use crate::daemon::keeper::Ask;
use crate::daemon::moment;
use crate::daemon::work::VolumeWork;
use crate::image::Reference;
use crate::runtime::ContainerId;
use crate::state::Removal;
use crate::volumes::VolumeError;
use crate::words::chain;
use hostapi::containers1;
use hostapi::containers1::Containers1Backend;
use hostapi::containers1::Containers1Error;
use hostapi::containers1::DataKey;
use hostapi::containers1::LONGEST_WAIT;
use hostapi::peer;
use hostapi::peer::AllowedUids;
use model::containers::AppReport;
use model::containers::AppSpec;
use model::containers::ContainerReport;
use model::containers::ImageReport;
use model::containers::LogPage;
use model::containers::PartName;
use model::containers::PullReport;
use model::containers::Registries;
use model::network::names::AppKey;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use vault::directory::DirectoryKey;

/// Connections served at once: hostd's, one of which waits for changes, and some to spare.
const MOST_CONNECTIONS: usize = 16;

/// containerd-lite as seen from the bus.
pub(crate) struct Backend {
    pub(crate) shared: Arc<Shared>,
    pub(crate) keeper: mpsc::Sender<Ask>,
    pub(crate) changes: watch::Receiver<u64>,
}

impl Backend {
    async fn ask<T>(
        &self,
        ask: impl FnOnce(oneshot::Sender<Result<T, Containers1Error>>) -> Ask,
    ) -> Result<T, Containers1Error> {
        let (answer, answered) = oneshot::channel();
        self.keeper.send(ask(answer)).await.map_err(|_closed| stopping())?;
        answered.await.map_err(|_gone| stopping())?
    }

    /// Does something on a thread that may block.
    async fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, Containers1Error> + Send + 'static,
    ) -> Result<T, Containers1Error> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || work(&shared)).await.map_err(|_ended| stopping())?
    }

    async fn with_volumes(&self, app: AppKey, work: VolumeWork) -> Result<(), Containers1Error> {
        let (done, came) = oneshot::channel();
        self.ask(|answer| Ask::Volumes(app, (work, done), answer)).await?;
        came.await.map_err(|_gone| stopping())?.map_err(|error| match error {
            VolumeError::NoSnapshot(_) => Containers1Error::UnknownSnapshot(chain(&error)),
            VolumeError::Disk { .. }
            | VolumeError::Copy(_)
            | VolumeError::Cover(_)
            | VolumeError::InUse(_) => Containers1Error::Refused(chain(&error)),
        })
    }
}

fn stopping() -> Containers1Error {
    Containers1Error::Stopping("containerd-lite is stopping".to_owned())
}

fn reference(name: &str) -> Result<Reference, Containers1Error> {
    name.parse().map_err(|error| Containers1Error::Invalid(chain(&error)))
}

fn add_usage(shared: &Shared, app: &AppKey, name: &PartName, container: &mut ContainerReport) {
    if container.seconds_up.is_some() {
        let id = ContainerId { app: app.clone(), name: name.clone() };
        // It may have ended a moment ago.
        container.usage = shared.runtime.usage(&id).ok();
    }
}

impl Containers1Backend for Backend {
    async fn set_app(&self, app: AppKey, spec: AppSpec) -> Result<(), Containers1Error> {
        self.ask(|answer| Ask::Set(app, spec, answer)).await
    }

    async fn spec(&self, app: AppKey) -> Result<AppSpec, Containers1Error> {
        self.ask(|answer| Ask::Spec(app, answer)).await
    }

    async fn unlock_data(&self, app: AppKey, key: DataKey) -> Result<(), Containers1Error> {
        let (done, came) = oneshot::channel();
        let key = DirectoryKey::from_bytes(&key);
        self.ask(|answer| Ask::Unlock(app, key, done, answer)).await?;
        let shown = came.await.map_err(|_gone| stopping())?;
        shown.map_err(|error| Containers1Error::Refused(chain(&error)))
    }

    async fn lock_data(&self, app: AppKey) -> Result<(), Containers1Error> {
        self.ask(|answer| Ask::Lock(app, answer)).await
    }

    async fn start_app(&self, app: AppKey) -> Result<(), Containers1Error> {
        self.ask(|answer| Ask::Start(app, answer)).await
    }

    async fn stop_app(&self, app: AppKey) -> Result<(), Containers1Error> {
        self.ask(|answer| Ask::Stop(app, answer)).await
    }

    async fn restart_app(&self, app: AppKey) -> Result<(), Containers1Error> {
        self.ask(|answer| Ask::Restart(app, answer)).await
    }

    async fn remove_app(&self, app: AppKey, delete_data: bool) -> Result<(), Containers1Error> {
        let removal = if delete_data { Removal::DeleteData } else { Removal::KeepData };
        self.ask(|answer| Ask::Remove(app, removal, answer)).await
    }

    async fn apps(&self) -> Result<Vec<AppReport>, Containers1Error> {
        let mut reports = self.ask(Ask::Reports).await?;
        self.block(move |shared| {
            for report in &mut reports {
                let AppReport { app, containers, traffic, storage, reasons, .. } = report;
                *storage = shared.volumes.storage(app).unwrap_or_default();
                reasons.extend(storage.filter(|storage| storage.is_used_up()).map(words::used_up));
                if containers.values().any(|container| container.seconds_up.is_some()) {
                    *traffic = shared.runtime.traffic(app).unwrap_or_default();
                }
                containers.iter_mut().for_each(|(name, container)| add_usage(shared, app, name, container));
            }
            Ok(reports)
        })
        .await
    }

    async fn wait_for_change(&self, seen: u64) -> Result<u64, Containers1Error> {
        let mut changes = self.changes.clone();
        let changed = changes.wait_for(|number| *number != seen);
        match tokio::time::timeout(LONGEST_WAIT, changed).await {
            Ok(changed) => changed.map(|number| *number).map_err(|_gone| stopping()),
            Err(_elapsed) => Ok(seen),
        }
    }

    async fn logs(
        &self,
        app: AppKey,
        container: PartName,
        from: u64,
        limit: usize,
    ) -> Result<LogPage, Containers1Error> {
        let id = ContainerId { app, name: container };
        self.ask(|answer| Ask::Know(id.app.clone(), id.name.clone(), answer)).await?;
        self.block(move |shared| {
            let page = shared.logs.of(&id, moment()).page(from, limit, moment());
            page.map_err(|error| Containers1Error::Refused(format!("read the log of {id}: {error}")))
        })
        .await
    }

    async fn pull_image(&self, name: String, registries: Registries) -> Result<(), Containers1Error> {
        self.shared.images.pull(reference(&name)?, &registries).map_err(Containers1Error::Refused)
    }

    async fn pulls(&self) -> Result<Vec<PullReport>, Containers1Error> {
        Ok(self.shared.images.pulls())
    }

    async fn cancel_pull(&self, name: String) -> Result<(), Containers1Error> {
        self.shared.images.cancel(&reference(&name)?);
        Ok(())
    }

    async fn import_image(&self, name: String, archive: OwnedFd) -> Result<ImageReport, Containers1Error> {
        let name = reference(&name)?;
        self.block(move |shared| shared.images.import(&name, archive).map_err(Containers1Error::Refused))
            .await
    }

    async fn images(&self) -> Result<Vec<ImageReport>, Containers1Error> {
        self.block(|shared| shared.images.all().map_err(Containers1Error::Refused)).await
    }

    async fn remove_image(&self, name: String) -> Result<(), Containers1Error> {
        let image = reference(&name)?;
        self.ask(|answer| Ask::Spare(image.clone(), answer)).await?;
        self.block(move |shared| match shared.images.remove(&image) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Containers1Error::UnknownImage(format!("there is no image {image}"))),
            Err(words) => Err(Containers1Error::Refused(words)),
        })
        .await
    }

    async fn collect_images(&self) -> Result<u64, Containers1Error> {
        self.block(|shared| shared.images.collect().map_err(Containers1Error::InUse)).await
    }

    async fn snapshot_volumes(&self, app: AppKey, snapshot: PartName) -> Result<(), Containers1Error> {
        self.with_volumes(app, VolumeWork::Snapshot(snapshot)).await
    }

    async fn restore_volumes(&self, app: AppKey, snapshot: PartName) -> Result<(), Containers1Error> {
        self.with_volumes(app, VolumeWork::Restore(snapshot)).await
    }

    async fn remove_snapshot(&self, app: AppKey, snapshot: PartName) -> Result<(), Containers1Error> {
        self.with_volumes(app, VolumeWork::RemoveSnapshot(snapshot)).await
    }
}

/// Accepts and serves connections for ever.
pub(crate) async fn serve_all(listener: UnixListener, backend: Backend, allowed: AllowedUids) {
    let backend = Arc::new(backend);
    peer::serve_all(listener, MOST_CONNECTIONS, |stream| {
        let (backend, allowed) = (Arc::clone(&backend), allowed.clone());
        async move { containers1::serve(stream, backend, &allowed).await }
    })
    .await;
}
