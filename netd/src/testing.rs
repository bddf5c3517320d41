//! Things that many tests are about.

use crate::knob::Knob;
use crate::observe::Dhcpv6Offer;
use crate::observe::Kind;
use crate::observe::Link;
use std::collections::BTreeMap;

/// A link that is up and has a carrier, with every setting at its default.
pub(crate) fn link(index: u32, name: &str, kind: Kind) -> Link {
    Link {
        index,
        name: name.to_owned(),
        kind,
        is_up: true,
        has_carrier: true,
        mtu: 1500,
        speed: None,
        dhcpv6: Dhcpv6Offer::default(),
        knobs: Knob::ALL.iter().map(|knob| (*knob, String::new())).collect::<BTreeMap<_, _>>(),
    }
}
