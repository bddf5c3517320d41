//! Trusting a box, logging in and out.

use super::Desk;
use super::Failure;
use crate::answers::Status;
use crate::cli::Login;
use crate::cli::Reach;
use crate::client::Client;
use crate::client::ClientError;
use crate::client::MAX_CERTIFICATE;
use crate::client::fetch_certificate;
use crate::config::KnownBox;
use crate::trust;
use crate::trust::Fingerprint;
use serde_json::json;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;
use zeroize::Zeroizing;

/// Where a fingerprint can be compared.
const SCREEN_OR_BROWSER: &str = "Compare it with the one on the box's own screen, or on the page Network of a browser that already trusts the \
                                 box.\nThe box's welcome page proves nothing: it comes unencrypted, as this did.";

pub(super) fn log_in(desk: &mut Desk<'_>, wish: &Login) -> Result<(), Failure> {
    let kept = desk.store.load()?;
    let url = match (&wish.url, &kept) {
        (Some(url), _) => checked_url(url)?,
        (None, Some(kept)) => kept.url.clone(),
        (None, None) => return Err(Failure::NoBox),
    };
    let kept = kept.filter(|kept| kept.url == url);
    let mut known = trusted(desk, wish, url, kept)?;
    let household = trust::parse(&known.certificate)?;
    let client = Client::new(&known.url, known.address, &household, None);
    let status: Status = client.understand("/status", client.get("/status")?)?;
    if status.state == "setup" {
        return Err(Failure::NotSetUp { url: known.url });
    }
    if status.state == "locked" {
        return Err(Failure::DataLocked { url: known.url });
    }
    let (name, password) = credentials(desk, wish)?;
    let body = Zeroizing::new(json!({"name": name, "password": password.as_str()}).to_string());
    let (token, answer) = client.log_in(&body)?;
    known.session = Some(token);
    desk.store.save(&known)?;
    desk.answer(&answer, || Ok(format!("Logged in to {} as {name}.\n", known.url)))
}

pub(super) fn log_out(desk: &mut Desk<'_>, forget: bool) -> Result<(), Failure> {
    let mut known = desk.known()?;
    let ended = match known.session {
        Some(_) => desk.client()?.send("DELETE", "/session", None).map(drop),
        None => Ok(()),
    };
    // Forgotten here whatever the box says; a session it keeps ends by itself after seven days without use.
    known.session = None;
    if forget {
        desk.store.forget()?;
    } else {
        desk.store.save(&known)?;
    }
    match ended {
        Ok(()) | Err(ClientError::LoggedOut) => {
            desk.answer(&json!({}), || Ok(format!("Logged out of {}.\n", known.url)))
        }
        Err(error) => Err(error.into()),
    }
}

/// The box with a certificate that is trusted: the one of last time, or one whose fingerprint was compared.
fn trusted(
    desk: &mut Desk<'_>,
    wish: &Login,
    url: String,
    kept: Option<KnownBox>,
) -> Result<KnownBox, Failure> {
    let address = wish.reach.address.or_else(|| kept.as_ref()?.address);
    if let (Some(kept), None) = (kept, &wish.reach.fingerprint) {
        return Ok(KnownBox::new(url, address, kept.certificate));
    }
    let pem = proven_certificate(desk, &wish.reach, &url, address, SCREEN_OR_BROWSER)?;
    Ok(KnownBox::new(url, address, pem))
}

/// The certificate of a box, PEM, whose fingerprint was given or compared by somebody; `where_to_compare` tells them how.
pub(super) fn proven_certificate(
    desk: &mut Desk<'_>,
    reach: &Reach,
    url: &str,
    address: Option<IpAddr>,
    where_to_compare: &str,
) -> Result<String, Failure> {
    let read = |text: &String| {
        text.parse::<Fingerprint>().map_err(|source| Failure::Fingerprint { text: text.clone(), source })
    };
    let wanted = reach.fingerprint.as_ref().map(read).transpose()?;
    let pem = fetch(reach, url, address)?;
    let found = Fingerprint::of(&trust::parse(&pem)?);
    match wanted {
        Some(wanted) if wanted == found => {}
        Some(wanted) => return Err(Failure::OtherFingerprint { wanted, found }),
        None => compare(desk, url, found, where_to_compare)?,
    }
    Ok(pem)
}

