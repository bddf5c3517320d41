//! Lays an app's link: a pair with one end in the app's network namespace, addresses, fixed neighbours, routes.
//!
//! ```text
//!  app's namespace                     the box
//!  eth0  198.18.1.2, fd…:1::2  ──────  ha1-2   no address; route to 198.18.1.2 and fd…:1::2
//!        default via the box           lo      198.18.0.1, fd…::1 (gateway and name server)
//! ```
//!
//! There is no bridge: an app shares a link with nobody, so there is nobody it could listen to or pretend to be.

use crate::apps::addressing::GATEWAY4;
use crate::apps::addressing::NEXT_HOP6;
use crate::apps::addressing::Place;
use crate::apps::addressing::Prefix6;
use crate::apps::messages;
use crate::apps::messages::End;
use crate::apps::route_socket::RouteError;
use crate::apps::route_socket::RouteSocket;
use hostapi::net1::NetworkNamespace;
use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::packet_core::NLM_F_CREATE;
use rtnetlink::packet_core::NLM_F_EXCL;
use rtnetlink::packet_core::NLM_F_REPLACE;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;

/// Name of the link inside the app's namespace.
pub const APP_LINK: &str = "eth0";
/// Every namespace has its loopback at this index (`LOOPBACK_IFINDEX` of net/flow.h).
const LOOPBACK: u32 = 1;
const NEW: u16 = NLM_F_CREATE | NLM_F_EXCL;
const PUT: u16 = NLM_F_CREATE | NLM_F_REPLACE;

/// Why a link could not be laid or taken away.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// A netlink socket.
    #[error("open a netlink socket {place}")]
    Open {
        /// Where.
        place: &'static str,
        /// Why not.
        #[source]
        source: RouteError,
    },
    /// A step.
    #[error("{step} for link {link}")]
    Step {
        /// What was to be done.
        step: &'static str,
        /// The box's end.
        link: String,
        /// What the kernel said.
        #[source]
        source: RouteError,
    },
    /// A kernel setting.
    #[error("set {setting}")]
    Setting {
        /// Its file.
        setting: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// What the keeper needs of links.
pub trait Wiring {
    /// Lays the link of a place, still switched off at the box's end.
    ///
    /// # Errors
    /// When a step fails; then nothing is left of the link.
    fn lay(&mut self, place: Place, prefix: Prefix6, namespace: NetworkNamespace) -> Result<(), WiringError>;
    /// Switches the box's end on: from now on packets flow, as far as the rules let them.
    ///
    /// # Errors
    /// When a step fails; the link stays.
    fn switch_on(&mut self, place: Place, prefix: Prefix6) -> Result<(), WiringError>;
    /// Takes the link of a place away; that there is none is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn remove(&mut self, place: Place) -> Result<(), WiringError>;
    /// Whether the link of a place is there; also when the kernel does not say.
    fn is_laid(&mut self, place: Place) -> bool;
    /// Gives the box the addresses under which apps know it, and lets it pass packets on.
    ///
    /// # Errors
    /// When a step fails.
    fn prepare(&mut self, prefix: Prefix6) -> Result<(), WiringError>;
}

/// The real kernel.
#[derive(Debug)]
pub struct KernelWiring {
    socket: RouteSocket,
}

impl KernelWiring {
    /// Opens a socket of this network namespace.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn open() -> Result<Self, WiringError> {
        let place = "of the box";
        let socket = RouteSocket::open().map_err(|source| WiringError::Open { place, source })?;
        Ok(Self { socket })
    }

    fn lay_ends(
        &mut self,
        place: Place,
        prefix: Prefix6,
        namespace: &OwnedFd,
        inside: &mut RouteSocket,
    ) -> Result<(), WiringError> {
        let link = place.link();
        let ours = End { name: &link, mac: place.box_mac() };
        let theirs = End { name: APP_LINK, mac: place.app_mac() };
        let pair = messages::pair(ours, theirs, namespace.as_raw_fd());
        let mut host = Steps { socket: &mut self.socket, link: &link };
        host.take("make the pair of links", pair, NEW)?;
        let index = host.index(&link)?;
        host.take("keep the kernel from making addresses", messages::no_own_addresses(index), 0)?;
        let mut app = Steps { socket: inside, link: &link };
        let index = app.index(APP_LINK)?;
        app.take("keep the kernel from making addresses", messages::no_own_addresses(index), 0)?;
        app.take("switch on the app's loopback", messages::up(LOOPBACK), 0)?;
        for address in addresses(place, prefix) {
            app.take("give the app an address", messages::address(index, address), NEW)?;
        }
        app.take("switch on the app's end", messages::up(index), 0)?;
        for gateway in [IpAddr::V4(GATEWAY4), IpAddr::V6(NEXT_HOP6)] {
            let neighbour = messages::neighbour(index, gateway, place.box_mac());
            app.take("tell the app where the box is", neighbour, PUT)?;
            app.take("give the app a route", messages::default_route(index, gateway), NEW)?;
        }
        for (setting, value) in settings(&link) {
            write(setting, value)?;
        }
        Ok(())
    }
}

