//! What devices on the home network send before the box has an address.

use super::ignore;
use crate::Target;
use netd::dhcp::frame;
use netd::dhcp::message;

const MAC: frame::Mac = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "dhcp4-frame",
        source: "any frame with IPv4 while a lease is sought",
        longest: 1600,
        run: |bytes| {
            if let Ok(datagram) = frame::parse(bytes) {
                ignore(message::parse(datagram, MAC));
            }
        },
    },
    Target {
        name: "dhcp4-message",
        source: "any datagram to port 68",
        longest: 1600,
        run: |bytes| ignore(message::parse(bytes, MAC)),
    },
];