fn fetch(reach: &Reach, url: &str, address: Option<IpAddr>) -> Result<String, Failure> {
    let Some(source) = &reach.certificate else {
        let host = host_of(url).ok_or_else(|| Failure::Address { url: url.to_owned() })?;
        return Ok(fetch_certificate(&format!("http://{host}/ca.crt"), address)?);
    };
    if source.starts_with("http://") {
        return Ok(fetch_certificate(source, address)?);
    }
    let mut text = String::new();
    std::fs::File::open(source)
        .and_then(|file| file.take(MAX_CERTIFICATE).read_to_string(&mut text))
        .map_err(|error| Failure::Input { path: Path::new(source).to_owned(), source: error })?;
    Ok(text)
}

/// Only a whole `yes` counts: a key pressed too often must not trust anybody.
fn compare(desk: &mut Desk<'_>, url: &str, found: Fingerprint, where_to: &str) -> Result<(), Failure> {
    if !desk.terminal.has_person() {
        return Err(Failure::NobodyCompares { found });
    }
    let [first, second] = found.lines();
    desk.terminal.complain(&format!(
        "{url} has the household certificate with the fingerprint (SHA-256)\n\n  {first}\n  {second}\n\n{where_to}"
    ));
    let ask = |source| Failure::Ask { source };
    let answer = desk.terminal.ask("Are they the same? Type yes to trust this box:").map_err(ask)?;
    if answer.trim().eq_ignore_ascii_case("yes") { Ok(()) } else { Err(Failure::NotTrusted) }
}

fn credentials(desk: &mut Desk<'_>, wish: &Login) -> Result<(String, Zeroizing<String>), Failure> {
    let ask = |source| Failure::Ask { source };
    if !desk.terminal.has_person() && (wish.name.is_none() || !wish.password_stdin) {
        let how = "hearthctl login --name … --password-stdin < file";
        return Err(Failure::NobodyTypes { what: "the password", how });
    }
    let name = match &wish.name {
        Some(name) => name.clone(),
        None => desk.terminal.ask("Name:").map_err(ask)?,
    };
    let password = if wish.password_stdin {
        desk.terminal.read_line().map_err(ask)?
    } else {
        desk.terminal.ask_secret("Password:").map_err(ask)?
    };
    Ok((name, password))
}

/// `https://host` or `https://host:port`; a slash at the end is forgiven.
pub(super) fn checked_url(text: &str) -> Result<String, Failure> {
    let url = text.strip_suffix('/').unwrap_or(text);
    match host_of(url) {
        Some(_) => Ok(url.to_ascii_lowercase()),
        None => Err(Failure::Address { url: text.to_owned() }),
    }
}

/// The host without its port; `None` where the address is none of a box.
fn host_of(url: &str) -> Option<String> {
    let (scheme, authority) = url.split_at_checked("https://".len())?;
    if !scheme.eq_ignore_ascii_case("https://") {
        return None;
    }
    let uri: ureq::http::uri::Authority = authority.parse().ok()?;
    let is_whole = !authority.contains('@') && uri.as_str() == authority;
    Some(uri.host().to_owned()).filter(|host| is_whole && !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_name_and_perhaps_a_port() {
        for (text, url, host) in [
            ("https://hearth.local", "https://hearth.local", "hearth.local"),
            ("https://Hearth.local/", "https://hearth.local", "hearth.local"),
            ("HTTPS://192.168.1.5:8443", "https://192.168.1.5:8443", "192.168.1.5"),
            ("https://[fd00::1]", "https://[fd00::1]", "[fd00::1]"),
        ] {
            let checked = checked_url(text).unwrap();
            assert_eq!((checked.as_str(), host_of(&checked).as_deref()), (url, Some(host)));
        }
        for bad in [
            "hearth.local",
            "http://hearth.local",
            "https://",
            "https://a/b",
            "https://u@a",
            "https://a?b",
            "https:/\u{e9}",
        ] {
            assert!(matches!(checked_url(bad), Err(Failure::Address { .. })), "{bad}");
        }
    }
}