fn addresses(place: Place, prefix: Prefix6) -> [IpAddr; 2] {
    [IpAddr::V4(place.ipv4()), IpAddr::V6(place.ipv6(prefix))]
}

/// Settings of the box's end that have no netlink form: an app is no router and is told of none.
fn settings(link: &str) -> [(String, &'static str); 4] {
    [
        (format!("/proc/sys/net/ipv6/conf/{link}/accept_ra"), "0"),
        (format!("/proc/sys/net/ipv6/conf/{link}/accept_redirects"), "0"),
        (format!("/proc/sys/net/ipv4/conf/{link}/accept_redirects"), "0"),
        (format!("/proc/sys/net/ipv4/conf/{link}/send_redirects"), "0"),
    ]
}

fn write(setting: String, value: &str) -> Result<(), WiringError> {
    fs::write(&setting, value).map_err(|source| WiringError::Setting { setting, source })
}

impl Wiring for KernelWiring {
    fn lay(&mut self, place: Place, prefix: Prefix6, namespace: NetworkNamespace) -> Result<(), WiringError> {
        let NetworkNamespace { namespace, route_socket } = namespace;
        let mut inside = RouteSocket::over(route_socket)
            .map_err(|source| WiringError::Open { place: "of the app", source })?;
        let laid = self.lay_ends(place, prefix, &namespace, &mut inside);
        if laid.is_err() {
            self.remove(place)?;
        }
        laid
    }

    fn switch_on(&mut self, place: Place, prefix: Prefix6) -> Result<(), WiringError> {
        let link = place.link();
        let mut host = Steps { socket: &mut self.socket, link: &link };
        let index = host.index(&link)?;
        host.take("switch on the box's end", messages::up(index), 0)?;
        for address in addresses(place, prefix) {
            let source = if address.is_ipv4() { IpAddr::V4(GATEWAY4) } else { IpAddr::V6(prefix.gateway()) };
            host.take(
                "fix the app's neighbour entry",
                messages::neighbour(index, address, place.app_mac()),
                PUT,
            )?;
            host.take("route to the app", messages::host_route(index, address, source), PUT)?;
        }
        Ok(())
    }

    fn remove(&mut self, place: Place) -> Result<(), WiringError> {
        let link = place.link();
        match self.socket.change(messages::remove(&link), 0) {
            Ok(()) => Ok(()),
            Err(error) if error.is_absent() => Ok(()),
            Err(source) => Err(WiringError::Step { step: "take the link away", link, source }),
        }
    }

    fn is_laid(&mut self, place: Place) -> bool {
        let found = self.socket.get(messages::find(&place.link()), messages::index);
        !found.is_err_and(|error| error.is_absent())
    }

    fn prepare(&mut self, prefix: Prefix6) -> Result<(), WiringError> {
        let mut host = Steps { socket: &mut self.socket, link: "lo" };
        for gateway in [IpAddr::V4(GATEWAY4), IpAddr::V6(prefix.gateway())] {
            host.take("give the box an address", messages::address(LOOPBACK, gateway), PUT)?;
        }
        // Only now that the rules are in force: nothing passes through the box without them.
        for setting in ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"] {
            write(setting.to_owned(), "1")?;
        }
        Ok(())
    }
}

/// Steps on one socket that name themselves when they fail.
struct Steps<'a> {
    socket: &'a mut RouteSocket,
    link: &'a str,
}

impl Steps<'_> {
    fn take(
        &mut self,
        step: &'static str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), WiringError> {
        let link = self.link.to_owned();
        self.socket.change(message, flags).map_err(|source| WiringError::Step { step, link, source })
    }

    fn index(&mut self, name: &str) -> Result<u32, WiringError> {
        let link = self.link.to_owned();
        let found = self.socket.get(messages::find(name), messages::index);
        found.map_err(|source| WiringError::Step { step: "find the link", link, source })
    }
}
