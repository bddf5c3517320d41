//! What the owner is shown. Pure.

use super::machine::Problem;
use super::machine::Refusal;
use super::machine::State;
use super::snapshot::Snapshot;
use model::network::wifi::MOST_NETWORKS;
use model::network::wifi::WifiNetwork;
use model::network::wifi::WifiState;
use model::preset::Ssid;
use std::collections::BTreeMap;
use std::collections::HashMap;
use zbus::OwnedObjectPath;

/// The state in the report's words.
pub(super) const fn state(state: &State) -> WifiState {
    match state {
        State::Absent => WifiState::Absent,
        State::Idle | State::Unplugged { .. } | State::Pausing { .. } => WifiState::Idle,
        State::Looking { .. } => WifiState::Looking,
        State::Joining { .. } => WifiState::Joining,
        State::Joined { .. } => WifiState::Joined,
        State::Beacon { .. } => WifiState::AccessPoint,
    }
}

/// Why a network was not joined, for the owner.
pub(super) fn words(problem: &Problem) -> String {
    let name = problem.ssid.as_str();
    match problem.refusal {
        Refusal::Password => format!("the network {name:?} did not accept the password"),
        Refusal::NoPassword => format!("the network {name:?} needs a password"),
        Refusal::Unsupported => {
            format!("the network {name:?} is protected in a way that this box does not speak")
        }
        Refusal::OutOfReach => format!("the network {name:?} is not in reach"),
        Refusal::Other => format!("the network {name:?} did not let the box in, and did not say why"),
    }
}

/// Networks in reach and known ones, each name once, the strongest first.
pub(super) fn networks(snapshot: &Snapshot, signals: &HashMap<OwnedObjectPath, u8>) -> Vec<WifiNetwork> {
    let joined = snapshot.joined().map(|network| &network.path);
    let mut by_name: BTreeMap<&str, WifiNetwork> = BTreeMap::new();
    for network in &snapshot.networks {
        let Some(best) = snapshot.in_reach(&network.ssid) else { continue };
        let shown = by_name.entry(network.ssid.as_str()).or_insert_with(|| WifiNetwork {
            ssid: network.ssid.clone(),
            security: best.security,
            signal: None,
            is_known: is_known(snapshot, &network.ssid),
            is_joined: false,
        });
        shown.signal = shown.signal.max(signals.get(&network.path).copied());
        shown.is_joined |= joined == Some(&network.path);
    }
    for known in &snapshot.known {
        by_name.entry(known.ssid.as_str()).or_insert_with(|| WifiNetwork {
            ssid: known.ssid.clone(),
            security: known.security,
            signal: None,
            is_known: true,
            is_joined: false,
        });
    }
    let mut all: Vec<WifiNetwork> = by_name.into_values().collect();
    all.sort_by_key(|network| std::cmp::Reverse((network.is_joined, network.signal)));
    all.truncate(MOST_NETWORKS);
    all
}

/// Whether iwd has the password of a network of that name.
pub(super) fn is_known(snapshot: &Snapshot, ssid: &Ssid) -> bool {
    snapshot.known.iter().any(|known| known.ssid == *ssid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wifi::snapshot::Device;
    use crate::wifi::snapshot::Known;
    use crate::wifi::snapshot::Network;
    use model::network::wifi::Security;

    fn path(text: &str) -> OwnedObjectPath {
        zbus::ObjectPath::try_from(text.to_owned()).unwrap().into()
    }

    #[test]
    fn each_name_is_shown_once_the_strongest_first_and_the_joined_one_before_all() {
        let network = |at: &str, name: &str, security| Network {
            path: path(at),
            ssid: name.parse().unwrap(),
            security,
        };
        let device = Device {
            path: path("/i/1/3"),
            link: "wlan0".to_owned(),
            mac: [2; 6],
            is_beacon: false,
            is_station: true,
            joined: Some(path("/i/1/3/c")),
            is_looking: false,
        };
        let known = |name: &str| Known {
            path: path(&format!("/k/{name}")),
            ssid: name.parse().unwrap(),
            security: Security::Password,
        };
        let snapshot = Snapshot {
            device: Some(device),
            networks: vec![
                network("/i/1/3/a", "twice", Security::Open),
                network("/i/1/3/b", "twice", Security::Password),
                network("/i/1/3/c", "weak", Security::Password),
                network("/i/1/3/d", "strong", Security::Open),
            ],
            known: vec![known("weak"), known("far")],
        };
        let signals = [("a", 40), ("b", 60), ("c", 10), ("d", 90)];
        let signals =
            signals.into_iter().map(|(at, signal)| (path(&format!("/i/1/3/{at}")), signal)).collect();
        let shown: Vec<_> = networks(&snapshot, &signals)
            .into_iter()
            .map(|network| {
                (network.ssid.as_str().to_owned(), network.security, network.signal, network.is_known)
            })
            .collect();
        let expected = [
            ("weak", Security::Password, Some(10), true),
            ("strong", Security::Open, Some(90), false),
            ("twice", Security::Password, Some(60), false),
            ("far", Security::Password, None, true),
        ];
        assert_eq!(
            shown,
            expected.map(|(name, security, signal, known)| (name.to_owned(), security, signal, known))
        );
    }

    #[test]
    fn the_reason_names_the_network_and_no_line_of_it_can_be_forged() {
        let problem = Problem { ssid: "Ho\"me".parse().unwrap(), refusal: Refusal::Password };
        assert_eq!(words(&problem), "the network \"Ho\\\"me\" did not accept the password");
    }
}
