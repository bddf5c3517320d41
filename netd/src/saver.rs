//! Saves the newest state of one document without ever making the giver wait for the disk.

use crate::documents;
use crate::documents::Lasting;
use crate::follow::replace;
use crate::words;
use serde::Serialize;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Time between attempts at writing what could not be written.
const RETRY: Duration = Duration::from_secs(60);

/// Saves one document.
#[derive(Debug)]
pub struct Saver<T> {
    newest: watch::Sender<Option<T>>,
    problem: watch::Receiver<Option<String>>,
}

impl<T: Serialize + Clone + PartialEq + Send + Sync + 'static> Saver<T> {
    /// Saves to a file from now on; must run inside the runtime. It ends with the value.
    #[must_use]
    pub fn start(path: PathBuf) -> Self {
        let newest = watch::Sender::new(None);
        let problem = watch::Sender::new(None);
        let given = newest.subscribe();
        let saver = Self { newest, problem: problem.subscribe() };
        drop(tokio::spawn(save(path, given, problem)));
        saver
    }

    /// Gives the state to save; written only when it differs from the last one given.
    pub fn put(&self, document: T) {
        let document = Some(document);
        self.newest.send_if_modified(|newest| replace(newest, document));
    }

    /// Why the newest state is not on the disk, in plain words.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.problem.borrow().clone()
    }
}

async fn save<T: Serialize + Clone + Send + Sync + 'static>(
    path: PathBuf,
    mut newest: watch::Receiver<Option<T>>,
    problem: watch::Sender<Option<String>>,
) {
    while newest.changed().await.is_ok() {
        loop {
            let Some(document) = newest.borrow_and_update().clone() else {
                break;
            };
            let place = path.clone();
            // The disk may take seconds; this thread also serves DHCP.
            let writing = move || documents::write(&place, &document, Lasting::ForGood);
            let error: Box<dyn Error + Send + Sync> = match tokio::task::spawn_blocking(writing).await {
                Ok(Ok(())) => {
                    problem.send_replace(None);
                    break;
                }
                Ok(Err(error)) => error.into(),
                Err(error) => error.into(),
            };
            tracing::warn!(error = &*error as &dyn Error, "not saved");
            problem.send_replace(Some(words::chain(&*error)));
            // Either way it is tried again, with what is newest then.
            tokio::select! {
                () = sleep(RETRY) => {}
                changed = newest.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_state_is_saved_and_a_problem_is_told_until_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("later");
        let mut saver = Saver::start(place.join("a.json"));
        let patience = Duration::from_secs(600);
        saver.put(1);
        let told = tokio::time::timeout(patience, saver.problem.wait_for(Option::is_some)).await;
        assert!(told.unwrap().unwrap().as_ref().unwrap().contains("a.json"));
        std::fs::create_dir(&place).unwrap();
        saver.put(2);
        drop(tokio::time::timeout(patience, saver.problem.wait_for(Option::is_none)).await.unwrap().unwrap());
        assert_eq!(documents::read::<u32>(&place.join("a.json")).unwrap(), Some(2));
        assert_eq!(saver.problem(), None);
    }
}
