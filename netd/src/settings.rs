//! Keeps the owner's settings: on the disk once they are confirmed, in force at once.

use crate::documents;
use crate::documents::DocumentError;
use crate::documents::Lasting;
use crate::moment::Clock;
use crate::trial::Trial;
use model::network::settings::NetworkSettings;
use std::error::Error;
use std::future::pending;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::time::sleep_until;

/// A wish for the settings.
#[derive(Debug)]
pub enum Wish {
    /// These, for a while or for good.
    Set(NetworkSettings, Option<Duration>, oneshot::Sender<Result<(), DocumentError>>),
    /// Keep what is on trial; answers whether there was anything.
    Confirm(oneshot::Sender<Result<bool, DocumentError>>),
}

/// Reads the settings of the last run. Damaged ones are left where they are and the default is used: a box that cannot be reached
/// cannot be mended.
#[must_use]
pub fn load(path: &Path) -> (NetworkSettings, Option<String>) {
    let read: Result<Option<NetworkSettings>, DocumentError> = documents::read(path);
    match read.map(|settings| settings.map(|settings| (settings.check(), settings))) {
        Ok(None) => (NetworkSettings::default(), None),
        Ok(Some((Ok(()), settings))) => (settings, None),
        Ok(Some((Err(error), _))) => (NetworkSettings::default(), Some(not_used(&error))),
        Err(error) => (NetworkSettings::default(), Some(not_used(&error))),
    }
}

fn not_used(error: &dyn Error) -> String {
    format!("the network settings are not used, the built-in ones are: {}", crate::words::chain(error))
}

/// Keeps settings until nobody can change them any more.
pub async fn run(path: PathBuf, mut wishes: mpsc::Receiver<Wish>, trial: watch::Sender<Trial>, clock: Clock) {
    loop {
        let ends = trial.borrow().ends();
        let time_is_up = async {
            match ends {
                Some(ends) => sleep_until(clock.instant(ends)).await,
                None => pending().await,
            }
        };
        // Both are cancel safe.
        let wish = tokio::select! {
            wish = wishes.recv() => wish,
            () = time_is_up => {
                tracing::warn!("nobody confirmed the settings on trial; those before are in force again");
                trial.send_modify(|trial| {
                    trial.expire(clock.now());
                });
                continue;
            }
        };
        match wish {
            None => return,
            Some(Wish::Set(settings, time, answer)) => {
                let mut next = trial.borrow().clone();
                next.set(settings, time, clock.now());
                let kept = keep(&path, &trial, next).await;
                reply(answer, kept);
            }
            Some(Wish::Confirm(answer)) => {
                let mut next = trial.borrow().clone();
                let had_any = next.confirm();
                reply(answer, keep(&path, &trial, next).await.map(|()| had_any));
            }
        }
    }
}

/// On the disk first: what is acknowledged outlives a power cut.
async fn keep(path: &Path, trial: &watch::Sender<Trial>, next: Trial) -> Result<(), DocumentError> {
    let is_news = next.confirmed() != trial.borrow().confirmed();
    if is_news {
        let (place, confirmed) = (path.to_owned(), next.confirmed().clone());
        // The disk may take seconds; this thread also serves DHCP.
        let writing = move || documents::write(&place, &confirmed, Lasting::ForGood);
        let written = tokio::task::spawn_blocking(writing).await;
        let failed = |error| DocumentError::Write { path: path.to_owned(), source: io::Error::other(error) };
        written.map_err(failed).flatten()?;
    }
    trial.send_replace(next);
    Ok(())
}

fn reply<T>(to: oneshot::Sender<T>, answer: T) {
    if to.send(answer).is_err() {
        tracing::debug!("nobody waits for the answer any more");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Running {
        wishes: mpsc::Sender<Wish>,
        trial: watch::Receiver<Trial>,
        _folder: tempfile::TempDir,
        path: PathBuf,
    }

    fn start() -> Running {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        let (wishes, received) = mpsc::channel(1);
        let (sender, trial) = watch::channel(Trial::new(load(&path).0));
        drop(tokio::spawn(run(path.clone(), received, sender, Clock::start())));
        Running { wishes, trial, _folder: folder, path }
    }

    fn serving() -> NetworkSettings {
        let mut settings = NetworkSettings::default();
        settings.resolver.serve_lan = true;
        settings
    }

    impl Running {
        async fn set(&self, time: Option<Duration>) {
            let (answer, answered) = oneshot::channel();
            self.wishes.send(Wish::Set(serving(), time, answer)).await.unwrap();
            answered.await.unwrap().unwrap();
        }

        async fn confirm(&self) -> bool {
            let (answer, answered) = oneshot::channel();
            self.wishes.send(Wish::Confirm(answer)).await.unwrap();
            answered.await.unwrap().unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_confirmed_is_on_the_disk() {
        let mut running = start();
        running.set(Some(Duration::from_secs(60))).await;
        assert!(running.trial.borrow_and_update().in_force().resolver.serve_lan);
        assert!(!running.path.exists(), "a restart takes a trial back");
        running.trial.changed().await.unwrap();
        assert!(!running.trial.borrow_and_update().in_force().resolver.serve_lan, "time is up");
        assert!(!running.confirm().await);
        running.set(Some(Duration::from_secs(60))).await;
        assert!(running.confirm().await);
        assert_eq!(load(&running.path), (serving(), None));
    }

    #[tokio::test]
    async fn settings_without_trial_are_on_the_disk_at_once_and_damaged_ones_are_said_to_be() {
        let running = start();
        running.set(None).await;
        assert_eq!(load(&running.path), (serving(), None));
        std::fs::write(&running.path, r#"{"version":1,"resolver":{"upstreams":[{"#).unwrap();
        let (settings, problem) = load(&running.path);
        assert_eq!(settings, NetworkSettings::default());
        assert!(problem.unwrap().contains("understand"), "with the reason");
    }
}
