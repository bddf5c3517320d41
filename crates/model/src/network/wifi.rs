//! Wi-Fi, as the owner sees and wishes it.

use crate::preset::Country;
use crate::preset::Passphrase;
use crate::preset::Ssid;
use serde::Deserialize;
use serde::Serialize;

/// Most networks that are shown, those with the strongest signal.
pub const MOST_NETWORKS: usize = 64;

/// How the wireless link is now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WifiReport {
    /// What it does.
    pub state: WifiState,
    /// The network that it is in, or is about to join.
    pub network: Option<String>,
    /// Kernel name of the link.
    pub link: Option<String>,
    /// Whose rules for radio hold.
    pub country: Option<Country>,
    /// Why the last attempt at joining a network failed, in plain words.
    pub problem: Option<String>,
    /// The box's own network for set-up, while it is on.
    pub access_point: Option<AccessPointReport>,
    /// Networks in reach at the last look, the strongest first, and those that are known.
    pub networks: Vec<WifiNetwork>,
}

/// What the wireless link does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WifiState {
    /// There is none.
    #[default]
    Absent,
    /// Nothing: no network is known, and a cable is in.
    Idle,
    /// Looks for known networks.
    Looking,
    /// Joins one.
    Joining,
    /// Is in one.
    Joined,
    /// Is one: for set-up.
    AccessPoint,
}

/// The box's own network for set-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPointReport {
    /// Its name.
    pub ssid: Ssid,
    /// Its password. Whoever reads this is the owner, or stands before the box's screen.
    pub passphrase: Passphrase,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WifiNetwork {
    /// Its name.
    pub ssid: Ssid,
    /// How it is protected.
    pub security: Security,
    /// How strong it is here, from 0 to 100; none when it is out of reach.
    pub signal: Option<u8>,
    /// Whether the box has its password.
    pub is_known: bool,
    /// Whether the box is in it.
    pub is_joined: bool,
}

/// How a network is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// Not at all.
    Open,
    /// By a password (WPA2, WPA3).
    Password,
    /// In a way that the box does not speak: accounts of companies, or WEP, which protects nothing.
    Unsupported,
}

/// A wish to join a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WifiJoin {
    /// Its name.
    pub ssid: Ssid,
    /// Its password; none for an open one, or one that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<Passphrase>,
}

/// What the owner wants of Wi-Fi.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "want", deny_unknown_fields)]
pub enum WifiWish {
    /// Look around; the report has what was seen.
    Look {},
    /// Join a network. That it will be tried is the answer; what came of it is in the report.
    Join {
        /// Its name.
        ssid: Ssid,
        /// Its password; none for an open one, or one that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        passphrase: Option<Passphrase>,
    },
    /// Forget a network and its password.
    Forget {
        /// Its name.
        ssid: Ssid,
    },
    /// Heed the rules for radio of this country.
    Country {
        /// The country.
        country: Country,
    },
}

/// Signal in hundredths of dBm (as iwd gives it) as a share of 100: -50 dBm and better is all, -100 dBm nothing.
#[must_use]
pub fn percent(hundredths_dbm: i16) -> u8 {
    let share = (i32::from(hundredths_dbm) + 10_000) / 50;
    u8::try_from(share.clamp(0, 100)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_a_share_of_a_hundred() {
        for (signal, share) in
            [(-10_000, 0), (-12_000, 0), (-9_000, 20), (-7_500, 50), (-5_000, 100), (0, 100), (i16::MIN, 0)]
        {
            assert_eq!(percent(signal), share, "{signal}");
        }
    }

    #[test]
    fn a_wish_has_a_name_and_a_password_that_can_be_and_is_never_shown() {
        let wish: WifiWish =
            serde_json::from_str(r#"{"want":"join","ssid":"Home","passphrase":"correct horse"}"#).unwrap();
        assert!(!format!("{wish:?}").contains("horse"));
        serde_json::from_str::<WifiWish>(r#"{"want":"look"}"#).unwrap();
        for bad in [
            r#"{"want":"join","ssid":""}"#,
            r#"{"want":"join","ssid":"Home","passphrase":"short"}"#,
            r#"{"want":"forget","ssid":"Home","x":1}"#,
            r#"{"want":"country","country":"de"}"#,
            r#"{"want":"fly"}"#,
        ] {
            serde_json::from_str::<WifiWish>(bad).unwrap_err();
        }
    }
}
