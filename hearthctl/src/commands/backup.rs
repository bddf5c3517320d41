//! Backups: how they are, making and proving one, the recovery kit.

use super::Desk;
use super::Failure;
use super::read_settings;
use super::storage::password;
use super::vault::write;
use crate::answers::Backups;
use crate::answers::Kit;
use crate::cli::Backup;
use crate::cli::BackupSettings;
use crate::client::Client;
use crate::client::ClientError;
use crate::show;
use serde_json::Value;
use serde_json::json;
use std::path::Path;
use std::thread;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;
use zeroize::Zeroizing;

/// Between two looks at a task that is waited for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) fn carry_out(desk: &mut Desk<'_>, part: Option<&Backup>) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    match part {
        None => {
            let answer = client.get("/backups")?;
            show_backups(desk, &client, answer)
        }
        Some(Backup::Disk { label }) => {
            let mut settings = client.get("/backups")?["settings"].take();
            settings["target"] = json!({"type": "usb_disk", "label": label});
            let answer = client.send("PUT", "/backups/settings", Some(&settings.to_string()))?;
            show_backups(desk, &client, answer)
        }
        Some(Backup::Run { no_wait }) => run(desk, &client, "/backups/run", "last_backup", *no_wait),
        Some(Backup::Drill { no_wait }) => run(desk, &client, "/backups/drill", "last_drill", *no_wait),
        Some(Backup::Kit { html, with_access, password_stdin }) => {
            let how = "hearthctl backup kit --password-stdin < file";
            let password = password(desk, *password_stdin, how)?;
            kit(desk, &client, &password, html.as_deref(), *with_access)
        }
        Some(Backup::Settings(BackupSettings::Get)) => {
            let answer = client.get("/backups")?["settings"].take();
            desk.print_json(&answer)
        }
        Some(Backup::Settings(BackupSettings::Set { file })) => {
            let wished = Zeroizing::new(read_settings(desk, file)?);
            let answer = client.send("PUT", "/backups/settings", Some(&wished))?;
            show_backups(desk, &client, answer)
        }
    }
}

fn show_backups(desk: &mut Desk<'_>, client: &Client, answer: Value) -> Result<(), Failure> {
    desk.answer(&answer.clone(), || {
        let backups: Backups = client.understand("/backups", answer)?;
        Ok(show::backups(&backups, now()))
    })
}

/// The time here is only shown: how long ago something was.
#[expect(clippy::disallowed_methods, reason = "what is shown is relative to the clock of whoever reads it")]
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|passed| passed.as_secs()).unwrap_or_default()
}

fn run(desk: &mut Desk<'_>, client: &Client, path: &str, ended: &str, no_wait: bool) -> Result<(), Failure> {
    // One may have begun by itself; that is waited for, and this one comes after it.
    loop {
        match client.send("POST", path, None) {
            Err(ClientError::Refused { code, .. }) if code == "backup_running" && !no_wait => {
                thread::sleep(LOOK_EVERY);
            }
            begun => {
                begun?;
                break;
            }
        }
    }
    if no_wait {
        return desk
            .answer(&json!({}), || Ok("It runs. To see how it went:\n  hearthctl backup\n".to_owned()));
    }
    loop {
        let answer = client.get("/backups")?;
        if answer["running"].is_null() {
            return match answer[ended]["problem"].as_str() {
                Some(problem) => Err(Failure::Backup { problem: problem.to_owned() }),
                None => show_backups(desk, client, answer),
            };
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn kit(
    desk: &mut Desk<'_>,
    client: &Client,
    password: &str,
    html: Option<&Path>,
    with_access: bool,
) -> Result<(), Failure> {
    let body = Zeroizing::new(json!({"password": password, "with_access": with_access}).to_string());
    let answer = client.send("POST", "/backups/kit", Some(&body))?;
    let Some(path) = html else {
        return desk.answer(&answer.clone(), || {
            let kit: Kit = client.understand("/backups/kit", answer)?;
            Ok(kit.text.clone())
        });
    };
    let kit: Kit = client.understand("/backups/kit", answer)?;
    write(path, kit.html.as_bytes()).map_err(|source| Failure::File { path: path.to_owned(), source })?;
    desk.answer(&json!({}), || {
        let path = path.display();
        Ok(format!("The recovery kit is in {path}. Print it, then remove the file.\n"))
    })
}
