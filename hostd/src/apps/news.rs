//! What changes, as it is told to whoever watches.

use super::Apps;
use super::Ending;
use super::containerd;
use super::view;
use super::view::AppSummary;
use model::network::names::AppKey;
use std::collections::BTreeMap;
use std::path::Path;
use tokio::sync::broadcast;

/// Something that changed.
#[derive(Clone, Debug)]
pub enum News {
    /// An app, or what is being done to it.
    Changed(AppKey),
    /// An app is no more.
    Gone(Box<Ending>),
    /// containerd-lite came or went.
    Service,
}

impl Apps {
    /// Keeps the connection to containerd-lite, carries on with what was under way and tells netd, for as long as it runs.
    pub async fn follow(self, socket: &Path) {
        self.resume();
        tokio::join!(
            containerd::follow(socket, self.0.containerd.clone()),
            self.keep_policy(),
            self.keep_data(),
            self.watch_world()
        );
    }

    /// The same without a socket, for who holds a connection otherwise.
    #[cfg(feature = "testing")]
    pub async fn follow_connected(self) {
        self.resume();
        tokio::join!(self.keep_policy(), self.keep_data(), self.watch_world());
    }

    /// News from now on.
    #[must_use]
    pub fn news(&self) -> broadcast::Receiver<News> {
        self.0.news.subscribe()
    }

    /// Whether anybody listens does not matter.
    pub(super) fn tell(&self, news: News) {
        drop(self.0.news.send(news));
    }

    /// Tells of apps whose summary has changed. What they use changes all the time and is not told.
    async fn watch_world(&self) {
        let mut world = self.0.containerd.world();
        let mut told: BTreeMap<AppKey, AppSummary> = BTreeMap::new();
        let mut was_there = None;
        loop {
            let seen = world.borrow_and_update().clone();
            if was_there != Some(seen.is_some()) {
                was_there = Some(seen.is_some());
                self.tell(News::Service);
            }
            let mut now = BTreeMap::new();
            for record in self.all() {
                let summary = view::summary(self, &record);
                if told.get(&record.key) != Some(&summary) {
                    self.tell(News::Changed(record.key.clone()));
                }
                now.insert(record.key, summary);
            }
            told = now;
            if world.changed().await.is_err() {
                return;
            }
        }
    }
}
