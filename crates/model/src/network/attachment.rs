//! What netd answers when it wired up an app's network namespace.

use serde::Deserialize;
use serde::Serialize;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// The app's place in the network. When this is given, its rules are loaded, and the first process may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The app's IPv4 address; nothing else is on its link.
    pub ipv4: Ipv4Addr,
    /// The app's IPv6 address.
    pub ipv6: Ipv6Addr,
    /// The box as the app sees it, IPv4: gateway and name server.
    pub gateway4: Ipv4Addr,
    /// The box as the app sees it, IPv6.
    pub gateway6: Ipv6Addr,
    /// Name of the link inside the namespace.
    pub link: String,
    /// Text for the app's `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// Text for the app's `/etc/hosts`.
    pub hosts: String,
}
