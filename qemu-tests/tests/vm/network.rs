//! The box on a home network, seen from the wire: a router and a neighbour in one, played by the test.

use crate::household::expect;
use crate::household::set_up;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use dhcproto::Decodable;
use dhcproto::Encodable;
use dhcproto::v4::DhcpOption;
use dhcproto::v4::Message;
use dhcproto::v4::MessageType;
use dhcproto::v4::Opcode;
use dhcproto::v4::OptionCode;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::VmBuilder;
use qemu_tests::capture::ensure_no_plaintext_names;
use qemu_tests::packets;
use qemu_tests::packets::Seen;
use qemu_tests::packets::Udp;
use qemu_tests::packets::Wire;
use qemu_tests::scenario::scenario;
use serde_json::Value;
use std::io;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

pub(crate) const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub(crate) const ROUTER6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);
pub(crate) const BOX: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 50);
const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
const MDNS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// 224.0.0.251 on Ethernet (RFC 1112 section 6.4).
const MDNS_MAC: [u8; 6] = [1, 0, 0x5e, 0, 0, 0xfb];
/// Seconds: half of it later the box must ask again.
const LEASE: u32 = 60;
/// Seconds from 1900 to 1970 (RFC 5905 figure 4).
const NTP_EPOCH: u64 = 2_208_988_800;
/// Between two of the test's own questions.
const ASK_AGAIN: Duration = Duration::from_secs(1);

#[test]
fn a_lease_is_taken_and_renewed_and_the_name_is_answered() {
    scenario("network", |folder| {
        let vm = VmBuilder::new(folder, &Artifacts::load()?).packets().captured().start()?;
        let mut lan = Lan::open(vm.machine().packets.as_ref().context("no link")?)?;

        let name = lan.wait("a lease", |lan| (lan.leases >= 1).then_some(lan.name.clone()))?;
        ensure!(name.as_deref().is_none_or(|name| name == "hearth"), "the box calls itself {name:?}");
        let answer = lan.wait("an mDNS answer", |lan| lan.answer.take())?;
        ensure!(answer == BOX, "hearth.local is {answer}");
        lan.wait("a renewal", |lan| (lan.renewals >= 1).then_some(()))?;

        let mut web = vm.wait_web()?;
        set_up(&vm, &mut web)?;
        // Set-up announces the name anew: it must not be lost to the box's own announcement.
        lan.answer = None;
        lan.wait("an mDNS answer after set-up", |lan| lan.answer.take())?;
        lan.wait("all addresses in the API", |_| {
            let network = web.get("/api/v1/network").ok()?;
            expect(&network, 200).ok()?;
            let network = network.json().ok()?;
            let expected = ["10.77.0.50/24", "10.0.2.15/24"];
            let has_leases = expected.iter().all(|wanted| has_address(&network, |found| found == *wanted));
            (has_leases && has_address(&network, |found| found.starts_with("fd77:"))).then_some(())
        })?;
        let capture = std::fs::read(folder.join("network.pcap"))?;
        ensure!(
            capture.windows(4).any(|window| window == [0x63, 0x82, 0x53, 0x63]),
            "no DHCP on the first card"
        );
        ["network.pcap", "packets.pcap"]
            .into_iter()
            .try_for_each(|file| ensure_no_plaintext_names(&folder.join(file)))
    });
}

