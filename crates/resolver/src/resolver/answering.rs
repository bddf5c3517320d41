//! A client's message, from its bytes to the answer's.

use super::Core;
use super::Granted;
use super::lookup;
use crate::name::DomainName;
use crate::quota::Place;
use crate::rebinding;
use crate::reply;
use crate::reply::Reason;
use crate::reply::Reply;
use crate::reply::TtlBounds;
use crate::request::Code;
use crate::request::Request;
use crate::request::Unanswerable;
use crate::request::qtype;
use crate::special;
use crate::special::Special;
use crate::view::Permission;
use crate::view::View;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_proto::rr::RData;
use hickory_proto::rr::Record;
use hickory_proto::rr::rdata::PTR;
use std::error::Error;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Seconds that names of the box may be used: apps come and go.
const LOCAL_TTL: u32 = 10;
/// The same of names found by multicast DNS, whose own cache knows better.
const MDNS_TTL: u32 = 30;
/// Where a NAT64 would be found (RFC 7050 section 8.2).
const IPV4_ONLY: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];

/// How the client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Datagrams: what is too long is cut.
    Datagram,
    /// A stream: any message fits.
    Stream,
}

/// An answer, or what will become one.
pub(crate) enum Begun {
    /// The message deserves none.
    Silence,
    Now(Vec<u8>),
    /// Somebody has to be asked first. Holds one of the client's places.
    Later(BoxFuture<'static, Vec<u8>>),
}

/// Who answers a question.
enum Answerer {
    /// The box, with this.
    Box(Reply),
    /// The box, with a name that it lets the client reach.
    Granted(Reply),
    Mdns,
    /// The cache or the upstreams.
    Public,
    /// Nobody: it is not allowed.
    Nobody,
}

impl Core {
    /// Answers at once when nobody has to be waited for.
    pub(crate) fn begin(self: &Arc<Self>, message: &[u8], client: IpAddr, over: Over) -> Begun {
        let client = client.to_canonical();
        let request = match Request::read(message) {
            Ok(request) => request,
            Err(Unanswerable::Silent) => return Begun::Silence,
            Err(Unanswerable::Code { id, opcode, code }) => {
                self.counters.count(|stats| stats.queries += 1);
                return Begun::Now(reply::bare(id, opcode, code));
            }
        };
        self.counters.count(|stats| stats.queries += 1);
        let limit = match over {
            Over::Datagram => request.datagram_limit(),
            Over::Stream => usize::from(u16::MAX),
        };
        let refuse = |reason| {
            self.counters.count(|stats| stats.refused += 1);
            Begun::Now(Reply::empty(Code::Refused, Some(reason)).write(&request, 0, limit))
        };
        let views = Arc::clone(&self.state().views);
        let Some(view) = views.of(client).map(Arc::clone) else { return refuse(Reason::Prohibited) };
        self.counters.count_view(&view.name, |counts| counts.queries += 1);
        // Without "recursion desired" the client asks what others asked before: none of its business.
        if !request.recursion_desired {
            return refuse(Reason::Prohibited);
        }
        match answerer(&view, &request) {
            Answerer::Box(reply) => Begun::Now(reply.write(&request, 0, limit)),
            Answerer::Nobody => {
                self.counters.count_view(&view.name, |counts| counts.refused += 1);
                refuse(Reason::Blocked)
            }
            Answerer::Public => {
                let key = lookup::key_of(&request.name, request.kind, request.dnssec_ok());
                let kept = self.recall(&key);
                match kept {
                    Some((reply, age)) if !self.is_observed(&reply) => {
                        self.count_failure(&reply);
                        Begun::Now(reply.write(&request, age, limit))
                    }
                    kept => self.later(view, request, client, limit, Work::Public { kept }),
                }
            }
            Answerer::Granted(reply) if !self.is_observed(&reply) => {
                Begun::Now(reply.write(&request, 0, limit))
            }
            Answerer::Granted(reply) => self.later(view, request, client, limit, Work::Granted(reply)),
            Answerer::Mdns => match self.multicast.take(client) {
                Some(place) => self.later(view, request, client, limit, Work::Mdns(place)),
                // "There is none" would be a lie; this says that asking again may help.
                None => {
                    let reply = Reply::empty(Code::ServFail, None);
                    self.count_failure(&reply);
                    Begun::Now(reply.write(&request, 0, limit))
                }
            },
        }
    }

    fn is_observed(&self, reply: &Reply) -> bool {
        self.observer.is_some() && !reply.addresses.is_empty()
    }

    fn count_failure(&self, reply: &Reply) {
        if reply.code == Code::ServFail {
            self.counters.count(|stats| stats.failed += 1);
        }
    }

    fn later(
        self: &Arc<Self>,
        view: Arc<View>,
        request: Request,
        client: IpAddr,
        limit: usize,
        work: Work,
    ) -> Begun {
        let Some(place) = self.questions.take(client) else {
            self.counters.count(|stats| stats.refused += 1);
            return Begun::Now(
                Reply::empty(Code::Refused, Some(Reason::Prohibited)).write(&request, 0, limit),
            );
        };
        let question = Question { view, request, client, limit, _place: place };
        Begun::Later(Arc::clone(self).finish(question, work).boxed())
    }

