//! Wi-Fi.

use serde::Deserialize;

/// `wifi` of `GET /network`.
#[derive(Clone, Debug, Deserialize)]
pub struct Wifi {
    /// `absent`, `idle`, `looking`, `joining`, `joined` or `access-point`.
    pub state: String,
    /// The network that it is in, or wants to join.
    pub network: Option<String>,
    /// Whose rules for radio hold: two capital letters.
    pub country: Option<String>,
    /// Why the last attempt at joining a network failed.
    pub problem: Option<String>,
    /// Networks in reach and known ones: the joined one first, then the strongest.
    pub networks: Vec<WifiNetwork>,
}

/// A wireless network.
#[derive(Clone, Debug, Deserialize)]
pub struct WifiNetwork {
    /// Its name.
    pub ssid: String,
    /// `open`, `password` or `unsupported`.
    pub security: String,
    /// From 0 to 100; none when it is out of reach.
    pub signal: Option<u8>,
    /// Whether the box has its password.
    pub is_known: bool,
    /// Whether the box is in it.
    pub is_joined: bool,
}
