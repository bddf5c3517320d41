//! The way to containerd-lite, and what it shows.
//!
//! One task, [`follow`], holds the connection and keeps the [`World`] up to date; everybody else asks through [`Containerd`] or has a
//! receiver of the world. Where containerd-lite is away, nothing that it showed before is told.

use hostapi::containers1::Containers1Error;
use hostapi::containers1::Containers1Proxy;
use hostapi::containers1::DATA_KEY;
use hostapi::containers1::LONGEST_WAIT;
use hostapi::containers1::StrangeAnswer;
use hostapi::containers1::read_answer;
use model::containers::AppReport;
use model::containers::AppSpec;
use model::containers::ImageReport;
use model::containers::LogPage;
use model::containers::PartName;
use model::containers::PullReport;
use model::containers::Registries;
use model::network::names::AppKey;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// Wait between two tries to reach containerd-lite; it doubles from the first to the second.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long an answer may take that comes from memory.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// Changes that come in a row are told at once, this much later at most.
const GATHER: Duration = Duration::from_millis(100);

/// What is wrong with an app whose data nobody has unlocked.
pub(super) const LOCKED: &str = "its data is locked until its user unlocks their vault";

/// What containerd-lite shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// How the apps are.
    pub apps: Vec<AppReport>,
    /// Images on their way, and how the last ones ended.
    pub pulls: Vec<PullReport>,
}

impl World {
    /// How an app is.
    #[must_use]
    pub fn app(&self, key: &AppKey) -> Option<&AppReport> {
        self.apps.iter().find(|report| report.app == *key)
    }

    /// How the pull of an image is.
    #[must_use]
    pub fn pull(&self, name: &str) -> Option<&PullReport> {
        self.pulls.iter().find(|pull| pull.name == name)
    }
}

/// The way to containerd-lite; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Containerd {
    connection: watch::Sender<Option<Containers1Proxy<'static>>>,
    world: watch::Sender<Option<Arc<World>>>,
}

/// Why containerd-lite did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ContainerdError {
    /// There is no connection to it.
    #[error("reach containerd-lite")]
    Away,
    /// It refused, or its answer did not come.
    #[error("have containerd-lite {what}")]
    Refused {
        /// What it was asked.
        what: &'static str,
        /// What it said.
        #[source]
        source: Containers1Error,
    },
    /// It answered something that is not understood.
    #[error("understand containerd-lite's answer, asked to {what}")]
    Strange {
        /// What it was asked.
        what: &'static str,
        /// Why not.
        #[source]
        source: StrangeAnswer,
    },
}

impl ContainerdError {
    /// Whether it is away, or locked out, rather than unwilling: asking again later may help.
    #[must_use]
    pub const fn is_absence(&self) -> bool {
        match self {
            Self::Away => true,
            Self::Refused { source, .. } => {
                // What is locked opens with somebody's vault.
                matches!(
                    source,
                    Containers1Error::ZBus(_) | Containers1Error::Stopping(_) | Containers1Error::Locked(_)
                )
            }
            Self::Strange { .. } => false,
        }
    }

    /// Why, in plain words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Refused { source, .. } => match source {
                Containers1Error::Invalid(why)
                | Containers1Error::UnknownApp(why)
                | Containers1Error::UnknownContainer(why)
                | Containers1Error::UnknownImage(why)
                | Containers1Error::UnknownSnapshot(why)
                | Containers1Error::Running(why)
                | Containers1Error::InUse(why)
                | Containers1Error::Refused(why)
                | Containers1Error::Stopping(why) => why.clone(),
                Containers1Error::Locked(_) => LOCKED.to_owned(),
                Containers1Error::ZBus(_) => "the box's app service did not answer".to_owned(),
            },
            Self::Away => "the box's app service is not there".to_owned(),
            Self::Strange { .. } => "the box's app service gave an answer that is not understood".to_owned(),
        }
    }
}

