//! Wi-Fi.
#![expect(dead_code, reason = "these types describe; none of them is ever made")]

use serde::Serialize;
use utoipa::ToSchema;

/// How the wireless link is now.
#[derive(Serialize, ToSchema)]
pub(crate) struct WifiReport {
    /// What it does; `absent` where there is no radio, `access-point` while the box is a network itself, for set-up.
    state: WifiState,
    /// The network that it is in, or is about to join.
    network: Option<String>,
    /// Kernel name of the link.
    link: Option<String>,
    /// Whose rules for radio hold: two capital letters.
    country: Option<String>,
    /// Why the last attempt at joining a network failed.
    problem: Option<String>,
    /// Always null here: the password of the box's own network is for who stands before its screen.
    access_point: Option<String>,
    /// Networks in reach at the last look, the strongest first, and those that are known; at most 64.
    networks: Vec<WifiNetwork>,
}

/// What the wireless link does.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WifiState {
    Absent,
    Idle,
    Looking,
    Joining,
    Joined,
    AccessPoint,
}

/// A wireless network.
#[derive(Serialize, ToSchema)]
pub(crate) struct WifiNetwork {
    /// Its name.
    ssid: String,
    /// `open`, `password` (WPA2, WPA3), or `unsupported`.
    security: WifiSecurity,
    /// How strong it is here, from 0 to 100; null when it is out of reach.
    signal: Option<u8>,
    /// Whether the box has its password.
    is_known: bool,
    /// Whether the box is in it.
    is_joined: bool,
}

/// How a wireless network is protected.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WifiSecurity {
    Open,
    Password,
    Unsupported,
}

/// What the owner wants of Wi-Fi.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "want")]
pub(crate) enum WifiWish {
    /// Look around; `GET /network` has what was seen.
    Look {},
    /// Join a network; what comes of it is in `GET /network`.
    Join {
        /// 1 to 32 bytes.
        ssid: String,
        /// 8 to 63 printable characters of ASCII; without it the network is open, or known.
        passphrase: Option<String>,
    },
    /// Forget a network and its password.
    Forget {
        /// Its name.
        ssid: String,
    },
    /// Heed the rules for radio of this country.
    Country {
        /// Two capital letters (ISO 3166-1).
        country: String,
    },
}
