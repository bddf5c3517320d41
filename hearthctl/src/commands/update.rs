//! Updates of the box's system: what there is, fetching and writing one, restarting, what became of them.

use super::Desk;
use super::Failure;
use super::app::Sent;
use super::read_settings;
use crate::answers::UpdateProgress;
use crate::answers::Updates;
use crate::cli::SystemUpdate;
use crate::cli::SystemUpdateSettings;
use crate::client::Client;
use crate::show;
use serde_json::Value;
use serde_json::json;
use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::Duration;

const PATH: &str = "/updates";
/// Between two looks at what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) fn carry_out(desk: &mut Desk<'_>, part: Option<&SystemUpdate>) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    match part {
        None | Some(SystemUpdate::Status) => show_updates(desk, &client, client.get(PATH)?),
        Some(SystemUpdate::Check) => {
            client.send("POST", "/updates/check", None)?;
            let answer = wait(desk, &client, |progress| progress.phase != "checking")?;
            show_updates(desk, &client, answer)
        }
        Some(SystemUpdate::Apply { now, to, file, stick, no_wait }) => {
            match file {
                Some(path) => bring(desk, &client, path, *now)?,
                None if *stick => {
                    client.send("POST", &format!("/updates/stick?now={now}"), None)?;
                }
                None => fetch(&client, to.as_deref(), *now)?,
            }
            if *no_wait {
                let words = "It is on its way. To see how far it is:\n  hearthctl update\n".to_owned();
                return desk.answer(&json!({}), || Ok(words));
            }
            let is_over = |progress: &UpdateProgress| match progress.phase.as_str() {
                "ready" => !*now,
                phase => matches!(phase, "failed" | "restarting" | "trying"),
            };
            let answer = wait(desk, &client, is_over)?;
            show_updates(desk, &client, answer)
        }
        Some(SystemUpdate::Restart) => {
            client.send("POST", "/updates/restart", None)?;
            desk.answer(&json!({}), || Ok("The box restarts into the new system.\n".to_owned()))
        }
        Some(SystemUpdate::History { log: None }) => {
            let answer = client.get(PATH)?;
            desk.answer(&answer["history"].clone(), || {
                let updates: Updates = client.understand(PATH, answer)?;
                Ok(show::update_history(&updates.history, super::backup::now()))
            })
        }
        Some(SystemUpdate::History { log: Some(number) }) => {
            let answer = client.get(&format!("/updates/log?number={number}"))?;
            desk.answer(&answer, || Ok(answer["text"].as_str().unwrap_or_default().to_owned()))
        }
        Some(SystemUpdate::Settings(SystemUpdateSettings::Get)) => {
            let answer = client.get(PATH)?["settings"].take();
            desk.print_json(&answer)
        }
        Some(SystemUpdate::Settings(SystemUpdateSettings::Set { file })) => {
            let wished = read_settings(desk, file)?;
            let answer = client.send("PUT", "/updates/settings", Some(&wished))?;
            show_updates(desk, &client, answer)
        }
    }
}

fn show_updates(desk: &mut Desk<'_>, client: &Client, answer: Value) -> Result<(), Failure> {
    desk.answer(&answer.clone(), || {
        let updates: Updates = client.understand(PATH, answer)?;
        Ok(show::updates(&updates, super::backup::now()))
    })
}

/// The newest that may be taken, unless somebody names one.
fn fetch(client: &Client, to: Option<&str>, now: bool) -> Result<(), Failure> {
    let updates: Updates = client.understand(PATH, client.get(PATH)?)?;
    let newest = updates.offers.iter().find(|offer| offer.turn != "held_back");
    let is_ready = updates.progress.phase == "ready" && to.is_none();
    if is_ready && now {
        client.send("POST", "/updates/restart", None)?;
        return Ok(());
    }
    let Some(version) = to.or_else(|| newest.map(|offer| offer.version.as_str())) else {
        return Err(Failure::NoUpdate);
    };
    client.send("POST", "/updates/apply", Some(&json!({"version": version, "now": now}).to_string()))?;
    Ok(())
}

fn bring(desk: &mut Desk<'_>, client: &Client, path: &Path, now: bool) -> Result<(), Failure> {
    let unreadable = |source| Failure::Input { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut sent = Sent::new(file, length, &mut *desk.terminal);
    client.send_long("POST", &format!("/updates/bundle?now={now}"), length, &mut sent)?;
    Ok(())
}

/// Looks until it is over, and tells every tenth.
fn wait(
    desk: &mut Desk<'_>,
    client: &Client,
    is_over: impl Fn(&UpdateProgress) -> bool,
) -> Result<Value, Failure> {
    let mut told = (String::new(), 0);
    loop {
        let answer = client.get(PATH)?;
        let updates: Updates = client.understand(PATH, answer.clone())?;
        let progress = updates.progress;
        if is_over(&progress) {
            return match progress.reason {
                Some(problem) if progress.phase == "failed" => Err(Failure::Update { problem }),
                Some(_) | None => Ok(answer),
            };
        }
        let tenths = progress.done_bytes.saturating_mul(10) / progress.total_bytes.max(1);
        if (&progress.phase, tenths) != (&told.0, told.1) {
            desk.terminal.complain(&show::update_progress(&progress));
            told = (progress.phase, tenths);
        }
        thread::sleep(LOOK_EVERY);
    }
}
