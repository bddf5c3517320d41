//! A network made up: machines, links between them, packets that are lost, doubled or late. Time only passes when told to.

use mdns::Announced;
use mdns::Arrival;
use mdns::Ask;
use mdns::Destination;
use mdns::LinkAddress;
use mdns::LinkAddresses;
use mdns::Name;
use mdns::Node;
use mdns::Record;
use mdns::RecordType;
use mdns::Service;
use mdns::Transmit;
use mdns::Wanted;
use mdns::packet::Packet;
use mdns::packet::decode;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

/// How bad the network is; chances are percent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    /// Packets take up to so long, each for itself: they overtake each other.
    pub(crate) slowest: Duration,
}

/// One machine on the network.
pub(crate) struct Machine {
    pub(crate) node: Node,
    /// By link index: the network it is plugged into, and its addresses.
    pub(crate) ports: BTreeMap<u32, (u32, Vec<LinkAddress>)>,
    pub(crate) answers: BTreeMap<u64, Vec<Record>>,
    next_id: u64,
}

struct OnWire {
    at: Instant,
    to: usize,
    arrival: Arrival,
    bytes: Vec<u8>,
}

/// The network.
pub(crate) struct Lan {
    pub(crate) now: Instant,
    pub(crate) machines: Vec<Machine>,
    pub(crate) weather: Weather,
    /// Everything that was sent: when, by which machine.
    pub(crate) log: Vec<(Instant, usize, Transmit)>,
    wire: Vec<OnWire>,
    random: u64,
}

