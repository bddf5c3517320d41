//! Asking one server once: thin I/O around [`crate::reply`] and [`crate::nts`].
//!
//! Every question goes out from a new socket, so that its port is random (RFC 9109), and the socket is connected, so that
//! the kernel drops what comes from elsewhere. Answers that a stranger could have sent are skipped until the time is up.

use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use tokio::net::UdpSocket;
use tokio::time::Instant;
use tokio::time::timeout;
use tokio::time::timeout_at;

use crate::clock::ClockError;
use crate::clock::SystemClock;
use crate::discipline::Outcome;
use crate::discipline::Pause;
use crate::nts::Session;
use crate::nts::certificate::Dates;
use crate::nts::exchange::ExchangeError;
use crate::nts::exchange::exchange;
use crate::nts::fields;
use crate::nts::fields::FieldError;
use crate::nts::fields::Randomness;
use crate::packet;
use crate::reply::Asked;
use crate::reply::Kiss;
use crate::reply::Rejected;
use crate::reply::Sample;
use crate::reply::judge;
use crate::resolve::CertificateDates;
use crate::resolve::Resolve;
use crate::resolve::ResolveError;
use crate::settings::Protocol;
use crate::settings::Server;
use crate::time::Span;
use crate::time::Timestamp;

const NTP_PORT: u16 = 123;
const EXCHANGE_PORT: u16 = 4460;
/// A server that is further away than this says nothing of use.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
const RESOLVE_WITHIN: Duration = Duration::from_secs(15);
const EXCHANGE_WITHIN: Duration = Duration::from_secs(15);
/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 8;
/// Failures in a row before the next address is tried.
const PATIENCE: u32 = 2;
/// Answers that a stranger could have sent, before the rest is not looked at: no stranger shall keep the box busy.
const MOST_FORGED: u32 = 64;

/// What asking needs beside the server.
#[derive(Debug)]
pub(crate) struct Means<R, C> {
    pub(crate) resolver: R,
    pub(crate) clock: C,
    pub(crate) roots: Arc<RootCertStore>,
    pub(crate) built: Timestamp,
}

/// What is remembered of a server between questions.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    addresses: VecDeque<IpAddr>,
    failures: u32,
    keys: Option<Keys>,
}

/// Keys, and where they are good.
#[derive(Debug)]
struct Keys {
    session: Session,
    time_server: SocketAddr,
}

