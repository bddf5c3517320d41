//! Settings of a link that have no netlink form (Documentation/networking/ip-sysctl.rst).

use std::fmt;
use std::io;
use std::net::Ipv6Addr;

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Knob {
    /// Whether IPv4 routes are taken although the cable is out.
    IgnoreDeadRoutes4,
    /// The same for IPv6.
    IgnoreDeadRoutes6,
    /// Whether the link has no IPv6.
    DisableIpv6,
    /// The secret behind addresses (RFC 7217). The kernel uses it from when it is set, so it comes before the link is up and has IPv6.
    StableSecret,
    /// Whether router advertisements are heeded.
    AcceptRouters,
    /// Preference of the default route that an advertisement brings.
    RouterMetric,
}

/// A setting to make.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKnob {
    /// Index of the link.
    pub index: u32,
    /// Name of the link.
    pub link: String,
    /// Which setting.
    pub knob: Knob,
    /// Its value.
    pub value: String,
}

impl Knob {
    /// All, in the order in which they are set.
    pub const ALL: [Self; 6] = [
        Self::IgnoreDeadRoutes4,
        Self::IgnoreDeadRoutes6,
        Self::StableSecret,
        Self::AcceptRouters,
        Self::RouterMetric,
        Self::DisableIpv6,
    ];

    /// Its file.
    #[must_use]
    pub fn path(self, link: &str) -> String {
        let (family, name) = match self {
            Self::IgnoreDeadRoutes4 => ("ipv4", "ignore_routes_with_linkdown"),
            Self::IgnoreDeadRoutes6 => ("ipv6", "ignore_routes_with_linkdown"),
            Self::DisableIpv6 => ("ipv6", "disable_ipv6"),
            Self::StableSecret => ("ipv6", "stable_secret"),
            Self::AcceptRouters => ("ipv6", "accept_ra"),
            Self::RouterMetric => ("ipv6", "ra_defrtr_metric"),
        };
        format!("/proc/sys/net/{family}/conf/{link}/{name}")
    }

    /// Its value; none when this kernel does not have it, or the link has gone.
    #[must_use]
    pub fn read(self, link: &str) -> Option<String> {
        match std::fs::read_to_string(self.path(link)) {
            Ok(value) => Some(self.canonical(value.trim())),
            // A secret that is not set yet cannot be read (`addrconf_sysctl_stable_secret`).
            Err(error) if self == Self::StableSecret && error.raw_os_error() == Some(5) => {
                Some(String::new())
            }
            Err(_absent) => None,
        }
    }

    /// Sets it.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub fn write(self, link: &str, value: &str) -> io::Result<()> {
        std::fs::write(self.path(link), value)
    }

    /// The kernel writes all digits of an address.
    fn canonical(self, value: &str) -> String {
        match (self, value.parse::<Ipv6Addr>()) {
            (Self::StableSecret, Ok(secret)) => secret.to_string(),
            _ => value.to_owned(),
        }
    }
}

impl fmt::Debug for NewKnob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.knob == Knob::StableSecret { "(secret)" } else { &self.value };
        write!(f, "{:?} of {} = {value}", self.knob, self.link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_compared_by_value_and_never_shown() {
        let full = "2001:0db8:0000:0000:0000:0000:0000:0001";
        assert_eq!(Knob::StableSecret.canonical(full), "2001:db8::1");
        assert_eq!(Knob::AcceptRouters.canonical("2"), "2");
        let new =
            NewKnob { index: 2, link: "eth0".to_owned(), knob: Knob::StableSecret, value: full.to_owned() };
        assert_eq!(format!("{new:?}"), "StableSecret of eth0 = (secret)");
        let new = NewKnob { knob: Knob::AcceptRouters, value: "2".to_owned(), ..new };
        assert_eq!(format!("{new:?}"), "AcceptRouters of eth0 = 2");
    }

    #[test]
    fn what_a_kernel_does_not_have_is_none() {
        assert_eq!(Knob::AcceptRouters.read("no-such-link"), None);
        assert_eq!(Knob::StableSecret.read("no-such-link"), None);
    }
}
