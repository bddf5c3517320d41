//! Wi-Fi in words.

use super::table::table;
use crate::answers::Wifi;
use crate::answers::WifiNetwork;

/// Which network the box is in, and which there are.
#[must_use]
pub fn wifi(wifi: &Wifi) -> String {
    let mut text = format!("{}\n", state(wifi));
    if let Some(problem) = &wifi.problem {
        text.push_str(&format!("  ! {problem}\n"));
    }
    if wifi.state == "absent" {
        return text;
    }
    let country = wifi.country.as_deref().unwrap_or("not chosen yet: hearthctl wifi country");
    text.push_str(&format!("  country  {country}\n"));
    let (near, far): (Vec<_>, Vec<_>) =
        wifi.networks.iter().partition(|network| network.is_joined || network.signal.is_some());
    text.push_str("\nNetworks in reach\n");
    if near.is_empty() {
        text.push_str("  none; to look again: hearthctl wifi look\n");
    }
    text.push_str(&table(&near.into_iter().map(row).collect::<Vec<_>>()));
    if !far.is_empty() {
        text.push_str("\nKnown, but not in reach\n");
        text.push_str(&far.into_iter().map(|network| format!("  {}\n", network.ssid)).collect::<String>());
    }
    text
}

fn state(wifi: &Wifi) -> String {
    match (wifi.state.as_str(), &wifi.network) {
        ("absent", _) => "This box has no Wi-Fi.".to_owned(),
        ("joined", Some(name)) => format!("The box is in {name:?}."),
        ("joining", Some(name)) => format!("The box joins {name:?}."),
        ("looking", Some(name)) => format!("The box looks for {name:?}."),
        ("looking", None) => "The box looks for networks that it knows.".to_owned(),
        ("idle", Some(name)) => format!("The box looks for {name:?} again in a few minutes."),
        ("idle", None) => "The box is in no Wi-Fi network.".to_owned(),
        ("access-point", _) => "The box is a Wi-Fi network itself, until it joins one or gets a cable.\n  \
             Its name and password are on the screen of the box."
            .to_owned(),
        (other, _) => format!("Wi-Fi is {other}."),
    }
}

fn row(network: &WifiNetwork) -> Vec<String> {
    let protection = match network.security.as_str() {
        "open" => "open",
        "password" => "protected",
        "unsupported" => "protected in a way that this box does not speak",
        other => other,
    };
    let standing = match (network.is_joined, network.is_known) {
        (true, _) => "joined",
        (false, true) => "known",
        (false, false) => "",
    };
    let signal = network.signal.map_or_else(String::new, |signal| format!("{signal:>3} of 100"));
    vec![network.ssid.clone(), signal, protection.to_owned(), standing.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        wifi(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn every_state_has_its_words_and_one_of_the_future_stands_for_itself() {
        let first = |state: &str, network: &str| {
            let text = format!(r#"{{"state": "{state}", "network": {network}, "networks": [], "more": 1}}"#);
            told(&text).lines().next().unwrap().to_owned()
        };
        assert_eq!(told(r#"{"state": "absent", "networks": []}"#), "This box has no Wi-Fi.\n");
        for (state, network, words) in [
            ("joined", "\"Home\"", "The box is in \"Home\"."),
            ("joining", "\"Home\"", "The box joins \"Home\"."),
            ("looking", "\"Home\"", "The box looks for \"Home\"."),
            ("looking", "null", "The box looks for networks that it knows."),
            ("idle", "\"Home\"", "The box looks for \"Home\" again in a few minutes."),
            ("idle", "null", "The box is in no Wi-Fi network."),
            (
                "access-point",
                "null",
                "The box is a Wi-Fi network itself, until it joins one or gets a cable.",
            ),
            ("resting", "null", "Wi-Fi is resting."),
        ] {
            assert_eq!(first(state, network), words);
        }
    }
}
