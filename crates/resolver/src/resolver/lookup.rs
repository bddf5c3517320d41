//! Public names: the cache, then the upstreams; each question once, however many ask it.

use super::Core;
use super::Kept;
use super::Resolver;
use super::answering::leads_inside;
use crate::name::DomainName;
use crate::rebinding;
use crate::reply::Reason;
use crate::reply::Reply;
use crate::request::Code;
use crate::request::qtype;
use crate::special;
use crate::special::Special;
use crate::validate::Found;
use crate::validate::LookupError;
use crate::validate::Proving;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::future::Shared;
use futures_util::future::WeakShared;
use futures_util::future::join;
use hickory_proto::rr::RData;
use hickory_proto::rr::Record;
use hickory_proto::rr::RecordType;
use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;
use tokio::time::timeout;

/// Seconds that a name with inside addresses stays blocked before it is looked at again.
const BLOCKED_AGE: u32 = 60;
/// Failures are remembered for a moment, so that a client that insists does not make the box insist (RFC 9520 section 3.2).
const FAILURE_AGE: u32 = 1;
/// The same of false answers.
const FALSE_AGE: u32 = 5;

/// Questions that upstreams are being asked.
pub(super) type UnderWay = Mutex<HashMap<UnderWayKey, WeakShared<Answering>>>;
/// The generation of the box's state goes before the question: who asks after a change does not wait for what was asked before it.
type UnderWayKey = (u64, Box<[u8]>);
type Answering = BoxFuture<'static, Arc<Reply>>;

/// Why a name has no addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// It does not exist, or has no addresses.
    #[error("{name} has no address")]
    NoAddress {
        /// The name.
        name: DomainName,
    },
    /// Its addresses are inside the home and may not be.
    #[error("{name} points inside the home")]
    Blocked {
        /// The name.
        name: DomainName,
    },
    /// Multicast DNS is busy or does not run.
    #[error("the home network could not be asked for {name}")]
    HomeNotAsked {
        /// The name.
        name: DomainName,
    },
    /// It could not be found out.
    #[error("look up {name}")]
    Lookup {
        /// The name.
        name: DomainName,
        /// Why.
        #[source]
        source: LookupError,
    },
}

impl Resolver {
    /// The addresses of a name for the box itself, IPv4 first; views do not apply, everything else does.
    ///
    /// # Errors
    /// When there are none or they cannot be found out.
    pub async fn resolve(&self, name: &DomainName) -> Result<Vec<IpAddr>, ResolveError> {
        let core = self.core();
        match special::classify(name, qtype::A) {
            Some(Special::Localhost) => {
                return Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
            }
            Some(Special::Mdns) => {
                let found = match &core.mdns {
                    Some(mdns) => timeout(core.timing.helper, mdns.resolve(name)).await,
                    None => Ok(Ok(Vec::new())),
                };
                let Ok(Ok(found)) = found else {
                    return Err(ResolveError::HomeNotAsked { name: name.clone() });
                };
                return if found.is_empty() { Err(no_address(name)) } else { Ok(found) };
            }
            Some(Special::NoData | Special::NoName | Special::Ipv4OnlyArpa) => return Err(no_address(name)),
            None => {}
        }
        let (four, six) = join(
            Arc::clone(core).lookup(name, qtype::A, false),
            Arc::clone(core).lookup(name, qtype::AAAA, false),
        )
        .await;
        let addresses: Vec<IpAddr> = four.addresses.iter().chain(&*six.addresses).copied().collect();
        if !addresses.is_empty() {
            return Ok(addresses);
        }
        let name = name.clone();
        Err(match (four.reason, six.reason) {
            (Some(Reason::Blocked), _) | (_, Some(Reason::Blocked)) => ResolveError::Blocked { name },
            (Some(Reason::DnssecBogus), _) | (_, Some(Reason::DnssecBogus)) => {
                ResolveError::Lookup { name, source: LookupError::Bogus }
            }
            _ if four.code == Code::ServFail || six.code == Code::ServFail => {
                let reached = four.reason != Some(Reason::NoReachableAuthority);
                let source = if reached { LookupError::ServFail } else { LookupError::Unreachable };
                ResolveError::Lookup { name, source }
            }
            _ => ResolveError::NoAddress { name },
        })
    }

    /// The addresses of a time server, which has to be found before the clock can be set.
    ///
    /// While the clock is not set no signature can be judged, so that nothing else resolves; this does, without DNSSEC, over TLS as
    /// ever. A lying upstream can then choose whom the box asks for the time, which is why time has to prove itself (NTS). With the
    /// clock set this is [`Resolver::resolve`].
    ///
    /// # Errors
    /// As [`Resolver::resolve`].
    pub async fn resolve_for_time(&self, name: &DomainName) -> Result<Vec<IpAddr>, ResolveError> {
        let core = self.core();
        if core.clock.is_synchronised() || special::classify(name, qtype::A).is_some() {
            return self.resolve(name).await;
        }
        let validator = core.state().validator.clone();
        let ask = |kind| {
            let answer = validator.resolve(name.to_hickory(), kind, Proving::Waived);
            timeout(core.timing.whole_question, answer)
                .map(|in_time| in_time.unwrap_or(Err(LookupError::Unreachable)))
        };
        let (four, six) = join(ask(RecordType::A), ask(RecordType::AAAA)).await;
        let error = four.as_ref().err().copied();
        let found: Vec<Record> = [four, six].into_iter().flatten().flat_map(|found| found.answers).collect();
        let addresses: Vec<IpAddr> = found.iter().flat_map(rebinding::addresses_of).collect();
        match error {
            Some(source) if addresses.is_empty() => Err(ResolveError::Lookup { name: name.clone(), source }),
            _ if addresses.is_empty() => Err(no_address(name)),
            _ if addresses.iter().copied().any(rebinding::is_inside) && !core.may_lead_inside(name) => {
                core.counters.count(|stats| stats.rebinding_blocked += 1);
                Err(ResolveError::Blocked { name: name.clone() })
            }
            _ => Ok(addresses),
        }
    }
}

