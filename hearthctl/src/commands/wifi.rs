//! Wi-Fi: what there is, joining and forgetting networks, the country.

use super::Desk;
use super::Failure;
use super::storage::secret;
use crate::answers::Wifi as WifiAnswer;
use crate::cli::Wifi;
use crate::client::Client;
use crate::client::ClientError;
use crate::show;
use model::network::wifi::WifiWish;
use model::preset::Passphrase;
use model::preset::Ssid;
use serde_json::Value;
use serde_json::json;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use zeroize::Zeroizing;

/// Without resolver, time, firewall and apps.
const PATH: &str = "/network?part=links";
/// Between two looks at what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The box does not say when it has looked around; its radio takes a few seconds.
const LOOK_TAKES: Duration = Duration::from_secs(5);
/// How long one answer may take while the box changes networks: what was asked in the old one gets none.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The box tries a password up to three times, and looks for the network before each.
const JOIN_WITHIN: Duration = Duration::from_secs(360);

pub(super) fn carry_out(desk: &mut Desk<'_>, part: Option<&Wifi>) -> Result<(), Failure> {
    let client = desk.client_logged_in()?;
    match part {
        None => show_wifi(desk, &client),
        Some(Wifi::Look) => {
            wish(&client, &WifiWish::Look {})?;
            thread::sleep(LOOK_TAKES);
            show_wifi(desk, &client)
        }
        Some(Wifi::Join { name, open, passphrase_stdin }) => {
            join(desk, &client, name, *open, *passphrase_stdin)
        }
        Some(Wifi::Forget { name }) => {
            wish(&client, &WifiWish::Forget { ssid: name.clone() })?;
            let words = format!("The box has forgotten {:?} and its password.\n", name.as_str());
            desk.answer(&json!({}), || Ok(words))
        }
        Some(Wifi::Country { country }) => {
            wish(&client, &WifiWish::Country { country: country.clone() })?;
            let words = format!("The box heeds the rules for radio of {}.\n", country.as_str());
            desk.answer(&json!({}), || Ok(words))
        }
    }
}

fn wish(client: &Client, wish: &WifiWish) -> Result<(), Failure> {
    // Of strings and unit-like members only, which every JSON can hold.
    let body = serde_json::to_string(wish).map(Zeroizing::new).map_err(|_never| Failure::NoWifi)?;
    client.send("POST", "/network/wifi", Some(&body))?;
    Ok(())
}

fn show_wifi(desk: &mut Desk<'_>, client: &Client) -> Result<(), Failure> {
    let answer = client.get(PATH)?["wifi"].take();
    let known = understand(client, &answer)?;
    desk.answer(&answer, || Ok(show::wifi(&known)))
}

fn understand(client: &Client, answer: &Value) -> Result<WifiAnswer, Failure> {
    if answer.is_null() {
        return Err(Failure::NoWifi);
    }
    Ok(client.understand(PATH, answer.clone())?)
}

fn join(
    desk: &mut Desk<'_>,
    client: &Client,
    name: &Ssid,
    is_open: bool,
    from_stdin: bool,
) -> Result<(), Failure> {
    let before = understand(client, &client.get(PATH)?["wifi"])?;
    if before.state == "absent" {
        return Err(Failure::NoRadio);
    }
    let shown = before.networks.iter().find(|network| network.ssid == name.as_str());
    let needs_none = is_open || shown.is_some_and(|network| network.is_known || network.security == "open");
    let passphrase = if needs_none && !from_stdin { None } else { Some(passphrase(desk, name, from_stdin)?) };
    wish(client, &WifiWish::Join { ssid: name.clone(), passphrase })?;
    desk.terminal.complain(&on_its_way(name, before.state == "access-point"));
    let answer = wait(client, name)?;
    let words = format!("The box is in {:?}.\n", name.as_str());
    desk.answer(&answer, || Ok(words))
}

fn passphrase(desk: &mut Desk<'_>, name: &Ssid, from_stdin: bool) -> Result<Passphrase, Failure> {
    let question = format!("Password of {}:", name.as_str());
    let how = "hearthctl wifi join NAME --passphrase-stdin < file";
    let typed = secret(desk, &question, from_stdin, "the password of the network", how)?;
    typed.parse().map_err(|source| Failure::Passphrase { source })
}

fn on_its_way(name: &Ssid, from_own: bool) -> String {
    let name = name.as_str();
    if from_own {
        format!(
            "The box leaves its own network for {name:?}. Join that with this computer too: it loses the box now.\n\
             Is the password wrong, the box's own network comes back within some minutes."
        )
    } else {
        format!("The box joins {name:?}. It may not answer for a moment.")
    }
}

/// Looks until the box is in the network or says why not.
fn wait(client: &Client, name: &Ssid) -> Result<Value, Failure> {
    let end = Instant::now().checked_add(JOIN_WITHIN);
    loop {
        match client.get_within(PATH, ANSWER_WITHIN) {
            Ok(mut answer) => {
                let answer = answer["wifi"].take();
                if is_in(&understand(client, &answer)?, name)? {
                    return Ok(answer);
                }
            }
            // It changes networks, and this computer may too.
            Err(ClientError::Unreachable { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if end.is_none_or(|end| Instant::now() > end) {
            return Err(Failure::WifiUnknown { name: name.clone() });
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Whether the box is in the network; a failure once it is known that it will not be. Pure.
fn is_in(wifi: &WifiAnswer, name: &Ssid) -> Result<bool, Failure> {
    let is_wanted = wifi.network.as_deref() == Some(name.as_str());
    if wifi.state == "joined" && is_wanted {
        return Ok(true);
    }
    match &wifi.problem {
        Some(problem) => Err(Failure::Wifi { problem: problem.clone(), goes_on: is_wanted }),
        None if is_wanted => Ok(false),
        // It is over, and why was said while nobody asked: back in another network, the box says it no longer.
        None => {
            let problem = format!("the network {:?} did not let the box in", name.as_str());
            Err(Failure::Wifi { problem, goes_on: false })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(state: &str, network: Option<&str>, problem: Option<&str>) -> String {
        let wifi = WifiAnswer {
            state: state.to_owned(),
            network: network.map(str::to_owned),
            country: None,
            problem: problem.map(str::to_owned),
            networks: vec![],
        };
        match is_in(&wifi, &"Home".parse().unwrap()) {
            Ok(is_in) => is_in.to_string(),
            Err(failure) => format!("{failure}; {:?}", failure.advice()),
        }
    }

    #[test]
    fn only_the_network_that_was_wanted_counts_as_joined_and_the_end_is_seen() {
        assert_eq!(judged("looking", Some("Home"), None), "false");
        assert_eq!(judged("joining", Some("Home"), None), "false");
        assert_eq!(judged("joined", Some("Home"), None), "true");
        assert_eq!(
            judged("joined", Some("Attic"), None),
            "the network \"Home\" did not let the box in; None"
        );
        assert_eq!(judged("access-point", None, Some("it said no")), "it said no; None");
        assert_eq!(
            judged("looking", Some("Home"), Some("it is far")),
            "it is far; Some(\"The box goes on trying.\")"
        );
    }
}
