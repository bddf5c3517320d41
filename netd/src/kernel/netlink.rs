//! The real kernel, by rtnetlink(7).

mod decode;

use crate::kernel::Kernel;
use crate::kernel::KernelError;
use crate::knob::Knob;
use crate::knob::NewKnob;
use crate::observe::Address;
use crate::observe::Kind;
use crate::observe::Link;
use crate::observe::Observed;
use crate::observe::Route;
use crate::observe::RouteOrigin;
use crate::observe::Subnet;
use crate::plan::NewAddress;
use futures_util::StreamExt;
use futures_util::TryStreamExt;
use netlink_packet_route::address::AddressAttribute;
use netlink_packet_route::address::AddressProtocol;
use netlink_packet_route::address::AddressScope;
use netlink_packet_route::address::CacheInfo;
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::route::RouteScope;
use rtnetlink::AddressMessageBuilder;
use rtnetlink::Handle;
use rtnetlink::LinkUnspec;
use rtnetlink::MulticastGroup;
use rtnetlink::RouteMessageBuilder;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Lifetime that means "for ever" (`INFINITY_LIFE_TIME` of net/addrconf.h).
pub(super) const FOR_EVER: u32 = u32::MAX;

/// Marks IPv6 addresses that netd put there (`IFA_PROTO`); the kernel's own marks are 1 to 3.
pub(super) const NETD: u8 = 190;

/// The kernel of this network namespace.
#[derive(Clone, Debug)]
pub struct RealKernel {
    handle: Handle,
}

impl RealKernel {
    /// Opens a netlink socket; must run inside the runtime. The notice is given whenever a link, address or route has changed, or
    /// when the kernel had to drop such news. It needs CAP_NET_ADMIN for changes only.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub fn open() -> io::Result<(Self, Arc<Notify>)> {
        // News come by a socket of their own: they carry the sequence number of whoever made the change, and on one socket with
        // questions would be taken for an answer.
        let (questions, handle, _none) = rtnetlink::new_connection()?;
        drop(tokio::spawn(questions));
        let (connection, keeps_open, mut news) = rtnetlink::new_multicast_connection(&[
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv6Route,
            // The flags of router advertisements.
            MulticastGroup::Ipv6Ifinfo,
        ])?;
        drop(tokio::spawn(connection));
        let changed = Arc::new(Notify::new());
        let notice = Arc::clone(&changed);
        // What changed is not looked at: the reconciler reads everything anew, so a lost message costs nothing.
        drop(tokio::spawn(async move {
            while news.next().await.is_some() {
                notice.notify_one();
            }
            drop(keeps_open);
            tracing::error!("the netlink socket closed; changes are only seen by the periodic pass");
        }));
        Ok((Self { handle }, changed))
    }

    async fn links(&self) -> Result<Vec<Link>, rtnetlink::Error> {
        self.handle
            .link()
            .get()
            .execute()
            .try_filter_map(async |message| Ok(decode::link(&message).map(with_settings)))
            .try_collect()
            .await
    }

    async fn addresses(&self) -> Result<Vec<(Address, bool)>, rtnetlink::Error> {
        self.handle
            .address()
            .get()
            .execute()
            .try_filter_map(async |message| {
                let is_tentative = decode::is_tentative(&message);
                Ok(decode::address(&message).map(|address| (address, is_tentative)))
            })
            .try_collect()
            .await
    }

    async fn routes(&self, filter: RouteMessage) -> Result<Vec<RouteMessage>, rtnetlink::Error> {
        self.handle.route().get(filter).execute().try_collect().await
    }
}

impl Kernel for RealKernel {
    async fn observe(&self) -> Result<Observed, KernelError> {
        let links = self.links().await.map_err(|source| KernelError::Read { what: "links", source })?;
        let addresses =
            self.addresses().await.map_err(|source| KernelError::Read { what: "addresses", source })?;
        let v4 = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let v4 = self.routes(v4).await.map_err(|source| KernelError::Read { what: "IPv4 routes", source })?;
        let v6 = RouteMessageBuilder::<Ipv6Addr>::new().build();
        let v6 = self.routes(v6).await.map_err(|source| KernelError::Read { what: "IPv6 routes", source })?;
        let (tentative, addresses): (Vec<_>, Vec<_>) =
            addresses.into_iter().partition(|(_, is_tentative)| *is_tentative);
        let alone = |all: Vec<(Address, bool)>| all.into_iter().map(|(address, _)| address).collect();
        Ok(Observed {
            links,
            addresses: alone(addresses),
            tentative: alone(tentative),
            routes: v4.iter().chain(&v6).filter_map(decode::route).collect(),
            on_link: v4.iter().chain(&v6).filter_map(decode::on_link).collect(),
        })
    }

    async fn switch_on(&self, index: u32) -> Result<(), KernelError> {
        let message = LinkUnspec::new_with_index(index).up().build();
        let outcome = self.handle.link().change(message).execute().await;
        outcome.map_err(|source| KernelError::Change { action: format!("switch on link {index}"), source })
    }

    async fn set_knob(&self, new: &NewKnob) -> Result<(), KernelError> {
        let outcome = new.knob.write(&new.link, &new.value);
        outcome.map_err(|source| KernelError::Setting { setting: new.knob.path(&new.link), source })
    }

    async fn set_mtu(&self, index: u32, mtu: u32) -> Result<(), KernelError> {
        let message = LinkUnspec::new_with_index(index).mtu(mtu).build();
        let outcome = self.handle.link().change(message).execute().await;
        let action = || format!("set the MTU of link {index} to {mtu}");
        outcome.map_err(|source| KernelError::Change { action: action(), source })
    }