    async fn finish(self: Arc<Self>, question: Question, work: Work) -> Vec<u8> {
        let Question { view, request, client, limit, _place } = &question;
        let (reply, age, permission) = match work {
            Work::Granted(reply) => (Arc::new(reply), 0, Some(Permission::Local)),
            Work::Mdns(_place) => (Arc::new(self.ask_mdns(request).await), 0, Some(Permission::Mdns)),
            Work::Public { kept: Some((reply, age)) } => (reply, age, view.permission(&request.name)),
            Work::Public { kept: None } => {
                let reply = Arc::clone(&self).lookup(&request.name, request.kind, request.dnssec_ok()).await;
                (reply, 0, view.permission(&request.name))
            }
        };
        self.count_failure(&reply);
        let granted = match permission {
            Some(permission) => {
                let ttl = Duration::from_secs(reply.lifetime.saturating_sub(age).into());
                let (name, addresses) = (&request.name, &*reply.addresses);
                let granted = Granted { view: &view.name, client: *client, name, permission, addresses, ttl };
                self.tell_observer(granted).await
            }
            None => false,
        };
        if granted {
            reply.write(request, age, *limit)
        } else {
            self.counters.count(|stats| stats.failed += 1);
            Reply::empty(Code::ServFail, None).write(request, 0, *limit)
        }
    }

    /// True when the client may have the answer.
    async fn tell_observer(&self, granted: Granted<'_>) -> bool {
        let Some(observer) = self.observer.as_ref().filter(|_| !granted.addresses.is_empty()) else {
            return true;
        };
        match timeout(self.timing.helper, observer.granted(granted)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(view = granted.view, error = &*error as &dyn Error, "an answer was held back");
                false
            }
            Err(elapsed) => {
                tracing::warn!(
                    view = granted.view,
                    error = &elapsed as &dyn Error,
                    "an answer was held back"
                );
                false
            }
        }
    }

    async fn ask_mdns(&self, request: &Request) -> Reply {
        let Some(mdns) = &self.mdns else { return Reply::empty(Code::NxDomain, None) };
        if !matches!(request.kind, qtype::A | qtype::AAAA) {
            return Reply::empty(Code::NoError, None);
        }
        match timeout(self.timing.helper, mdns.resolve(&request.name)).await {
            Ok(Ok(addresses)) if addresses.is_empty() => Reply::empty(Code::NxDomain, None),
            Ok(Ok(addresses)) => of_addresses(request, &addresses, MDNS_TTL),
            Ok(Err(error)) => {
                tracing::debug!(error = &*error as &dyn Error, "the home network was not asked");
                Reply::empty(Code::ServFail, None)
            }
            Err(_elapsed) => Reply::empty(Code::ServFail, None),
        }
    }
}

/// What has to be waited for.
enum Work {
    /// The observer, with this name of the box.
    Granted(Reply),
    /// Multicast DNS, with the client's place there.
    Mdns(Place),
    /// The observer and, unless the answer was kept, the upstreams.
    Public { kept: Option<(Arc<Reply>, u32)> },
}

/// A question under way.
struct Question {
    view: Arc<View>,
    request: Request,
    client: IpAddr,
    limit: usize,
    _place: Place,
}

/// The order of rules: names of the box, names that never leave it, what the view allows.
fn answerer(view: &View, request: &Request) -> Answerer {
    if let Some(addresses) = view.local.get(&request.name) {
        return Answerer::Granted(of_addresses(request, addresses, LOCAL_TTL));
    }
    if request.kind == qtype::PTR
        && let Some(name) =
            special::reverse_address(&request.name).and_then(|address| view.local.name_of(address))
    {
        return Answerer::Box(of_pointer(request, name));
    }
    match special::classify(&request.name, request.kind) {
        Some(Special::Localhost) => {
            let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            Answerer::Box(of_addresses(request, &loopback, LOCAL_TTL))
        }
        Some(Special::Ipv4OnlyArpa) => {
            Answerer::Box(of_addresses(request, &IPV4_ONLY.map(IpAddr::V4), LOCAL_TTL))
        }
        Some(Special::NoData) => Answerer::Box(Reply::empty(Code::NoError, None)),
        Some(Special::NoName) => Answerer::Box(Reply::empty(Code::NxDomain, None)),
        Some(Special::Mdns) if view.mdns => Answerer::Mdns,
        Some(Special::Mdns) => Answerer::Nobody,
        None if view.permission(&request.name).is_some() => Answerer::Public,
        None => Answerer::Nobody,
    }
}

/// Those of the addresses that are asked for.
fn of_addresses(request: &Request, addresses: &[IpAddr], ttl: u32) -> Reply {
    let name = request.name.to_hickory();
    let records = addresses
        .iter()
        .filter_map(|address| match (address, request.kind) {
            (IpAddr::V4(address), qtype::A) => Some(RData::A((*address).into())),
            (IpAddr::V6(address), qtype::AAAA) => Some(RData::AAAA((*address).into())),
            _ => None,
        })
        .map(|data| Record::from_rdata(name.clone(), ttl, data))
        .collect();
    of_records(request, records, ttl)
}

fn of_pointer(request: &Request, name: &DomainName) -> Reply {
    let data = RData::PTR(PTR(name.to_hickory()));
    of_records(request, vec![Record::from_rdata(request.name.to_hickory(), LOCAL_TTL, data)], LOCAL_TTL)
}

fn of_records(request: &Request, records: Vec<Record>, ttl: u32) -> Reply {
    let bounds = TtlBounds { min: ttl, max: ttl };
    Reply::new(&request.name.to_hickory(), Code::NoError, records, Vec::new(), bounds)
        .unwrap_or_else(|_| Reply::empty(Code::ServFail, None))
}

/// True when a name's addresses must be kept from clients: a page outside must not reach inside.
pub(super) fn leads_inside(answers: &[Record]) -> bool {
    answers.iter().flat_map(rebinding::addresses_of).any(rebinding::is_inside)
}
