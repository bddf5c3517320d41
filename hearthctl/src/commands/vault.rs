//! The vault: whether it is open, and the files in it.

use super::Desk;
use super::Failure;
use super::encode;
use super::storage::again;
use super::storage::password;
use crate::answers::Files;
use crate::answers::Vault as VaultAnswer;
use crate::answers::VaultRotation;
use crate::cli::Vault;
use crate::client::Client;
use crate::show;
use serde_json::Value;
use serde_json::json;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Longest file that the box takes, in bytes.
const MAX_FILE: u64 = 16 << 20;
/// Between two looks at a change of the key.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) fn carry_out(desk: &mut Desk<'_>, part: Option<&Vault>) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    match part {
        None => {
            let answer = client.get("/vault")?;
            show_vault(desk, &client, answer)
        }
        Some(Vault::Unlock { password_stdin }) => {
            let body =
                again(&password(desk, *password_stdin, "hearthctl vault unlock --password-stdin < file")?);
            let answer = client.send("POST", "/vault/unlock", Some(&body))?;
            show_vault(desk, &client, answer)
        }
        Some(Vault::Lock) => {
            let answer = client.send("POST", "/vault/lock", None)?;
            show_vault(desk, &client, answer)
        }
        Some(Vault::Rotate { no_wait, password_stdin }) => {
            let how = "hearthctl vault rotate --password-stdin < file";
            let body = again(&password(desk, *password_stdin, how)?);
            client.send("POST", "/vault/rotate", Some(&body))?;
            let answer = if *no_wait { client.get("/vault")? } else { wait_for_rotation(desk, &client)? };
            show_vault(desk, &client, answer)
        }
        Some(Vault::Files) => {
            let answer = client.get("/vault/files")?;
            desk.answer(&answer.clone(), || {
                let files: Files = client.understand("/vault/files", answer)?;
                Ok(show::private_files(&files))
            })
        }
        Some(Vault::Put { file }) => {
            let name = file.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| Failure::FileName { path: file.clone() })?;
            client.put_file(&path_of(name), &read(file)?)?;
            desk.answer(&json!({}), || Ok(format!("{name} is in your vault.\n")))
        }
        Some(Vault::Get { name, file }) => {
            let place = file.clone().unwrap_or_else(|| name.into());
            let bytes = client.get_file(&path_of(name))?;
            write(&place, &bytes).map_err(|source| Failure::File { path: place.clone(), source })?;
            desk.answer(&json!({}), || Ok(format!("{name} is in {}.\n", place.display())))
        }
        Some(Vault::Remove { name }) => {
            client.send("DELETE", &path_of(name), None)?;
            desk.answer(&json!({}), || Ok(format!("{name} is not in your vault any more.\n")))
        }
    }
}

fn show_vault(desk: &mut Desk<'_>, client: &Client, answer: Value) -> Result<(), Failure> {
    desk.answer(&answer.clone(), || {
        let vault: VaultAnswer = client.understand("/vault", answer)?;
        Ok(show::vault(&vault))
    })
}

/// What the box says of the vault when its key is changed, or not.
fn wait_for_rotation(desk: &mut Desk<'_>, client: &Client) -> Result<Value, Failure> {
    let mut told = None;
    loop {
        let answer = client.get("/vault")?;
        let vault: VaultAnswer = client.understand("/vault", answer.clone())?;
        let Some(VaultRotation { percent }) = vault.rotation else {
            return match vault.problem {
                Some(problem) => Err(Failure::Rotation { problem }),
                None => Ok(answer),
            };
        };
        if told != Some(percent) {
            desk.terminal.complain(&format!("{percent} %"));
            told = Some(percent);
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn path_of(name: &str) -> String {
    format!("/vault/files/{}", encode(name))
}

/// One byte more than the box takes is enough for it to say so.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    read.map(|_length| bytes).map_err(|source| Failure::File { path: path.to_owned(), source })
}

/// For its owner alone, as it was in the vault.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    File::options().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}