/// Why there is no measurement.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    #[error("its name cannot be looked up")]
    Resolve(#[source] ResolveError),
    #[error("looking its name up takes too long")]
    ResolveTimeout,
    #[error("its name has no address")]
    NoAddress,
    #[error("the key exchange fails")]
    Exchange(#[source] ExchangeError),
    #[error("the key exchange takes too long")]
    ExchangeTimeout,
    #[error("it cannot be asked")]
    Socket(#[source] io::Error),
    #[error("no random numbers for a question")]
    Random(#[source] getrandom::Error),
    #[error("the question does not fit into a packet")]
    Question,
    #[error("it does not answer")]
    Silent,
    #[error("its answer does not count")]
    Rejected(#[source] Rejected),
    #[error("its answer does not count")]
    Fields(#[source] FieldError),
    #[error("its time is not within the dates of its certificate")]
    OutsideCertificate,
    #[error(transparent)]
    Clock(#[from] ClockError),
}

impl QueryError {
    fn pause(&self) -> Pause {
        match self {
            Self::Rejected(Rejected::Kiss(Kiss::Rate)) => Pause::Slower,
            Self::Rejected(Rejected::Kiss(Kiss::Deny | Kiss::Restricted)) => Pause::Long,
            // A network that is not there is no reason to wait long.
            Self::Exchange(ExchangeError::Connect(..)) => Pause::None,
            Self::Exchange(_) | Self::ExchangeTimeout | Self::OutsideCertificate => Pause::Growing,
            Self::Resolve(_)
            | Self::ResolveTimeout
            | Self::NoAddress
            | Self::Socket(_)
            | Self::Random(_)
            | Self::Question
            | Self::Silent
            | Self::Rejected(_)
            | Self::Fields(_)
            | Self::Clock(_) => Pause::None,
        }
    }

    /// The error and its causes in one line.
    fn in_words(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}

/// Asks a server and puts what comes of it in the machine's words. The peer comes back with what was learnt.
pub(crate) async fn query<R: Resolve, C: SystemClock>(
    server: &Server,
    peer: &mut Peer,
    means: &Means<R, C>,
    dates: Dates,
) -> (Option<IpAddr>, Outcome) {
    match ask(server, peer, means, dates).await {
        Ok((address, sample)) => {
            peer.failures = 0;
            (Some(address), Outcome::Measured(sample))
        }
        Err(error) => {
            peer.failures = peer.failures.saturating_add(1);
            if peer.failures.is_multiple_of(PATIENCE) {
                peer.addresses.pop_front();
            }
            // Keys that bring no answer are used up, cookie by cookie. New ones again and again would not help.
            let used_up = peer.keys.as_ref().is_some_and(|keys| keys.session.cookies.is_empty());
            let pause = if used_up { Pause::Growing } else { error.pause() };
            (None, Outcome::Failed { why: error.in_words(), pause })
        }
    }
}

async fn ask<R: Resolve, C: SystemClock>(
    server: &Server,
    peer: &mut Peer,
    means: &Means<R, C>,
    dates: Dates,
) -> Result<(IpAddr, Sample), QueryError> {
    if peer.addresses.is_empty() {
        peer.addresses = addresses(&server.name, means, dates).await?.into();
    }
    let address = *peer.addresses.front().ok_or(QueryError::NoAddress)?;
    let port = server.port.map(std::num::NonZeroU16::get);
    match server.protocol {
        Protocol::Plain => {
            let sample = ask_plainly(SocketAddr::new(address, port.unwrap_or(NTP_PORT)), means).await?;
            Ok((address, sample))
        }
        Protocol::Nts => {
            let usable = peer.keys.take_if(|keys| !keys.session.cookies.is_empty());
            let exchange_at = SocketAddr::new(address, port.unwrap_or(EXCHANGE_PORT));
            let mut keys = match usable {
                Some(keys) => keys,
                None => get_keys(&server.name, exchange_at, means, dates).await?,
            };
            let asked = ask_with_keys(&mut keys, means, dates).await;
            let address = keys.time_server.ip();
            let forgotten =
                matches!(asked, Err(QueryError::Fields(FieldError::Nak) | QueryError::OutsideCertificate));
            peer.keys = (!forgotten).then_some(keys);
            Ok((address, asked?))
        }
    }
}

async fn addresses<R: Resolve, C>(
    name: &str,
    means: &Means<R, C>,
    dates: Dates,
) -> Result<Vec<IpAddr>, QueryError> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    let dates = match dates {
        Dates::Known(_) => CertificateDates::Count,
        Dates::Doubtful { .. } => CertificateDates::Doubtful,
    };
    let looked_up = timeout(RESOLVE_WITHIN, means.resolver.resolve(name, dates)).await;
    let mut found = looked_up.map_err(|_late| QueryError::ResolveTimeout)?.map_err(QueryError::Resolve)?;
    found.truncate(MOST_ADDRESSES);
    if found.is_empty() { Err(QueryError::NoAddress) } else { Ok(found) }
}

async fn get_keys<R: Resolve, C>(
    name: &str,
    address: SocketAddr,
    means: &Means<R, C>,
    dates: Dates,
) -> Result<Keys, QueryError> {
    let exchanged = timeout(EXCHANGE_WITHIN, exchange(name, address, Arc::clone(&means.roots), dates)).await;
    let (session, granted) =
        exchanged.map_err(|_late| QueryError::ExchangeTimeout)?.map_err(QueryError::Exchange)?;
    let host = match &granted.server {
        Some(name) => *addresses(name, means, dates).await?.first().ok_or(QueryError::NoAddress)?,
        None => address.ip(),
    };
    let time_server = SocketAddr::new(host, granted.port.map_or(NTP_PORT, std::num::NonZeroU16::get));
    Ok(Keys { session, time_server })
}

async fn ask_plainly<R, C: SystemClock>(
    address: SocketAddr,
    means: &Means<R, C>,
) -> Result<Sample, QueryError> {
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(QueryError::Random)?;
    let nonce = u64::from_be_bytes(nonce);
    let exchange = Exchange::send(address, &packet::question(nonce), means).await?;
    exchange
        .receive(|bytes, sent, received| {
            let judged = judge(bytes, &Asked { nonce, sent, received, built: means.built });
            judged.map_err(|rejected| (QueryError::Rejected(rejected), rejected.may_be_forged()))
        })
        .await
}

async fn ask_with_keys<R, C: SystemClock>(
    keys: &mut Keys,
    means: &Means<R, C>,
    dates: Dates,
) -> Result<Sample, QueryError> {
    let session = &mut keys.session;
    let random = randomness()?;
    let cookie = session.cookies.pop_front().ok_or(QueryError::Question)?;
    let question = fields::question(&random, &session.client_key, &cookie, session.cookies.len())
        .ok_or(QueryError::Question)?;
    let exchange = Exchange::send(keys.time_server, &question, means).await?;
    let received = exchange.receive(|bytes, sent, received| {
        let cookies = fields::open(bytes, &random.identifier, &session.server_key)
            .map_err(|error| (QueryError::Fields(error), true))?;
        let asked = Asked { nonce: random.nonce, sent, received, built: means.built };
        let sample = judge(bytes, &asked).map_err(|rejected| (QueryError::Rejected(rejected), false))?;
        Ok((cookies, sample, received))
    });
    let (cookies, sample, received) = received.await?;
    for cookie in cookies {
        session.keep(cookie);
    }
    let is_doubtful = matches!(dates, Dates::Doubtful { .. });
    if is_doubtful && !session.validity.covers(received + sample.offset) {
        return Err(QueryError::OutsideCertificate);
    }
    Ok(sample)
}

fn randomness() -> Result<Randomness, QueryError> {
    let mut random = Randomness { nonce: 0, identifier: [0; fields::IDENTIFIER], seal: [0; 16] };
    let mut nonce = [0; 8];
    for bytes in [&mut nonce[..], &mut random.identifier, &mut random.seal] {
        getrandom::fill(bytes).map_err(QueryError::Random)?;
    }
    random.nonce = u64::from_be_bytes(nonce);
    Ok(random)
}

/// A question that is out.
struct Exchange {
    socket: UdpSocket,
    sent: Timestamp,
    at: Instant,
}

impl Exchange {
    async fn send<R, C: SystemClock>(
        address: SocketAddr,
        question: &[u8],
        means: &Means<R, C>,
    ) -> Result<Self, QueryError> {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await.map_err(QueryError::Socket)?;
        socket.connect(address).await.map_err(QueryError::Socket)?;
        let sent = means.clock.read()?;
        let at = Instant::now();
        socket.send(question).await.map_err(QueryError::Socket)?;
        Ok(Self { socket, sent, at })
    }

    /// Waits for an answer that `judge` takes. It says of every other one why, and whether a stranger could have sent it.
    async fn receive<T>(
        self,
        mut judge: impl FnMut(&[u8], Timestamp, Timestamp) -> Result<T, (QueryError, bool)>,
    ) -> Result<T, QueryError> {
        let deadline = self.at + ANSWER_WITHIN;
        let mut buffer = [0; fields::LONGEST_ANSWER];
        let mut last = QueryError::Silent;
        for _ in 0..MOST_FORGED {
            let Ok(received) = timeout_at(deadline, self.socket.recv(&mut buffer)).await else { break };
            let length = received.map_err(QueryError::Socket)?;
            let received = self.sent + Span::from(self.at.elapsed());
            match judge(&buffer[..length], self.sent, received) {
                Ok(taken) => return Ok(taken),
                Err((error, true)) => last = error,
                Err((error, false)) => return Err(error),
            }
        }
        Err(last)
    }
}

#[cfg(feature = "rooted")]
#[cfg(test)]
mod rooted;
