//! `ports`: which is the app's web page, and which are ports of the box.

use super::desk::At;
use super::desk::Desk;
use model::network::app_policy::RESERVED_PORTS;
use serde_json::Value as Json;
use serde_json::json;

/// Most ports of one range.
const MAX_RANGE: u16 = 16;
/// Ports at which programs serve their pages, the likeliest first.
const PAGES: [u16; 12] = [80, 8080, 3000, 8000, 5000, 8096, 8123, 9000, 8081, 8888, 4000, 7000];
/// Ports at which they serve something else.
const NO_PAGES: [u16; 20] =
    [21, 22, 23, 25, 53, 110, 143, 443, 465, 587, 636, 853, 993, 995, 1883, 3306, 5432, 6379, 8883, 25565];

/// A published port.
#[derive(Clone, Debug)]
pub(super) struct Published {
    /// Of the service.
    pub(super) service: String,
    place: String,
    line: usize,
    host: Option<u16>,
    pub(super) container: u16,
    is_tcp: bool,
    is_local: bool,
}

/// Reads the ports of a service.
pub(super) fn read(service: &str, at: At<'_>, desk: &mut Desk<'_>, all: &mut Vec<Published>) {
    for (number, node) in at.node.items().iter().enumerate() {
        let at = At { place: &format!("{}[{number}]", at.place), node };
        let read = if node.entries().is_empty() { short(at, desk) } else { long(at, desk) };
        let Some((host, container, protocol, address)) = read else { continue };
        let is_tcp = match protocol.as_str() {
            "tcp" => true,
            "udp" => false,
            _ => {
                desk.refuse(at, "ports are of tcp or udp");
                continue;
            }
        };
        let is_local = address.starts_with("127.") || address == "::1";
        for (step, container) in (container.0..=container.1).enumerate() {
            let host = host.and_then(|(first, _)| first.checked_add(u16::try_from(step).ok()?));
            let (service, place) = (service.to_owned(), at.place.to_owned());
            all.push(Published { service, place, line: node.line, host, container, is_tcp, is_local });
        }
    }
    if at.node.items().is_empty() && !at.node.is_nothing() {
        desk.refuse(at, "a list of ports belongs here");
    }
}

type Range = (u16, u16);
type Port = (Option<Range>, Range, String, String);

/// `[[address:]host:]container[/protocol]`, where ports may be ranges.
fn short(at: At<'_>, desk: &mut Desk<'_>) -> Option<Port> {
    let parse = |text: &str| {
        let (text, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let (rest, container) = match text.rsplit_once(':') {
            Some((rest, container)) => (Some(rest), range(container)?),
            None => (None, range(text)?),
        };
        let (address, host) = match rest.map(|rest| rest.rsplit_once(':').unwrap_or(("", rest))) {
            Some((address, "")) => (address, None),
            Some((address, host)) => (address, Some(range(host)?)),
            None => ("", None),
        };
        let is_as_long = host.is_none_or(|host| host.1 - host.0 == container.1 - container.0);
        let address = address.trim_start_matches('[').trim_end_matches(']').to_owned();
        is_as_long.then(|| (host, container, protocol.to_lowercase(), address))
    };
    desk.parsed(at, parse, "a port such as 8080:80, 53:53/udp or 127.0.0.1:8080:80, or a range of at most 16")
}

fn long(at: At<'_>, desk: &mut Desk<'_>) -> Option<Port> {
    let (mut host, mut container, mut protocol, mut address) = (None, None, "tcp".to_owned(), String::new());
    for (key, node) in at.node.entries() {
        let at = At { place: &format!("{}.{key}", at.place), node };
        match key.as_str() {
            "target" => container = desk.parsed(at, range, "a port"),
            "published" => host = desk.parsed(at, range, "a port"),
            "protocol" => protocol = desk.text(at)?.to_lowercase(),
            "host_ip" => address = desk.text(at)?,
            "mode" | "name" | "app_protocol" => {}
            key if key.starts_with("x-") => {}
            _ => desk.refuse(at, "this key of a port is not known"),
        }
    }
    if container.is_none() {
        desk.refuse(at, "a port needs a target");
    }
    let is_as_long =
        host.zip(container).is_none_or(|(host, own): (Range, Range)| host.1 - host.0 == own.1 - own.0);
    if !is_as_long {
        desk.refuse(at, "both ranges must have as many ports");
    }
    Some((host, container?, protocol, address)).filter(|_| is_as_long)
}

fn range(text: &str) -> Option<Range> {
    let port = |text: &str| {
        let is_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| is_digits && *port != 0)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last && last - first < MAX_RANGE).then_some((first, last))
}

/// Decides for all services: the port of the page, and the ports of the box. `page` is what the file itself names.
pub(super) fn decide(
    page: Option<u16>,
    all: &[Published],
    root: At<'_>,
    desk: &mut Desk<'_>,
) -> (Option<u16>, Vec<Json>) {
    let candidates: Vec<u16> = all.iter().filter(|port| port.is_tcp).map(|port| port.container).collect();
    let likely = || PAGES.into_iter().find(|port| candidates.contains(port));
    let only = || match candidates.as_slice() {
        [port] if !NO_PAGES.contains(port) => Some(*port),
        _ => None,
    };
    let page = page.or_else(likely).or_else(only);
    match page {
        Some(port) => desk.note(
            root,
            format!("port {port} is taken for the app's web page; it opens at the app's own address"),
        ),
        None => desk.note(root, "no port is taken for a web page"),
    }
    let mut inbound = Vec::new();
    let mut shown = None;
    for port in all {
        let is_page = port.is_tcp && Some(port.container) == page;
        let protocol = if port.is_tcp { "tcp" } else { "udp" };
        let at = At {
            place: &port.place,
            node: &super::yaml::Node { line: port.line, value: super::yaml::Value::Null },
        };
        clashes(port, all, at, desk);
        if is_page && shown.is_none() {
            shown = Some(port);
        } else if port.is_local {
            desk.note(at, "left out: only the box itself would have reached this port");
        } else {
            let number = port.host.unwrap_or(port.container);
            if RESERVED_PORTS.contains(&number) {
                desk.refuse(at, format!("port {number} is the box's own; publish another"));
            }
            inbound.push(json!({
                "port": format!("{protocol}/{number}"),
                "app_port": port.container,
                "reason": format!("Its docker-compose.yml publishes this port of {}", port.service),
            }));
        }
    }
    (page, inbound)
}

/// Containers of an app share one network, so that two of them cannot serve one port.
fn clashes(port: &Published, all: &[Published], at: At<'_>, desk: &mut Desk<'_>) {
    let other = all.iter().find(|other| {
        (other.container, other.is_tcp) == (port.container, port.is_tcp) && other.service != port.service
    });
    if let Some(other) = other {
        let words = format!(
            "{} and {} both serve {}; the containers of an app share one network",
            port.service, other.service, port.container
        );
        desk.refuse(at, words);
    }
}