/// What a box wants.
pub(crate) fn wanted(host: &str, extras: &[&str]) -> Wanted {
    let service = |kind| Service { kind, port: 443, txt: Vec::new() };
    Wanted {
        host: host.parse().unwrap(),
        extra_hosts: extras.iter().map(|extra| extra.parse().unwrap()).collect(),
        services: vec![service("_https._tcp"), service("_hearth._tcp")],
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

/// Both kinds of address, made of one number.
pub(crate) fn addresses(number: u8) -> Vec<LinkAddress> {
    [(format!("10.0.0.{number}"), 24), (format!("fe80::{number:x}"), 64)]
        .map(|(address, prefix)| LinkAddress { address: address.parse().unwrap(), prefix })
        .to_vec()
}

impl Lan {
    pub(crate) fn new(seed: u64) -> Self {
        let now = Instant::now();
        let weather = Weather::default();
        Self { now, machines: Vec::new(), weather, log: Vec::new(), wire: Vec::new(), random: seed | 1 }
    }

    /// A machine with one link to network 0; its number makes its addresses.
    pub(crate) fn add(&mut self, host: &str) -> usize {
        self.add_on(host, &[(2, 0)])
    }

    /// A machine with these links, each an index and a network.
    pub(crate) fn add_on(&mut self, host: &str, links: &[(u32, u32)]) -> usize {
        let number = self.machines.len();
        let seed = self.below(u64::MAX);
        let mut machine =
            Machine { node: Node::new(seed), ports: BTreeMap::new(), answers: BTreeMap::new(), next_id: 0 };
        for (index, network) in links {
            let own = u8::try_from(number * 16 + usize::try_from(*index).unwrap()).unwrap();
            machine.ports.insert(*index, (*network, addresses(own)));
        }
        machine.node.want(self.now, wanted(host, &[]));
        self.machines.push(machine);
        self.replug(number);
        number
    }

    /// Tells a machine about its links.
    pub(crate) fn replug(&mut self, machine: usize) {
        let now = self.now;
        let machine = &mut self.machines[machine];
        let link = |(index, (_, addresses)): (&u32, &(u32, Vec<LinkAddress>))| LinkAddresses {
            index: *index,
            name: format!("eth{index}"),
            addresses: addresses.clone(),
        };
        let links = machine.ports.iter().map(link).collect();
        machine.node.set_links(now, links);
    }

    pub(crate) fn want(&mut self, machine: usize, wanted: Wanted) {
        let now = self.now;
        self.machines[machine].node.want(now, wanted);
    }

    pub(crate) fn announced(&self, machine: usize) -> Announced {
        self.machines[machine].node.announced()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.machines.iter().map(|machine| machine.node.announced().name).collect()
    }

    /// Asks, and lets time pass until there is an answer.
    pub(crate) fn ask(&mut self, machine: usize, text: &str, record_type: RecordType) -> Vec<Record> {
        let id = self.begin(machine, text, record_type, Duration::from_secs(10));
        self.pass_until(Duration::from_secs(11), |lan| lan.machines[machine].answers.contains_key(&id));
        self.machines[machine].answers.remove(&id).expect("an answer in time")
    }

    /// Asks.
    pub(crate) fn begin(
        &mut self,
        machine: usize,
        text: &str,
        record_type: RecordType,
        timeout: Duration,
    ) -> u64 {
        let now = self.now;
        let machine = &mut self.machines[machine];
        machine.next_id += 1;
        let id = machine.next_id;
        if let Some(own) = machine.node.ask(now, Ask { id, name: name(text), record_type, timeout }).unwrap()
        {
            machine.answers.insert(id, own);
        }
        id
    }

    /// Sends a packet as a machine that is none of ours, to all or to one, on network 0.
    pub(crate) fn inject(&mut self, source: &str, to: Option<usize>, packet: &Packet) {
        let source: SocketAddr = source.parse().unwrap();
        let bytes = packet.encode().unwrap();
        for (number, machine) in self.machines.iter().enumerate() {
            for (link, _) in machine.ports.iter().filter(|(_, (network, _))| *network == 0) {
                let arrival = Arrival { link: *link, source, was_multicast: to.is_none() };
                if to.is_none_or(|to| to == number) {
                    self.wire.push(OnWire { at: self.now, to: number, arrival, bytes: bytes.clone() });
                }
            }
        }
    }

    /// What a machine sent, decoded, since a moment.
    pub(crate) fn sent_since(&self, since: Instant, machine: usize) -> Vec<(Instant, Destination, Packet)> {
        let own = self.log.iter().filter(|(at, by, _)| *at >= since && *by == machine);
        own.map(|(at, _, transmit)| (*at, transmit.to, decode(&transmit.bytes).unwrap())).collect()
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.pass_until(time, |_| false);
    }

    /// Lets time pass until something is so, but not longer than that; whether it is so.
    pub(crate) fn pass_until(&mut self, longest: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + longest;
        loop {
            self.turn();
            if is_so(self) {
                return true;
            }
            let wakes = self.machines.iter().filter_map(|machine| machine.node.next_wake());
            let next = wakes.chain(self.wire.iter().map(|packet| packet.at)).min();
            match next {
                Some(next) if next <= end => self.now = self.now.max(next),
                _ => {
                    self.now = end;
                    return is_so(self);
                }
            }
        }
    }

    fn turn(&mut self) {
        self.wire.sort_by_key(|packet| packet.at);
        let waiting = self.wire.split_off(self.wire.partition_point(|packet| packet.at <= self.now));
        for packet in std::mem::replace(&mut self.wire, waiting) {
            self.machines[packet.to].node.receive(self.now, &packet.arrival, &packet.bytes);
        }
        for number in 0..self.machines.len() {
            let now = self.now;
            let machine = &mut self.machines[number];
            machine.node.elapse(now);
            machine.answers.extend(machine.node.take_answers());
            for transmit in machine.node.take_transmits() {
                self.carry(number, transmit);
            }
        }
    }

    fn carry(&mut self, from: usize, transmit: Transmit) {
        assert!(transmit.bytes.len() <= 1452, "a packet that fits the link");
        let (network, own) = self.machines[from].ports[&transmit.link].clone();
        let mut copies = Vec::new();
        for (number, machine) in self.machines.iter().enumerate() {
            for (link, (other, addresses)) in &machine.ports {
                let is_itself = number == from && *link == transmit.link;
                if *other != network || is_itself {
                    continue;
                }
                for source in &own {
                    let source = source.address;
                    let arrives = match transmit.to {
                        Destination::Group => {
                            addresses.iter().any(|to| to.address.is_ipv4() == source.is_ipv4())
                        }
                        Destination::Host(to) => {
                            addresses.iter().any(|address| address.address == to.ip())
                                && to.is_ipv4() == source.is_ipv4()
                        }
                    };
                    if arrives {
                        let was_multicast = transmit.to == Destination::Group;
                        copies.push((
                            number,
                            Arrival { link: *link, source: with_port(source), was_multicast },
                        ));
                    }
                }
            }
        }
        for (to, arrival) in copies {
            let doubled = self.chance(self.weather.doubled);
            for _ in 0..if doubled { 2 } else { 1 } {
                if !self.chance(self.weather.lost) {
                    let slowest = u64::try_from(self.weather.slowest.as_micros()).unwrap();
                    let at = self.now + Duration::from_micros(self.below(slowest + 1));
                    self.wire.push(OnWire { at, to, arrival, bytes: transmit.bytes.clone() });
                }
            }
        }
        self.log.push((self.now, from, transmit));
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Xorshift (Marsaglia 2003).
    fn below(&mut self, end: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % end
    }
}

fn with_port(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, mdns::PORT)
}