fn has_address(network: &Value, fits: impl Fn(&str) -> bool) -> bool {
    let links = network["links"].as_array().into_iter().flatten();
    links
        .flat_map(|link| link["addresses"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .any(fits)
}

/// A router that gives out one address, advertises one prefix, and asks for `hearth.local`.
pub(crate) struct Lan {
    wire: Wire,
    pub(crate) leases: u32,
    renewals: u32,
    name: Option<String>,
    answer: Option<Ipv4Addr>,
    asked: Option<Instant>,
    tells_time: bool,
}

impl Lan {
    pub(crate) fn open(link: &qemu_tests::machine::PacketLink) -> Result<Self> {
        let wire = Wire::open(link)?;
        Ok(Self { wire, leases: 0, renewals: 0, name: None, answer: None, asked: None, tells_time: false })
    }

    /// The router names itself as the time server, and is one.
    pub(crate) fn telling_time(self) -> Self {
        Self { tells_time: true, ..self }
    }

    /// Plays the router until there is something to see.
    pub(crate) fn wait<T>(&mut self, what: &str, mut look: impl FnMut(&mut Self) -> Option<T>) -> Result<T> {
        let start = Instant::now();
        while start.elapsed() < BOOT {
            self.play()?;
            if let Some(seen) = look(self) {
                return Ok(seen);
            }
        }
        bail!("waited {} s in vain for {what}", BOOT.as_secs())
    }

    pub(crate) fn play(&mut self) -> Result<()> {
        if self.leases > 0 && self.asked.is_none_or(|asked| asked.elapsed() > ASK_AGAIN) {
            self.asked = Some(Instant::now());
            self.wire.send(&question())?;
            let router = "fe80::1".parse().context("an address")?;
            self.wire.send(&packets::router_advertisement(router, "fd77::".parse().context("a prefix")?))?;
        }
        match self.wire.receive(Duration::from_millis(100))? {
            Some(Seen::ArpRequest { from, from_address, wanted }) if wanted == ROUTER => {
                self.wire.send(&packets::arp_answer(from, from_address, ROUTER))
            }
            Some(Seen::NeighbourSolicitation { from, from_address, wanted }) if wanted == ROUTER6 => {
                self.wire.send(&packets::neighbour_advertisement(from, from_address, ROUTER6))
            }
            Some(Seen::Udp(udp)) if udp.to.1 == 67 => self.answer_dhcp(&udp),
            Some(Seen::Udp(udp)) if udp.to == (ROUTER, 123) && self.tells_time => self.answer_time(&udp),
            Some(Seen::Udp(udp))
                if udp.from.1 == 5353 && udp.payload.get(2).is_some_and(|flags| flags & 0x80 != 0) =>
            {
                self.answer = address_of_hearth(&udp.payload).or(self.answer);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn answer_dhcp(&mut self, udp: &Udp) -> Result<()> {
        let request = Message::from_bytes(&udp.payload).context("no DHCP message")?;
        let kind = match request.opts().get(OptionCode::MessageType) {
            Some(DhcpOption::MessageType(MessageType::Discover)) => MessageType::Offer,
            Some(DhcpOption::MessageType(MessageType::Request)) => {
                self.leases += 1;
                // A renewal comes from the leased address (RFC 2131 section 4.3.2).
                self.renewals += u32::from(request.ciaddr() == BOX);
                MessageType::Ack
            }
            _ => return Ok(()),
        };
        if let Some(DhcpOption::Hostname(name)) = request.opts().get(OptionCode::Hostname) {
            self.name = Some(name.clone());
        }
        let is_renewal = request.ciaddr() == BOX;
        let answer = Udp {
            to_mac: if is_renewal { udp.from_mac } else { packets::BROADCAST },
            from_mac: packets::MAC,
            from: (ROUTER, 67),
            to: (if is_renewal { BOX } else { Ipv4Addr::BROADCAST }, 68),
            payload: offer(&request, kind, self.tells_time)?,
        };
        self.wire.send(&answer.frame())
    }

    /// Answers with this machine's time (RFC 5905 section 7.3).
    fn answer_time(&self, udp: &Udp) -> Result<()> {
        let sent = udp.payload.get(40..48).context("no NTP request")?;
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        let seconds = u64::try_from(now.tv_sec)? + NTP_EPOCH;
        let fraction = (u64::try_from(now.tv_nsec)? << 32) / 1_000_000_000;
        let stamp = (seconds << 32 | fraction).to_be_bytes();
        // Version 4, mode server; stratum 2, a microsecond; no way and little dispersion to its source.
        let head = [0x24, 2, 6, 0xec, 0, 0, 0, 0, 0, 0, 0, 16, 10, 77, 0, 2];
        let payload = [&head[..], &stamp, sent, &stamp, &stamp].concat();
        let answer =
            Udp { to_mac: udp.from_mac, from_mac: packets::MAC, from: udp.to, to: udp.from, payload };
        self.wire.send(&answer.frame())
    }
}

/// Plays the home network until it goes.
pub(crate) struct Neighbourhood {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// Between tries to send to a machine that has no end of the cable yet.
const PAUSE: Duration = Duration::from_millis(50);

impl Neighbourhood {
    pub(crate) fn start(mut lan: Lan) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                match lan.play() {
                    Err(error) if is_unplugged(&error) => thread::sleep(PAUSE),
                    played => played?,
                }
            }
            Ok(())
        });
        Self { is_over, thread: Some(thread) }
    }
}

/// Whether the machine has no end of the cable: QEMU opens it when it starts and takes it away when it ends.
fn is_unplugged(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(kind, Some(ErrorKind::NotFound | ErrorKind::ConnectionRefused))
}

impl Drop for Neighbourhood {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => println!("the home network stopped playing: {error:#}"),
            Some(Err(_panic)) => println!("the home network panicked"),
        }
    }
}

fn offer(request: &Message, kind: MessageType, tells_time: bool) -> Result<Vec<u8>> {
    let mut answer = Message::default();
    answer.set_opcode(Opcode::BootReply).set_xid(request.xid()).set_flags(request.flags());
    answer.set_chaddr(request.chaddr()).set_yiaddr(BOX).set_siaddr(ROUTER);
    let options = answer.opts_mut();
    options.insert(DhcpOption::MessageType(kind));
    options.insert(DhcpOption::ServerIdentifier(ROUTER));
    options.insert(DhcpOption::AddressLeaseTime(LEASE));
    options.insert(DhcpOption::SubnetMask(MASK));
    options.insert(DhcpOption::Router(vec![ROUTER]));
    if tells_time {
        options.insert(DhcpOption::NtpServers(vec![ROUTER]));
    }
    answer.to_vec().context("cannot write a DHCP message")
}

/// Who is `hearth.local`? To all who listen (RFC 6762 section 5.1).
fn question() -> Vec<u8> {
    let payload = [&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &wire_name(), &[0, 1, 0, 1]].concat();
    Udp { to_mac: MDNS_MAC, from_mac: packets::MAC, from: (ROUTER, 5353), to: (MDNS, 5353), payload }.frame()
}

fn wire_name() -> Vec<u8> {
    b"\x06hearth\x05local\x00".to_vec()
}

/// The address in an answer's A record of `hearth.local`, which comes first in its record or is named whole.
fn address_of_hearth(message: &[u8]) -> Option<Ipv4Addr> {
    let name = wire_name();
    let starts =
        message.windows(name.len()).enumerate().filter(|(_, window)| window.eq_ignore_ascii_case(&name));
    starts.map(|(start, _)| start + name.len()).find_map(|record| {
        // Type A; class Internet, perhaps with the cache-flush bit; time to live; length 4.
        let [0, 1, class, 1, _, _, _, _, 0, 4, a, b, c, d] = *message.get(record..record + 14)? else {
            return None;
        };
        (class & 0x7f == 0).then(|| Ipv4Addr::new(a, b, c, d))
    })
}
