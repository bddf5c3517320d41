//! What hostd tells the world about itself: readiness and status to init; fingerprint, claim code and state to the box's own screen.
//!
//! Nobody listens on a developer's machine; there the same words go to the log.

use crate::accounts::Ownership;
use crate::app::App;
use crate::state::BoxState;
use hostapi::activation::Notified;
use hostapi::activation::notify;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio::time::interval;

/// How often the state is looked at without being told of a change: the services' report is a file that init rewrites. It costs
/// reading a few hundred bytes of memory. Also the pulse that init waits for.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Tells init something about this service.
pub fn tell(assignments: &[&str]) {
    if let Err(error) = notify(assignments) {
        tracing::warn!(error = &error as &dyn Error, "init was not told");
    }
}

/// Shows a line on the box's own screen.
fn announce(text: &str) {
    match notify(&[&format!("X_HEARTH_ANNOUNCE={text}")]) {
        Ok(Notified::Sent) => {}
        Ok(Notified::NobodyListens) => tracing::info!("a box would now show on its screen: {text}"),
        Err(error) => tracing::warn!(error = &error as &dyn Error, "nothing was shown on the screen"),
    }
}

/// Announces every change of state, address and claim code, for as long as it runs.
pub async fn follow(app: Arc<App>) {
    let mut ownership = app.accounts.ownership();
    let mut network = app.network.clone();
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shown = Shown { fingerprint: app.authority.fingerprint(), ..Shown::default() };
    let (mut ownership_lives, mut network_lives) = (true, true);
    loop {
        let owned = ownership.borrow_and_update().clone();
        network.mark_unchanged();
        let summary = app.summary();
        for line in shown.update(&owned, summary.state, &summary.url) {
            announce(&line);
        }
        if let Some(status) = shown.status(&summary.reasons) {
            tell(&[&format!("STATUS={status}")]);
        }
        // This task shares its thread with everything else, so init hears from it only as long as nothing hangs.
        tell(&["WATCHDOG=1"]);
        // All are cancel safe; whatever woke us, everything is looked at anew.
        tokio::select! {
            changed = ownership.changed(), if ownership_lives => ownership_lives = changed.is_ok(),
            changed = network.changed(), if network_lives => network_lives = changed.is_ok(),
            _ = look.tick() => {}
        }
    }
}

/// What was announced last.
#[derive(Debug, Default)]
struct Shown {
    /// Of the household certificate.
    fingerprint: String,
    claim_code: Option<zeroize::Zeroizing<String>>,
    state: Option<(BoxState, String)>,
    status: Option<String>,
}

impl Shown {
    /// Lines that are due now. The code comes before the state, so that whoever waits for the state has seen the code. The
    /// fingerprint comes with every code, and once without: nobody between box and reader can forge what is on the screen.
    fn update(&mut self, owned: &Ownership, state: BoxState, url: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let has_new_code = owned.claim_code.is_some() && owned.claim_code != self.claim_code;
        if has_new_code || self.state.is_none() {
            lines.push(format!("household certificate (SHA-256): {}", self.fingerprint));
        }
        if owned.claim_code != self.claim_code {
            lines.extend(owned.claim_code.iter().map(|code| format!("claim code: {}", code.as_str())));
            self.claim_code.clone_from(&owned.claim_code);
        }
        if self.state.as_ref().is_none_or(|(shown, at)| *shown != state || at != url) {
            lines.push(format!("state={} url={url}", state.as_str()));
            self.state = Some((state, url.to_owned()));
        }
        lines
    }

    /// The status line, when it changed.
    fn status(&mut self, reasons: &[String]) -> Option<String> {
        let state = self.state.as_ref().map_or("", |(state, _)| state.as_str());
        let text = match reasons {
            [] => state.to_owned(),
            _ => format!("{state}: {}", reasons.join("; ")),
        };
        if self.status.as_ref() == Some(&text) {
            return None;
        }
        self.status = Some(text.clone());
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(code: Option<&str>) -> Ownership {
        let claim_code = code.map(|code| code.to_owned().into());
        Ownership { set_up: code.is_none(), host_name: None, claim_code }
    }

    #[test]
    fn only_changes_are_announced() {
        let new = || Shown { fingerprint: "AB:CD".to_owned(), ..Shown::default() };
        let certificate = "household certificate (SHA-256): AB:CD";
        let mut shown = new();
        let url = "https://hearth.local";
        assert_eq!(
            shown.update(&owned(Some("A")), BoxState::Setup, url),
            [certificate, "claim code: A", "state=setup url=https://hearth.local"]
        );
        assert!(shown.update(&owned(Some("A")), BoxState::Setup, url).is_empty());
        assert_eq!(shown.update(&owned(Some("B")), BoxState::Setup, url), [certificate, "claim code: B"]);
        assert_eq!(
            shown.update(&owned(None), BoxState::Ready, "https://oak.local"),
            ["state=ready url=https://oak.local"]
        );
        assert_eq!(
            new().update(&owned(None), BoxState::Ready, url),
            [certificate, "state=ready url=https://hearth.local"]
        );
        assert_eq!(shown.status(&[]).as_deref(), Some("ready"));
        assert_eq!(shown.status(&[]), None);
        assert_eq!(shown.status(&["a".to_owned(), "b".to_owned()]).as_deref(), Some("ready: a; b"));
    }
}
