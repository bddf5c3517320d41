//! The encrypted data: what opens it, unlocking it, other keys for it.

use super::Desk;
use super::Failure;
use super::login::checked_url;
use super::login::proven_certificate;
use crate::answers::Health;
use crate::answers::RecoveryKey;
use crate::answers::Status;
use crate::answers::Storage as StorageAnswer;
use crate::cli::Rotated;
use crate::cli::Storage;
use crate::cli::Unlock;
use crate::client::Client;
use crate::client::ClientError;
use crate::show;
use crate::trust;
use serde_json::Value;
use serde_json::json;
use zeroize::Zeroizing;

/// How often somebody may mistype the end of a key before they are sent back to their paper.
const TRIES: usize = 3;
/// Where a fingerprint can be compared while the data is locked: the box has a certificate of the moment, its own is in the data.
const ONLY_ITS_SCREEN: &str = "While its data is locked the box has a certificate of the moment. Compare it with the one on the box's own screen:\n\
                               whoever poses as your box would get the key that you type.";

/// A passphrase was set.
const ASKS: &str = "From now on the box is locked at each start, until somebody types the passphrase or the recovery key.\n\
                    The key on the boot partition opens nothing any more; the next start destroys it.\n";

/// A change of the volume key has begun.
const ROTATING: &str = "The box encrypts everything with a new key while it is in use, also after a power cut. The recovery key stays\n\
                        what it is. How far it is:\n  hearthctl storage\n";

pub(super) fn carry_out(desk: &mut Desk<'_>, part: Option<&Storage>) -> Result<(), Failure> {
    match part {
        None => show_storage(desk),
        Some(Storage::Health) => show_health(desk),
        Some(Storage::Unlock(wish)) => unlock(desk, wish),
        Some(Storage::RecoveryKey { confirm: Some(end), .. }) => {
            let client = desk.client_logged_in()?;
            confirm(&client, end)?;
            desk.answer(&json!({}), || Ok(show::CONFIRMED.to_owned()))
        }
        Some(Storage::RecoveryKey { password_stdin, confirm: None }) => recovery_key(desk, *password_stdin),
        Some(Storage::Seal { password_stdin }) => seal(desk, *password_stdin),
        Some(Storage::Passphrase { password_stdin }) => passphrase(desk, *password_stdin),
        Some(Storage::Rotate { what, password_stdin }) => rotate(desk, *what, *password_stdin),
    }
}

fn show_storage(desk: &mut Desk<'_>) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    let answer = client.get("/storage")?;
    desk.answer(&answer.clone(), || {
        let storage: StorageAnswer = client.understand("/storage", answer)?;
        Ok(show::storage(&storage))
    })
}

fn show_health(desk: &mut Desk<'_>) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    let answer = client.get("/storage/health")?;
    desk.answer(&answer.clone(), || {
        let health: Health = client.understand("/storage/health", answer)?;
        Ok(show::health(&health))
    })
}

fn unlock(desk: &mut Desk<'_>, wish: &Unlock) -> Result<(), Failure> {
    let client = locked_box(desk, wish)?;
    let status: Status = client.understand("/status", client.get("/status")?)?;
    if status.state != "locked" {
        return Err(Failure::NotLocked);
    }
    let key = secret(
        desk,
        "Recovery key or passphrase:",
        wish.key_stdin,
        "the key",
        "hearthctl storage unlock --key-stdin < file",
    )?;
    let body = Zeroizing::new(json!({"key": key.as_str()}).to_string());
    client.send("POST", "/storage/unlock", Some(&body))?;
    desk.answer(&json!({}), || {
        Ok("That was the right key. The box opens its data and starts everything again.\n".to_owned())
    })
}

/// A locked box has neither its certificate nor its chosen name. Nothing is kept of how it is reached for this once.
fn locked_box(desk: &mut Desk<'_>, wish: &Unlock) -> Result<Client, Failure> {
    let kept = desk.store.load()?;
    let url = match (&wish.url, &kept) {
        (Some(url), _) => checked_url(url)?,
        (None, Some(kept)) => kept.url.clone(),
        (None, None) => return Err(Failure::NoBox),
    };
    let address = wish.reach.address.or_else(|| kept.as_ref()?.address);
    if let (Some(kept), None) = (&kept, &wish.reach.fingerprint) {
        let client = Client::new(&url, address, &trust::parse(&kept.certificate)?, None);
        if !matches!(client.get("/status"), Err(ClientError::Stranger { .. })) {
            return Ok(client);
        }
    }
    let pem = proven_certificate(desk, &wish.reach, &url, address, ONLY_ITS_SCREEN)?;
    Ok(Client::new(&url, address, &trust::parse(&pem)?, None))
}