fn no_address(name: &DomainName) -> ResolveError {
    ResolveError::NoAddress { name: name.clone() }
}

/// What an answer is kept under: clients that want signatures get another one.
pub(super) fn key_of(name: &DomainName, kind: u16, dnssec_ok: bool) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.as_wire().len() + 3);
    key.extend(name.as_wire());
    key.extend(kind.to_be_bytes());
    key.push(u8::from(dnssec_ok));
    key
}

impl Core {
    /// A kept answer and its age in seconds.
    pub(super) fn recall(&self, key: &[u8]) -> Option<(Arc<Reply>, u32)> {
        let now = Instant::now();
        let mut cache = self.cache();
        let kept = cache.get(key, now)?;
        let age = u32::try_from(now.duration_since(kept.since).as_secs()).unwrap_or(u32::MAX);
        let found = (Arc::clone(&kept.reply), age);
        drop(cache);
        self.counters.count(|stats| stats.cache_hits += 1);
        Some(found)
    }

    /// The answer, from the cache, from a question under way, or from the upstreams.
    pub(super) async fn lookup(self: Arc<Self>, name: &DomainName, kind: u16, dnssec_ok: bool) -> Arc<Reply> {
        let key = key_of(name, kind, dnssec_ok);
        if let Some((reply, _)) = self.recall(&key) {
            return reply;
        }
        self.join_or_ask(key.into(), name, kind, dnssec_ok).await
    }

    fn join_or_ask(
        self: Arc<Self>,
        key: Box<[u8]>,
        name: &DomainName,
        kind: u16,
        dnssec_ok: bool,
    ) -> Shared<Answering> {
        let (validator, generation) = {
            let state = self.state();
            (state.validator.clone(), state.generation)
        };
        let key = (generation, key);
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = under_way.get(&key).and_then(WeakShared::upgrade) {
            return shared;
        }
        let entry = Entry { core: Arc::clone(&self), key: key.clone() };
        let core = Arc::clone(&self);
        let name = name.clone();
        let asking: Answering = async move {
            let answer = validator.resolve(name.to_hickory(), RecordType::from(kind), Proving::Required);
            let answer = timeout(core.timing.whole_question, answer).await;
            let answer = answer.unwrap_or(Err(LookupError::Unreachable));
            let reply = Arc::new(core.reply_of(&name, kind, dnssec_ok, answer));
            core.keep(&entry.key, &reply);
            drop(entry);
            reply
        }
        .boxed();
        let shared = asking.shared();
        if let Some(weak) = shared.downgrade() {
            under_way.insert(key, weak);
        }
        shared
    }

    /// An answer that was asked for under other settings is given to who waits for it, and not kept.
    fn keep(&self, (generation, key): &UnderWayKey, reply: &Arc<Reply>) {
        if self.state().generation == *generation {
            let since = Instant::now();
            let expires = since + Duration::from_secs(reply.lifetime.into());
            let size = reply.size();
            self.cache().insert(key, Kept { reply: Arc::clone(reply), since }, size, expires);
        }
    }

    fn reply_of(
        &self,
        name: &DomainName,
        kind: u16,
        dnssec_ok: bool,
        answer: Result<Found, LookupError>,
    ) -> Reply {
        let failed = |reason, lifetime| Reply::empty(Code::ServFail, reason).lasting(lifetime);
        let mut found = match answer {
            Ok(found) => found,
            Err(LookupError::Bogus) => {
                self.counters.count(|stats| stats.bogus += 1);
                return failed(Some(Reason::DnssecBogus), FALSE_AGE);
            }
            Err(LookupError::Unreachable) => return failed(Some(Reason::NoReachableAuthority), FAILURE_AGE),
            Err(LookupError::ServFail | LookupError::Endless) => return failed(None, FAILURE_AGE),
        };
        if leads_inside(&found.answers) && !self.may_lead_inside(name) {
            self.counters.count(|stats| stats.rebinding_blocked += 1);
            return Reply::empty(Code::NoError, Some(Reason::Blocked)).lasting(BLOCKED_AGE);
        }
        if !dnssec_ok {
            found.answers.retain(|record| !is_proof(record) || u16::from(record.record_type()) == kind);
            found.authorities.retain(|record| !is_proof(record));
        }
        let has_data = found.answers.iter().any(|record| u16::from(record.record_type()) == kind);
        let bounds = if has_data { self.limits.positive_ttl } else { self.limits.negative_ttl };
        for record in &mut found.authorities {
            // RFC 2308 section 5: "there is none" lasts as long as the zone says.
            if let RData::SOA(soa) = &record.data {
                record.ttl = record.ttl.min(soa.minimum);
            }
        }
        let code = if found.exists { Code::NoError } else { Code::NxDomain };
        match Reply::new(&name.to_hickory(), code, found.answers, found.authorities, bounds) {
            Ok(reply) => reply.proved(found.secure),
            Err(_too_large) => failed(Some(Reason::NotSupported), FAILURE_AGE),
        }
    }

    fn may_lead_inside(&self, name: &DomainName) -> bool {
        let settings = Arc::clone(&self.state().settings);
        settings.rebinding_allowed.iter().any(|pattern| pattern.matches(name))
    }
}

fn is_proof(record: &Record) -> bool {
    matches!(record.record_type(), RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3)
}

/// A question under way, taken off the list however it ends.
struct Entry {
    core: Arc<Core>,
    key: UnderWayKey,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.core.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
