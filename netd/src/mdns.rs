//! Announces the box on the home network: lends the `mdns` crate what the reconciler knows, and the resolver what the crate hears.

pub mod lookup;

use crate::observe::Address;
use crate::observe::Kind;
use crate::observe::Observed;
use ::mdns::Inputs;
use ::mdns::LinkAddress;
use ::mdns::LinkAddresses;
use ::mdns::Questions;
use ::mdns::Service;
use ::mdns::Wanted;
use model::names::HostName;
use tokio::sync::watch;

pub use ::mdns::Announced;

/// What is announced: the console, and that this is a Hearth box (for the flash tool and other boxes).
const SERVICES: [&str; 2] = ["_https._tcp", "_hearth._tcp"];
/// Where the console answers.
const HTTPS_PORT: u16 = 443;

/// Runs the announcer until the name's sender is dropped, and then says goodbye.
pub async fn run(
    mut host_name: watch::Receiver<HostName>,
    links: watch::Receiver<Vec<LinkAddresses>>,
    questions: Questions,
    announced: watch::Sender<Announced>,
) {
    let wish = watch::Sender::new(wanted(&host_name.borrow_and_update()));
    let inputs = Inputs { wish: wish.subscribe(), links, questions };
    let follow = async move {
        while host_name.changed().await.is_ok() {
            wish.send_replace(wanted(&host_name.borrow_and_update()));
        }
    };
    tokio::join!(follow, ::mdns::run(inputs, announced));
}

fn wanted(host: &HostName) -> Wanted {
    let service = |kind| Service { kind, port: HTTPS_PORT, txt: Vec::new() };
    Wanted { host: host.clone(), extra_hosts: Vec::new(), services: SERVICES.map(service).to_vec() }
}

/// The links to the home network that work now, with their addresses.
#[must_use]
pub fn link_addresses(observed: &Observed) -> Vec<LinkAddresses> {
    let links = observed
        .links
        .iter()
        .filter(|link| matches!(link.kind, Kind::Ethernet { .. }) && link.is_up && link.has_carrier);
    links
        .map(|link| {
            let is_own = |address: &&Address| address.index == link.index && !address.is_duplicate;
            let own = observed.addresses.iter().filter(is_own);
            let mut addresses: Vec<LinkAddress> =
                own.map(|own| LinkAddress { address: own.address, prefix: own.prefix }).collect();
            addresses.sort_unstable();
            LinkAddresses { index: link.index, name: link.name.clone(), addresses }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Link;
    use crate::observe::Maker;

    #[test]
    fn only_links_that_work_are_announced_on() {
        let ethernet = Kind::Ethernet { mac: [2; 6] };
        let link = |index, kind, is_up, has_carrier| Link {
            is_up,
            has_carrier,
            ..crate::testing::link(index, &format!("eth{index}"), kind)
        };
        let address = |index, text: &str, prefix| Address {
            index,
            address: text.parse().unwrap(),
            prefix,
            valid_for: None,
            maker: Maker::Unknown,
            is_duplicate: false,
        };
        let observed = Observed {
            links: vec![
                link(1, Kind::Loopback, true, true),
                link(2, ethernet, true, true),
                link(3, ethernet, true, false),
                link(4, ethernet, false, true),
                link(5, Kind::Other, true, true),
            ],
            addresses: vec![
                address(1, "127.0.0.1", 8),
                address(2, "fe80::1", 64),
                address(2, "10.0.0.5", 24),
                address(3, "10.0.1.5", 24),
            ],
            ..Observed::default()
        };
        let own = |text: &str, prefix| LinkAddress { address: text.parse().unwrap(), prefix };
        let expected = LinkAddresses {
            index: 2,
            name: "eth2".to_owned(),
            addresses: vec![own("10.0.0.5", 24), own("fe80::1", 64)],
        };
        assert_eq!(link_addresses(&observed), [expected]);
    }
}