    async fn put_address(&self, new: &NewAddress) -> Result<(), KernelError> {
        let NewAddress { index, address, prefix, valid_for, preferred_for } = *new;
        let mut request = self.handle.address().add(index, address, prefix).replace();
        let seconds = |time: Option<Duration>| {
            time.map_or(FOR_EVER, |left| u32::try_from(left.as_secs()).unwrap_or(FOR_EVER - 1))
        };
        let mut lifetime = CacheInfo::default();
        lifetime.ifa_valid = seconds(valid_for);
        lifetime.ifa_preferred = seconds(preferred_for).min(lifetime.ifa_valid);
        let message = request.message_mut();
        message.attributes.push(AddressAttribute::CacheInfo(lifetime));
        match address {
            // Not to be used towards anybody behind a router (RFC 3927 section 2.7).
            IpAddr::V4(address) if address.is_link_local() => message.header.scope = AddressScope::Link,
            IpAddr::V4(_) => {}
            IpAddr::V6(_) => {
                message.attributes.push(AddressAttribute::Protocol(AddressProtocol::Other(NETD)));
            }
        }
        let action = || format!("put {address}/{prefix} on link {index}");
        request.execute().await.map_err(|source| KernelError::Change { action: action(), source })
    }

    async fn remove_address(&self, gone: &Address) -> Result<(), KernelError> {
        let Address { index, address, prefix, .. } = *gone;
        let message = match address {
            IpAddr::V4(address) => {
                AddressMessageBuilder::<Ipv4Addr>::new().index(index).address(address, prefix).build()
            }
            IpAddr::V6(address) => {
                AddressMessageBuilder::<Ipv6Addr>::new().index(index).address(address, prefix).build()
            }
        };
        let action = || format!("take {address}/{prefix} off link {index}");
        let outcome = self.handle.address().del(message).execute().await;
        outcome.map_err(|source| KernelError::Change { action: action(), source })
    }

    async fn put_route(&self, route: &Route) -> Result<(), KernelError> {
        let request = self.handle.route().add(route_message(route)).replace();
        let outcome = request.execute().await;
        outcome.map_err(|source| KernelError::Change {
            action: format!("add the {}", route_words(route)),
            source,
        })
    }

    async fn remove_route(&self, route: &Route) -> Result<(), KernelError> {
        let outcome = self.handle.route().del(route_message(route)).execute().await;
        outcome.map_err(|source| KernelError::Change {
            action: format!("remove the {}", route_words(route)),
            source,
        })
    }
}

/// What is not in the message: settings, and the speed, which only sysfs tells without a question of its own.
fn with_settings(link: Link) -> Link {
    let knobs = match link.kind {
        Kind::Ethernet { .. } => {
            Knob::ALL.iter().filter_map(|knob| knob.read(&link.name).map(|value| (*knob, value))).collect()
        }
        Kind::Loopback | Kind::Other => BTreeMap::new(),
    };
    let speed = match link.kind {
        Kind::Ethernet { .. } => std::fs::read_to_string(format!("/sys/class/net/{}/speed", link.name)).ok(),
        Kind::Loopback | Kind::Other => None,
    };
    // -1, or no answer at all, while it is not known.
    Link { knobs, speed: speed.and_then(|speed| speed.trim().parse().ok()), ..link }
}

fn route_words(route: &Route) -> String {
    let Subnet { address, prefix } = route.destination;
    match route.gateway {
        Some(gateway) => format!("route to {address}/{prefix} through {gateway} on link {}", route.index),
        None => format!("route to {address}/{prefix} on link {}", route.index),
    }
}

fn route_message(route: &Route) -> RouteMessage {
    let protocol = match route.origin {
        RouteOrigin::Dhcp => RouteProtocol::Dhcp,
        RouteOrigin::Static => RouteProtocol::Static,
        RouteOrigin::RouterAdvertisement => RouteProtocol::Ra,
        RouteOrigin::Foreign(protocol) => RouteProtocol::from(protocol),
    };
    match route.destination.address {
        IpAddr::V4(destination) => route_message_4(route, destination, protocol),
        IpAddr::V6(destination) => route_message_6(route, destination, protocol),
    }
}

fn route_message_4(route: &Route, destination: Ipv4Addr, protocol: RouteProtocol) -> RouteMessage {
    let mut builder = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(destination, route.destination.prefix)
        .output_interface(route.index)
        .priority(route.metric)
        .protocol(protocol);
    builder = match route.gateway {
        // A server may name a gateway outside of the link's prefix (a /32 lease); it is reached on the link all the same.
        Some(IpAddr::V4(gateway)) => builder.gateway(gateway).onlink(),
        Some(IpAddr::V6(_)) | None => builder.scope(RouteScope::Link),
    };
    if let Some(IpAddr::V4(source)) = route.source {
        builder = builder.pref_source(source);
    }
    builder.build()
}

fn route_message_6(route: &Route, destination: Ipv6Addr, protocol: RouteProtocol) -> RouteMessage {
    let mut builder = RouteMessageBuilder::<Ipv6Addr>::new()
        .destination_prefix(destination, route.destination.prefix)
        .output_interface(route.index)
        .priority(route.metric)
        .protocol(protocol);
    if let Some(IpAddr::V6(gateway)) = route.gateway {
        builder = builder.gateway(gateway);
    }
    if let Some(IpAddr::V6(source)) = route.source {
        builder = builder.pref_source(source);
    }
    builder.build()
}
