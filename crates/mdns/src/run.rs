//! Lends a [`Node`] sockets and a clock. No decisions.

use crate::budget::Bucket;
use crate::budget::Rate;
use crate::node::Node;
use crate::querier::Ask;
use crate::querier::NotAsked;
use crate::socket;
use crate::socket::Family;
use crate::wanted::Announced;
use crate::wanted::Arrival;
use crate::wanted::Destination;
use crate::wanted::LinkAddresses;
use crate::wanted::Transmit;
use crate::wanted::Wanted;
use hickory_proto::rr::Name;
use hickory_proto::rr::Record;
use hickory_proto::rr::RecordType;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::sleep_until;

/// Packets that may wait for the node; more wait in the kernel, or are dropped there.
const PACKET_QUEUE: usize = 16;
/// Questions that may wait for the node.
const QUESTION_QUEUE: usize = 16;
/// Packets read from a socket: a flood is left to the kernel, which drops it for less.
const READ: Rate = Rate { every: Duration::from_millis(1), burst: 500 };
/// Wait before a socket that could not be opened is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// How long to wait for the other kind of address.
const PATIENCE: Duration = Duration::from_millis(300);

/// Asks the home network for names; cheap to clone.
#[derive(Clone, Debug)]
pub struct Querier {
    questions: mpsc::Sender<Question>,
}

#[derive(Debug)]
struct Question {
    name: Name,
    record_type: RecordType,
    timeout: Duration,
    answer: oneshot::Sender<Answer>,
}

type Answer = Result<Vec<Record>, NotAsked>;

/// The other end of a [`Querier`].
#[derive(Debug)]
pub struct Questions {
    received: mpsc::Receiver<Question>,
}

/// A querier, and what [`run()`] needs to answer it.
#[must_use]
pub fn querier() -> (Querier, Questions) {
    let (questions, received) = mpsc::channel(QUESTION_QUEUE);
    (Querier { questions }, Questions { received })
}

impl Querier {
    /// Records of a name that ends in `.local` (or is a reverse name of a link-local address), the box's own names
    /// included (in lists of services the box itself is missing). Returns as soon as their owner has answered, and otherwise with
    /// what was heard within the time; nothing for other names.
    ///
    /// Times to live are what is left of them. A link-local IPv6 address comes without its link, and is of use only where that is
    /// known.
    ///
    /// # Errors
    /// When the question is not asked: that is no word on whether the name exists.
    pub async fn query(
        &self,
        name: Name,
        record_type: RecordType,
        timeout: Duration,
    ) -> Result<Vec<Record>, NotAsked> {
        let (answer, answered) = oneshot::channel();
        let question = Question { name, record_type, timeout, answer };
        self.questions.send(question).await.map_err(|_closed| NotAsked::Ended)?;
        answered.await.map_err(|_gone| NotAsked::Ended)?
    }

    /// Addresses of a name that can be used without knowing the link they are on. Asks for both kinds at once; a device that has
    /// answered for one is not waited for long for the other, which it may not have.
    ///
    /// # Errors
    /// When none was found and one of the questions was not asked.
    pub async fn addresses(&self, name: &Name, timeout: Duration) -> Result<Vec<IpAddr>, NotAsked> {
        let v4 = self.query(name.clone(), RecordType::A, timeout);
        let v6 = self.query(name.clone(), RecordType::AAAA, timeout);
        tokio::pin!(v4, v6);
        let mut found = Vec::new();
        let mut not_asked = None;
        let (mut has_v4, mut has_v6) = (false, false);
        let mut patience = None;
        while !(has_v4 && has_v6) {
            // A query may be dropped at any time: its answer is then dropped too.
            let answer = tokio::select! {
                answer = &mut v4, if !has_v4 => {
                    has_v4 = true;
                    answer
                }
                answer = &mut v6, if !has_v6 => {
                    has_v6 = true;
                    answer
                }
                () = at(patience) => break,
            };
            match answer {
                Ok(records) => found.extend(usable(&records)),
                Err(error) => not_asked = Some(error),
            }
            patience = (!found.is_empty()).then(|| Instant::now() + PATIENCE);
        }
        match not_asked {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }
}

fn usable(records: &[Record]) -> impl Iterator<Item = IpAddr> {
    let addresses = records.iter().filter_map(|record| record.data.ip_addr());
    addresses.filter(|address| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()))
}

