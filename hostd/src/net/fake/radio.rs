//! The radio of the netd in memory: it joins, refuses and forgets as netd does, one step further each time it is looked at.

use model::network::wifi::Security;
use model::network::wifi::WifiNetwork;
use model::network::wifi::WifiReport;
use model::network::wifi::WifiState;
use model::network::wifi::WifiWish;
use model::preset::Country;
use model::preset::Passphrase;
use model::preset::Ssid;

/// A network that somebody near the box has.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// Its name.
    pub ssid: Ssid,
    /// Its password; none for an open one.
    pub passphrase: Option<Passphrase>,
    /// How strong it is at the box, from 0 to 100.
    pub signal: u8,
}

/// A radio, and what is in the air around it.
#[derive(Debug, Default)]
pub(super) struct Radio {
    air: Vec<Neighbour>,
    seen: Vec<Ssid>,
    known: Vec<(Ssid, Option<Passphrase>)>,
    joined: Option<Ssid>,
    wanted: Option<(Ssid, Option<Passphrase>)>,
    is_joining: bool,
    problem: Option<String>,
    country: Option<Country>,
}

impl Radio {
    /// Another network comes near; it is seen at the next look.
    pub(super) fn add(&mut self, neighbour: Neighbour) {
        self.air.retain(|other| other.ssid != neighbour.ssid);
        self.air.push(neighbour);
    }

    /// Does what the owner wants, or says why not.
    pub(super) fn wish(&mut self, wish: WifiWish) -> Result<(), String> {
        match wish {
            WifiWish::Look {} => self.seen = self.air.iter().map(|network| network.ssid.clone()).collect(),
            WifiWish::Join { ssid, passphrase } => {
                self.problem = None;
                self.is_joining = false;
                self.wanted = Some((ssid, passphrase));
            }
            WifiWish::Forget { ssid } => {
                let is_wanted = self.wanted.take_if(|(wanted, _)| *wanted == ssid).is_some();
                let count = self.known.len();
                self.known.retain(|(known, _)| *known != ssid);
                self.joined.take_if(|joined| *joined == ssid);
                if !is_wanted && self.known.len() == count {
                    return Err(format!("no network {:?} is known", ssid.as_str()));
                }
            }
            WifiWish::Country { country } => self.country = Some(country),
        }
        Ok(())
    }

    /// How it is, and one step on.
    pub(super) fn report(&mut self) -> WifiReport {
        let state = match (&self.wanted, &self.joined) {
            (Some(_), _) if self.is_joining => WifiState::Joining,
            (Some(_), _) => WifiState::Looking,
            (None, Some(_)) => WifiState::Joined,
            (None, None) => WifiState::Idle,
        };
        let shown = WifiReport {
            state,
            network: self.wanted.as_ref().map(|(ssid, _)| ssid).or(self.joined.as_ref()).map(name),
            link: Some("wlan0".to_owned()),
            country: self.country.clone(),
            problem: self.problem.clone(),
            access_point: None,
            networks: self.networks(),
        };
        self.step();
        shown
    }

    fn step(&mut self) {
        let Some((ssid, passphrase)) = self.wanted.clone() else { return };
        let Some(network) = self.air.iter().find(|network| network.ssid == ssid) else {
            // It stays wanted: it may come.
            self.problem = Some(format!("the network {:?} is not in reach", ssid.as_str()));
            return;
        };
        if !self.is_joining {
            self.is_joining = true;
            return;
        }
        self.is_joining = false;
        self.wanted = None;
        let known = self.known.iter().find(|(known, _)| *known == ssid).and_then(|(_, known)| known.clone());
        let given = passphrase.or(known);
        self.problem = match (&network.passphrase, given) {
            (Some(_), None) => Some(format!("the network {:?} needs a password", ssid.as_str())),
            (Some(right), Some(given)) if *right != given => {
                Some(format!("the network {:?} did not accept the password", ssid.as_str()))
            }
            (_, given) => {
                self.known.retain(|(known, _)| *known != ssid);
                self.known.push((ssid.clone(), given));
                self.joined = Some(ssid);
                None
            }
        };
    }

    fn networks(&self) -> Vec<WifiNetwork> {
        let is_known = |ssid: &Ssid| self.known.iter().any(|(known, _)| known == ssid);
        let in_reach = self.air.iter().filter(|network| self.seen.contains(&network.ssid));
        let mut all: Vec<WifiNetwork> = in_reach
            .map(|network| WifiNetwork {
                ssid: network.ssid.clone(),
                security: if network.passphrase.is_some() { Security::Password } else { Security::Open },
                signal: Some(network.signal),
                is_known: is_known(&network.ssid),
                is_joined: self.joined.as_ref() == Some(&network.ssid),
            })
            .collect();
        let far = self.known.iter().filter(|(known, _)| !all.iter().any(|network| network.ssid == *known));
        let far: Vec<WifiNetwork> = far
            .map(|(ssid, passphrase)| WifiNetwork {
                ssid: ssid.clone(),
                security: if passphrase.is_some() { Security::Password } else { Security::Open },
                signal: None,
                is_known: true,
                is_joined: self.joined.as_ref() == Some(ssid),
            })
            .collect();
        all.extend(far);
        all.sort_by_key(|network| std::cmp::Reverse((network.is_joined, network.signal)));
        all
    }
}

fn name(ssid: &Ssid) -> String {
    ssid.as_str().to_owned()
}
