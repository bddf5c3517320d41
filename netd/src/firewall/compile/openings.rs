//! What opens connections of apps: maps from what a first packet is to the mark of the permission that lets it through.
//!
//! The permissions of all apps are elements of a few maps, so the rules are the same few for one app and for a thousand: the kernel
//! takes an element in a tenth of a rule's time, and a packet is looked up instead of compared.

use super::parts::CompileError;
use super::parts::link;
use super::parts::mark;
use super::parts::name;
use crate::firewall::permission::Permission;
use crate::firewall::situation::Situation;
use model::network::app_policy::Port;
use model::network::app_policy::Protocol as PortProtocol;
use model::network::names::AppKey;
use netlink::nft::Element;
use netlink::nft::InterfaceName;
use netlink::nft::Kind;
use netlink::nft::MarkSource;
use netlink::nft::Protocol;
use netlink::nft::Rule;
use netlink::nft::Set;
use netlink::nft::Span;
use netlink::nft::Statement;
use netlink::nft::Verdict;
use netlink::nft::field::Field;
use netlink::nft::field::IIFNAME;
use netlink::nft::field::L4PROTO;
use netlink::nft::field::OIFNAME;
use netlink::nft::field::TH_DPORT;
use std::collections::HashSet;

/// Chain of packets whose connection has its mark.
pub(super) const OPEN: &str = "open";

/// A map; what it is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// An app's link and a port of the box.
    BoxPort,
    /// The links of two apps and a port of the second.
    AppPort,
    /// An app's link and its port, from the box.
    Served,
    /// An app's link and its port, from the home network by a port of the box.
    Inbound,
    /// An app's link, to the home network.
    Lan,
    /// An app's link, to the Internet.
    Internet,
    /// An app's link, to the mesh.
    Mesh,
}

impl Opening {
    const ALL: [Self; 7] =
        [Self::BoxPort, Self::AppPort, Self::Served, Self::Inbound, Self::Lan, Self::Internet, Self::Mesh];

    const fn name(self) -> &'static str {
        match self {
            Self::BoxPort => "app_to_box",
            Self::AppPort => "app_to_app",
            Self::Served => "box_to_app",
            Self::Inbound => "lan_to_app",
            Self::Lan => "app_to_lan",
            Self::Internet => "app_to_internet",
            Self::Mesh => "app_to_mesh",
        }
    }

    fn key(self) -> Vec<Field> {
        match self {
            Self::BoxPort => vec![IIFNAME.into(), L4PROTO.into(), TH_DPORT.into()],
            Self::AppPort => vec![IIFNAME.into(), OIFNAME.into(), L4PROTO.into(), TH_DPORT.into()],
            Self::Served | Self::Inbound => vec![OIFNAME.into(), L4PROTO.into(), TH_DPORT.into()],
            Self::Lan | Self::Internet | Self::Mesh => vec![IIFNAME.into()],
        }
    }

    fn kinds(self) -> Vec<Kind> {
        let (link, port) = (Kind::InterfaceName, [Kind::Protocol, Kind::Service]);
        match self {
            Self::BoxPort | Self::Served | Self::Inbound => [&[link][..], &port].concat(),
            Self::AppPort => [&[link, link][..], &port].concat(),
            Self::Lan | Self::Internet | Self::Mesh => vec![link],
        }
    }

    /// Opens the connection when the map has the packet; else the next rule has its turn.
    pub(super) fn open(self, when: Rule) -> Result<Rule, CompileError> {
        let has_port = self.kinds().contains(&Kind::Service);
        let when = if has_port { when.when(L4PROTO.is_one_of([Protocol::TCP, Protocol::UDP])) } else { when };
        open(when, self.key(), self.name())
    }

    fn map(self, situation: &Situation<'_>) -> Result<Set, CompileError> {
        let links = |app: &AppKey| situation.places.get(app).map(|place| link(&place.link())).transpose();
        let mut elements = Vec::new();
        // The first of two permissions for the same packets has them, as the first rule would.
        let mut taken = HashSet::new();
        for permission in situation.permissions {
            for key in self.keys(permission, &links)? {
                if taken.insert(key.clone()) {
                    let mark = mark(&permission.mark()).into();
                    elements.push(Element::concatenated(key).values([mark]));
                }
            }
        }
        Ok(Set::map(name(self.name())?, self.kinds(), [Kind::Mark]).elements(elements))
    }

    /// What a permission lets through, in this map; nothing when an app of it has no network.
    fn keys(
        self,
        permission: &Permission,
        link: &impl Fn(&AppKey) -> Result<Option<InterfaceName>, CompileError>,
    ) -> Result<Vec<Vec<Span>>, CompileError> {
        let at = |app, port: &[Port]| {
            let Some(link) = link(app)? else { return Ok(vec![]) };
            Ok(port
                .iter()
                .map(|port| [&[Span::from(link.clone())][..], &port_spans(*port)].concat())
                .collect())
        };
        let of = |app| Ok(link(app)?.map(|link| vec![Span::from(link)]).into_iter().collect());
        match (self, permission) {
            (Self::BoxPort, Permission::Names { app }) => at(app, &[DNS_UDP, DNS_TCP]),
            (Self::BoxPort, Permission::Gateway { app, port }) => {
                at(app, &[Port { protocol: PortProtocol::Tcp, number: *port }])
            }
            (Self::Served, Permission::Served { app, port }) => at(app, &[*port]),
            (Self::Inbound, Permission::Inbound { app, box_port, app_port }) => {
                at(app, &[Port { protocol: box_port.protocol, number: *app_port }])
            }
            (Self::AppPort, Permission::Link { from, to, port }) => {
                let (Some(from), Some(to)) = (link(from)?, link(to)?) else { return Ok(vec![]) };
                Ok(vec![[&[Span::from(from), Span::from(to)][..], &port_spans(*port)].concat()])
            }
            (Self::Lan, Permission::Lan { app })
            | (Self::Internet, Permission::Internet { app })
            | (Self::Mesh, Permission::Mesh { app }) => of(app),
            _ => Ok(vec![]),
        }
    }
}

const DNS: std::num::NonZeroU16 = std::num::NonZeroU16::new(53).unwrap();
const DNS_UDP: Port = Port { protocol: PortProtocol::Udp, number: DNS };
const DNS_TCP: Port = Port { protocol: PortProtocol::Tcp, number: DNS };

/// All maps.
pub(super) fn maps(situation: &Situation<'_>) -> Result<Vec<Set>, CompileError> {
    Opening::ALL.into_iter().map(|opening| opening.map(situation)).collect()
}

/// Marks the connection as the map says and goes where its mark is judged.
pub(super) fn open(when: Rule, key: Vec<Field>, map: &str) -> Result<Rule, CompileError> {
    let source = MarkSource::Map { key, map: name(map)? };
    Ok(when.then(Statement::SetCtMark(source)).then(Verdict::Goto(name(OPEN)?)))
}

fn port_spans(port: Port) -> [Span; 2] {
    let protocol = match port.protocol {
        PortProtocol::Tcp => Protocol::TCP,
        PortProtocol::Udp => Protocol::UDP,
    };
    [protocol.into(), port.number.get().into()]
}