/// What [`run()`] is told.
#[derive(Debug)]
pub struct Inputs {
    /// What to announce; it ends when the sender is dropped.
    pub wish: watch::Receiver<Wanted>,
    /// Links that are up and have carrier, with all addresses that are ready for use.
    pub links: watch::Receiver<Vec<LinkAddresses>>,
    /// From [`querier`].
    pub questions: Questions,
}

/// Announces and answers until the wish's sender is dropped; returns when goodbyes are sent.
pub async fn run(mut inputs: Inputs, announced: watch::Sender<Announced>) {
    let mut node = Node::new(seed());
    let (packets, mut received) = mpsc::channel(PACKET_QUEUE);
    let mut sockets = Sockets { open: BTreeMap::new(), packets, failed: Vec::new(), retry_at: None };
    let mut answers = Answers::default();
    node.want(now(), inputs.wish.borrow_and_update().clone());
    let links = inputs.links.borrow_and_update().clone();
    sockets.follow(&links);
    node.set_links(now(), sockets.usable(&links));
    let (mut has_links, mut has_questions) = (true, true);
    loop {
        node.elapse(now());
        sockets.send_all(node.take_transmits());
        answers.deliver(node.take_answers());
        publish(&announced, &node, &sockets);
        let wake = node.next_wake().map(Instant::from_std);
        // Every arm only receives or sleeps; what loses the race is received in the next round.
        tokio::select! {
            changed = inputs.wish.changed() => match changed {
                Ok(()) => node.want(now(), inputs.wish.borrow_and_update().clone()),
                Err(_dropped) => break,
            },
            changed = inputs.links.changed(), if has_links => {
                has_links = changed.is_ok();
                let links = inputs.links.borrow_and_update().clone();
                sockets.follow(&links);
                node.set_links(now(), sockets.usable(&links));
            }
            Some(packet) = received.recv() => node.receive(now(), &packet.arrival, &packet.bytes),
            question = inputs.questions.received.recv(), if has_questions => match question {
                Some(question) => answers.ask(&mut node, question),
                None => has_questions = false,
            },
            () = at(wake) => {}
            () = at(sockets.retry_at) => {
                let links = inputs.links.borrow().clone();
                sockets.follow(&links);
                node.set_links(now(), sockets.usable(&links));
            }
        }
    }
    node.stop(now());
    sockets.send_all(node.take_transmits());
    tracing::debug!(counters = ?node.counters(), "multicast DNS ends");
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Only delays depend on it: without randomness all boxes wait alike, and their packets may collide.
fn seed() -> u64 {
    let mut seed = [0; 8];
    if let Err(error) = getrandom::fill(&mut seed) {
        tracing::warn!(error = &error as &dyn Error, "no randomness");
    }
    u64::from_ne_bytes(seed)
}

fn publish(announced: &watch::Sender<Announced>, node: &Node, sockets: &Sockets) {
    let mut latest = node.announced();
    latest.problem = sockets.problem().or(latest.problem);
    announced.send_if_modified(|shown| {
        let differs = *shown != latest;
        *shown = latest;
        differs
    });
}

/// Who waits for which answer.
#[derive(Debug, Default)]
struct Answers {
    last_id: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Answer>>,
}

impl Answers {
    fn ask(&mut self, node: &mut Node, question: Question) {
        self.waiting.retain(|id, answer| {
            if answer.is_closed() {
                node.forget(*id);
            }
            !answer.is_closed()
        });
        let Question { name, record_type, timeout, answer } = question;
        self.last_id = self.last_id.wrapping_add(1);
        let id = self.last_id;
        self.waiting.insert(id, answer);
        if let Some(answer) = node.ask(now(), Ask { id, name, record_type, timeout }).transpose() {
            self.answer(id, answer);
        }
    }

    fn deliver(&mut self, answers: Vec<(u64, Vec<Record>)>) {
        for (id, records) in answers {
            self.answer(id, Ok(records));
        }
    }

    fn answer(&mut self, id: u64, answer: Answer) {
        if let Some(asker) = self.waiting.remove(&id) {
            // Whoever asked may have gone.
            drop(asker.send(answer));
        }
    }
}

#[derive(Debug)]
struct Incoming {
    arrival: Arrival,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    socket: Arc<UdpSocket>,
    link_name: String,
    reader: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

#[derive(Debug)]
struct Sockets {
    open: BTreeMap<(u32, Family), Open>,
    packets: mpsc::Sender<Incoming>,
    /// Links of which a socket could not be opened.
    failed: Vec<String>,
    retry_at: Option<Instant>,
}

impl Sockets {
    /// Has a socket for each link and each protocol that it has an address of, and no other.
    fn follow(&mut self, links: &[LinkAddresses]) {
        let has = |link: &LinkAddresses, family: Family| {
            link.addresses.iter().any(|own| Family::of(own.address) == family)
        };
        self.open.retain(|(index, family), open| {
            links.iter().any(|link| link.index == *index && link.name == open.link_name && has(link, *family))
        });
        self.failed.clear();
        for link in links {
            for family in Family::ALL {
                if has(link, family) && !self.open.contains_key(&(link.index, family)) {
                    self.open(link, family);
                }
            }
        }
        self.retry_at = (!self.failed.is_empty()).then(|| Instant::now() + TRY_AGAIN);
    }

    fn open(&mut self, link: &LinkAddresses, family: Family) {
        let link_name = link.name.clone();
        match socket::open(link, family) {
            Ok(socket) => {
                let socket = Arc::new(socket);
                let reader = tokio::spawn(read(Arc::clone(&socket), link.index, self.packets.clone()));
                self.open.insert((link.index, family), Open { socket, link_name, reader });
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, link = link_name, ?family, "no multicast DNS");
                self.failed.push(link_name);
            }
        }
    }

    fn usable(&self, links: &[LinkAddresses]) -> Vec<LinkAddresses> {
        let is_usable = |link: &&LinkAddresses| {
            Family::ALL.iter().any(|family| self.open.contains_key(&(link.index, *family)))
        };
        links.iter().filter(is_usable).cloned().collect()
    }

    fn problem(&self) -> Option<String> {
        let link = self.failed.first()?;
        Some(format!("the box cannot announce its name on {link}"))
    }

    fn send_all(&self, transmits: Vec<Transmit>) {
        for Transmit { link, to, bytes } in transmits {
            for family in Family::ALL {
                let address = match to {
                    Destination::Group => family.group(link),
                    Destination::Host(address) if Family::of(address.ip()) == family => address,
                    Destination::Host(_) => continue,
                };
                let Some(open) = self.open.get(&(link, family)) else { continue };
                // A packet that cannot be sent now is lost like any other: the link may just be going down.
                if let Err(error) = open.socket.try_send_to(&bytes, address) {
                    tracing::debug!(error = &error as &dyn Error, link = open.link_name, %address, "not sent");
                }
            }
        }
    }
}

/// Hands packets of one socket to the node.
async fn read(socket: Arc<UdpSocket>, link: u32, packets: mpsc::Sender<Incoming>) {
    let mut buffer = vec![0; socket::BUFFER];
    let mut pace = Bucket::new(READ);
    loop {
        let wait = pace.wait(now());
        if !wait.is_zero() {
            sleep(wait).await;
        }
        match socket::receive(&socket, &mut buffer).await {
            Ok(received) => {
                pace.take(1, now());
                let arrival =
                    Arrival { link, source: received.source, was_multicast: received.was_multicast };
                let bytes = buffer.get(..received.length).unwrap_or_default().to_vec();
                if packets.send(Incoming { arrival, bytes }).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                log_receive(&error, link);
                // Such as a link that went: its socket is closed soon.
                sleep(TRY_AGAIN.min(Duration::from_millis(100))).await;
            }
        }
    }
}

fn log_receive(error: &io::Error, link: u32) {
    tracing::debug!(error = error as &dyn Error, link, "not received");
}