/// Keeps the connection, for as long as it runs.
pub async fn follow(socket: &Path, containerd: Containerd) {
    let mut wait = FIRST_WAIT;
    let mut warned = false;
    loop {
        match hostapi::containers1::connect(socket).await {
            Ok(proxy) => {
                (wait, warned) = (FIRST_WAIT, false);
                containerd.hold(proxy).await;
                tracing::debug!("the connection to containerd-lite ended");
            }
            // It starts beside hostd, so the first tries may fail without anything being wrong; one warning an outage will do.
            Err(error) if wait == LONGEST_PAUSE && !warned => {
                tracing::warn!(error = &error as &dyn Error, "containerd-lite cannot be reached; trying on");
                warned = true;
            }
            Err(error) => tracing::debug!(error = &error as &dyn Error, "containerd-lite is not there"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_PAUSE);
    }
}

impl Containerd {
    /// Uses a connection until the other side closes it or falls silent.
    pub async fn hold(&self, proxy: Containers1Proxy<'static>) {
        let connection = proxy.inner().connection().clone();
        self.connection.send_replace(Some(proxy.clone()));
        // Neither has anything to lose when the other ends.
        tokio::select! {
            () = connection.closed() => {}
            ended = self.watch(&proxy) => {
                if let Err(error) = ended {
                    tracing::warn!(error = &error as &dyn Error, "containerd-lite does not say how apps are");
                }
            }
        }
        self.connection.send_replace(None);
        self.world.send_replace(None);
    }

    /// What it shows, and later; nothing while it is away.
    #[must_use]
    pub fn world(&self) -> watch::Receiver<Option<Arc<World>>> {
        self.world.subscribe()
    }

    /// What it shows now.
    #[must_use]
    pub fn now(&self) -> Option<Arc<World>> {
        self.world.borrow().clone()
    }

    /// Until an answer does not come.
    async fn watch(&self, proxy: &Containers1Proxy<'static>) -> Result<(), ContainerdError> {
        // No number of changes is this: the first answer comes at once.
        let mut seen = u64::MAX;
        loop {
            let refused = |source| ContainerdError::Refused { what: "tell of changes", source };
            let waiting = proxy.wait_for_change(seen);
            seen = within(LONGEST_WAIT + ANSWER_LIMIT, waiting).await?.map_err(refused)?;
            self.look().await?;
            tokio::time::sleep(GATHER).await;
        }
    }

    /// Looks at apps and pulls now, and shows them.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away or does not say.
    pub async fn look(&self) -> Result<Arc<World>, ContainerdError> {
        let proxy = self.proxy()?;
        let apps = ask("say how apps are", proxy.apps()).await?;
        let pulls = ask("say how pulls are", proxy.pulls()).await?;
        let world = Arc::new(World { apps, pulls });
        self.world.send_if_modified(|shown| {
            let is_new = shown.as_deref() != Some(&*world);
            *shown = Some(Arc::clone(&world));
            is_new
        });
        Ok(world)
    }

    /// Keeps how an app is to run.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away, or does not take it.
    pub async fn set_app(&self, key: &AppKey, spec: &AppSpec) -> Result<(), ContainerdError> {
        let refused = |source| ContainerdError::Refused { what: "keep how an app runs", source };
        let text = serde_json::to_string(spec)
            .map_err(|error| refused(Containers1Error::Invalid(error.to_string())))?;
        let proxy = self.proxy()?;
        tell("keep how an app runs", proxy.set_app(key.as_str(), &text)).await
    }

    /// Shows the data of an app.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away, has no such app, or the key is not that of the data.
    pub async fn unlock_data(&self, key: &AppKey, data_key: &[u8; DATA_KEY]) -> Result<(), ContainerdError> {
        let proxy = self.proxy()?;
        tell("show the data of an app", proxy.unlock_data(key.as_str(), data_key.to_vec())).await
    }

    /// Hides the data of an app, when nothing of it runs any more.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away, or has no such app.
    pub async fn lock_data(&self, key: &AppKey) -> Result<(), ContainerdError> {
        let proxy = self.proxy()?;
        tell("hide the data of an app", proxy.lock_data(key.as_str())).await
    }

    /// The app is to run.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away, or has no such app.
    pub async fn start(&self, key: &AppKey) -> Result<(), ContainerdError> {
        let proxy = self.proxy()?;
        tell("start an app", proxy.start_app(key.as_str())).await
    }

    /// The app is to stop.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away, or has no such app.
    pub async fn stop(&self, key: &AppKey) -> Result<(), ContainerdError> {
        let proxy = self.proxy()?;
        tell("stop an app", proxy.stop_app(key.as_str())).await
    }

    /// The app is to stop and start again.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away, or has no such app.
    pub async fn restart(&self, key: &AppKey) -> Result<(), ContainerdError> {
        let proxy = self.proxy()?;
        tell("restart an app", proxy.restart_app(key.as_str())).await
    }

    /// The app is to go; it is gone when no report has it.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away, or has no such app.
    pub async fn remove(&self, key: &AppKey, delete_data: bool) -> Result<(), ContainerdError> {
        let proxy = self.proxy()?;
        tell("remove an app", proxy.remove_app(key.as_str(), delete_data)).await
    }

    /// Begins to pull an image, with what is said of registries.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away, or does not take the name.
    pub async fn pull(&self, name: &str, registries: &Registries) -> Result<(), ContainerdError> {
        let what = "pull an image";
        let refused = |source| ContainerdError::Refused { what, source };
        let said = serde_json::to_string(registries)
            .map_err(|error| refused(Containers1Error::Invalid(error.to_string())))?;
        let (said, proxy) = (Zeroizing::new(said), self.proxy()?);
        tell(what, proxy.pull_image(name, &said)).await
    }

    /// Ends a pull.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away.
    pub async fn cancel_pull(&self, name: &str) -> Result<(), ContainerdError> {
        let proxy = self.proxy()?;
        tell("end a pull", proxy.cancel_pull(name)).await
    }

    /// An image that is there.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away or does not say.
    pub async fn image(&self, name: &str) -> Result<Option<ImageReport>, ContainerdError> {
        let images: Vec<ImageReport> = ask("list images", self.proxy()?.images()).await?;
        Ok(images.into_iter().find(|image| image.name == name))
    }

    /// Takes an image out of the archive in a file.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away, or refuses the image.
    pub async fn import(&self, name: &str, archive: OwnedFd) -> Result<ImageReport, ContainerdError> {
        let what = "take an image out of a file";
        let answer = self.proxy()?.import_image(name, archive.into()).await;
        let text = answer.map_err(|source| ContainerdError::Refused { what, source })?;
        read_answer(&text).map_err(|source| ContainerdError::Strange { what, source })
    }

    /// Forgets an image that no app uses any more, and what only it had.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away, or an app uses it.
    pub async fn forget_image(&self, name: &str) -> Result<(), ContainerdError> {
        let refused = |source| ContainerdError::Refused { what: "forget an image", source };
        let proxy = self.proxy()?;
        proxy.remove_image(name).await.map_err(refused)?;
        proxy.collect_images().await.map(drop).map_err(refused)
    }

    /// Copies the data of a stopped app.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away, or does not do it.
    pub async fn snapshot(&self, key: &AppKey, name: &PartName) -> Result<(), ContainerdError> {
        let refused = |source| ContainerdError::Refused { what: "save the data of an app", source };
        self.proxy()?.snapshot_volumes(key.as_str(), name.as_str()).await.map_err(refused)
    }

    /// Puts the copy in the place of the data.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away, or does not do it.
    pub async fn restore(&self, key: &AppKey, name: &PartName) -> Result<(), ContainerdError> {
        let refused = |source| ContainerdError::Refused { what: "bring back the data of an app", source };
        self.proxy()?.restore_volumes(key.as_str(), name.as_str()).await.map_err(refused)
    }

    /// Removes the copy.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away, or does not do it.
    pub async fn forget_snapshot(&self, key: &AppKey, name: &PartName) -> Result<(), ContainerdError> {
        let refused = |source| ContainerdError::Refused { what: "remove a copy of the data", source };
        self.proxy()?.remove_snapshot(key.as_str(), name.as_str()).await.map_err(refused)
    }

    /// Lines of a container's log.
    ///
    /// # Errors
    ///
    /// When containerd-lite is away, or has no such container.
    pub async fn logs(
        &self,
        key: &AppKey,
        container: &PartName,
        from: u64,
        limit: u32,
    ) -> Result<LogPage, ContainerdError> {
        ask("show a log", self.proxy()?.logs(key.as_str(), container.as_str(), from, limit)).await
    }

    fn proxy(&self) -> Result<Containers1Proxy<'static>, ContainerdError> {
        self.connection.borrow().clone().ok_or(ContainerdError::Away)
    }
}

async fn within<T>(limit: Duration, answer: impl Future<Output = T>) -> Result<T, ContainerdError> {
    tokio::time::timeout(limit, answer).await.map_err(|_elapsed| ContainerdError::Away)
}

/// A document that comes from memory.
async fn ask<T: DeserializeOwned>(
    what: &'static str,
    answer: impl Future<Output = Result<String, Containers1Error>>,
) -> Result<T, ContainerdError> {
    let text = within(ANSWER_LIMIT, answer).await?;
    let text = text.map_err(|source| ContainerdError::Refused { what, source })?;
    read_answer(&text).map_err(|source| ContainerdError::Strange { what, source })
}

/// A wish that is only noted.
async fn tell(
    what: &'static str,
    done: impl Future<Output = Result<(), Containers1Error>>,
) -> Result<(), ContainerdError> {
    within(ANSWER_LIMIT, done).await?.map_err(|source| ContainerdError::Refused { what, source })
}