fn recovery_key(desk: &mut Desk<'_>, password_stdin: bool) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    let how = "hearthctl storage recovery-key --password-stdin < file";
    let body = again(&password(desk, password_stdin, how)?);
    let answer = client.send("POST", "/storage/recovery-key", Some(&body))?;
    desk.answer(&answer.clone(), || {
        let made: RecoveryKey = client.understand("/storage/recovery-key", answer)?;
        Ok(show::recovery_key(&made))
    })?;
    if desk.json || !desk.terminal.has_person() {
        return Ok(());
    }
    for _ in 0..TRIES {
        let ask = |source| Failure::Ask { source };
        let end = desk
            .terminal
            .ask("Type the last two groups from your paper (or nothing, for later):")
            .map_err(ask)?;
        if end.trim().is_empty() {
            break;
        }
        match confirm(&client, &end) {
            Ok(()) => return desk.print(show::CONFIRMED),
            Err(Failure::Client(ClientError::Refused { code, message, .. })) if code == "not_its_end" => {
                desk.terminal.complain(&message);
            }
            Err(error) => return Err(error),
        }
    }
    desk.print(show::UNCONFIRMED)
}

fn confirm(client: &Client, end: &str) -> Result<(), Failure> {
    let body = Zeroizing::new(json!({"end": end.trim()}).to_string());
    client.send("POST", "/storage/recovery-key/confirm", Some(&body))?;
    Ok(())
}

fn seal(desk: &mut Desk<'_>, password_stdin: bool) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    let how = "hearthctl storage seal --password-stdin < file";
    let body = again(&password(desk, password_stdin, how)?);
    let sealed: Value = client.send("POST", "/storage/seal", Some(&body))?;
    drop(sealed);
    desk.answer(&json!({}), || {
        Ok("The data is sealed to the box as it is now: it opens by itself at the next start.\n".to_owned())
    })
}

fn passphrase(desk: &mut Desk<'_>, password_stdin: bool) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    let how = "hearthctl storage passphrase --password-stdin < file";
    let password = password(desk, password_stdin, how)?;
    let first = secret(desk, "The passphrase:", password_stdin, "the passphrase", how)?;
    // Typed once it may be mistyped, and shows so only at the next start.
    if !password_stdin && *secret(desk, "The passphrase once more:", false, "the passphrase", how)? != *first
    {
        return Err(Failure::NotTheSame);
    }
    let body =
        Zeroizing::new(json!({"password": password.as_str(), "passphrase": first.as_str()}).to_string());
    client.send("POST", "/storage/passphrase", Some(&body))?;
    desk.answer(&json!({}), || Ok(ASKS.to_owned()))
}

fn rotate(desk: &mut Desk<'_>, what: Rotated, password_stdin: bool) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    let how = match what {
        Rotated::System => "hearthctl storage rotate system --password-stdin < file",
        Rotated::Data => "hearthctl storage rotate data --password-stdin < file",
    };
    let password = password(desk, password_stdin, how)?;
    let (body, done) = match what {
        Rotated::System => (
            json!({"what": what.as_str(), "password": password.as_str()}),
            "The box has a new system key. Nothing else changes.\n",
        ),
        Rotated::Data => {
            let key = secret(desk, "Recovery key:", password_stdin, "the recovery key", how)?;
            (
                json!({"what": what.as_str(), "password": password.as_str(), "recovery_key": key.as_str()}),
                ROTATING,
            )
        }
    };
    client.send("POST", "/storage/rotate", Some(&Zeroizing::new(body.to_string())))?;
    desk.answer(&json!({}), || Ok(done.to_owned()))
}

/// The body of a request that asks for nothing but the password.
pub(super) fn again(password: &str) -> Zeroizing<String> {
    Zeroizing::new(json!({"password": password}).to_string())
}

pub(super) fn password(
    desk: &mut Desk<'_>,
    from_stdin: bool,
    how: &'static str,
) -> Result<Zeroizing<String>, Failure> {
    secret(desk, "Your password:", from_stdin, "the password", how)
}

pub(super) fn secret(
    desk: &mut Desk<'_>,
    question: &str,
    from_stdin: bool,
    what: &'static str,
    how: &'static str,
) -> Result<Zeroizing<String>, Failure> {
    let ask = |source| Failure::Ask { source };
    if from_stdin {
        return desk.terminal.read_line().map_err(ask);
    }
    if !desk.terminal.has_person() {
        return Err(Failure::NobodyTypes { what, how });
    }
    desk.terminal.ask_secret(question).map_err(ask)
}
