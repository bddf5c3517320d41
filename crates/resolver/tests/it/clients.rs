//! A client of the resolver, by message.

use crate::support::timing;
use hickory_proto::op::Edns;
use hickory_proto::op::Message;
use hickory_proto::op::Query;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Name;
use hickory_proto::rr::RecordType;
use hickory_proto::rr::rdata::opt::EdnsCode;
use hickory_proto::rr::rdata::opt::EdnsOption;
use resolver::Resolver;
use resolver::Settings;
use resolver::Surroundings;
use resolver::TrustAnchors;
use resolver::Views;
use resolver::view::Allow;
use resolver::view::LocalNames;
use resolver::view::Prefix;
use resolver::view::View;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Who asks when it does not matter.
pub(crate) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 8, 7));

/// A resolver with a set clock that lets everybody resolve everything.
pub(crate) fn open_resolver(settings: Settings, anchors: &Arc<TrustAnchors>) -> Resolver {
    with(settings, surroundings(anchors))
}

pub(crate) fn surroundings(anchors: &Arc<TrustAnchors>) -> Surroundings {
    Surroundings {
        trust_anchors: Arc::clone(anchors),
        clock_synchronised: true,
        timing: timing(),
        ..Surroundings::default()
    }
}

pub(crate) fn with(settings: Settings, surroundings: Surroundings) -> Resolver {
    let resolver = Resolver::new(settings, surroundings).unwrap();
    resolver.set_views(everything());
    resolver
}

pub(crate) fn view(name: &str, allow: Allow) -> View {
    View { name: name.to_owned(), allow, local: LocalNames::default(), mdns: false }
}

pub(crate) fn everything() -> Views {
    let view = Arc::new(view("everything", Allow::All));
    let any = |address: &str| Prefix::new(address.parse().unwrap(), 0).unwrap();
    Views::new(BTreeMap::from([(any("0.0.0.0"), Arc::clone(&view)), (any("::"), view)]))
}

pub(crate) fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

/// Asks as a client that knows DNSSEC.
pub(crate) async fn ask(resolver: &Resolver, name: &str, kind: RecordType) -> Message {
    let mut message = question(name, kind);
    let mut edns = Edns::new();
    edns.set_max_payload(1232).set_dnssec_ok(true);
    message.set_edns(edns);
    send(resolver, &message, CLIENT).await
}

/// Asks as a client that knows neither DNSSEC nor EDNS.
pub(crate) async fn ask_plainly(resolver: &Resolver, name: &str, kind: RecordType) -> Message {
    send(resolver, &question(name, kind), CLIENT).await
}

pub(crate) async fn send(resolver: &Resolver, message: &Message, client: IpAddr) -> Message {
    let bytes = resolver.answer(&message.to_vec().unwrap(), client).await.expect("an answer");
    let answer = Message::from_vec(&bytes).unwrap();
    assert_eq!((answer.metadata.id, &answer.queries), (message.metadata.id, &message.queries));
    answer
}

pub(crate) fn addresses(answer: &Message) -> Vec<String> {
    let mut found: Vec<String> = answer
        .answers
        .iter()
        .filter_map(|record| record.data.ip_addr())
        .map(|address| address.to_string())
        .collect();
    found.sort();
    found
}

/// Code, and whether the answer is said to be proved.
pub(crate) fn verdict(answer: &Message) -> (ResponseCode, bool) {
    (answer.metadata.response_code, answer.metadata.authentic_data)
}

/// The extended error (RFC 8914).
pub(crate) fn reason(answer: &Message) -> Option<u16> {
    let EdnsOption::Unknown(_, bytes) = answer.edns.as_ref()?.option(EdnsCode::Unknown(15))? else {
        return None;
    };
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}
