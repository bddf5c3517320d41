//! What hickory's validator asks: the upstreams, with a memory for keys and delegations.

use crate::cache::Cache;
use crate::cache::CacheLimits;
use crate::chain;
use crate::name::DomainName;
use crate::upstream::connection::EncryptedOnly;
use crate::upstream::pool::NoAnswer;
use crate::upstream::pool::Pool;
use futures_util::Stream;
use futures_util::stream;
use hickory_net::DnsError;
use hickory_net::DnsHandle;
use hickory_net::NetError;
use hickory_proto::op::DnsRequest;
use hickory_proto::op::DnsResponse;
use hickory_proto::op::Message;
use hickory_proto::op::Query;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RData;
use hickory_proto::rr::RecordType;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// Keys and delegations are asked again after this at the latest: a false one must not last.
const MAX_CHAIN_AGE: Duration = Duration::from_mins(5);
/// Links of a chain are kept for the questions that follow at once.
const LINK_AGE: Duration = Duration::from_secs(5);

/// The upstreams as a handle.
#[derive(Clone, Debug)]
pub(crate) struct Forward(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Pool,
    /// Answers as they came, before validation, in wire form.
    known: Mutex<Cache<Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    message: Arc<[u8]>,
    since: Instant,
}

impl Forward {
    pub(crate) fn new(pool: Pool, limits: CacheLimits) -> Self {
        Self(Arc::new(Inner { pool, known: Mutex::new(Cache::new(limits)) }))
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// Forgets keys and delegations; connections stay.
    pub(crate) fn flush(&self) {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// One link of an answer: the data of a name, its alias, or that it has none. Nothing is proved.
    pub(crate) async fn ask(&self, mut question: Message) -> Result<Message, NoAnswer> {
        let Some(query) = question.queries.first().cloned() else { return Err(NoAnswer::ServFail) };
        // The validator asks for delegations without signatures; remembered, they must serve who wants them too.
        question.edns.get_or_insert_default().set_dnssec_ok(true);
        if let Some(known) = self.recall(&query) {
            return Ok(known);
        }
        let answer = self.0.pool.ask(question).await?;
        let mut links = chain::split(&answer).into_iter();
        let first = links.next().ok_or(NoAnswer::ServFail)?;
        if matches!(query.query_type, RecordType::DS | RecordType::DNSKEY | RecordType::NS) {
            self.remember(&first, lifetime(&first).min(MAX_CHAIN_AGE));
        }
        for link in links {
            self.remember(&link, lifetime(&link).min(LINK_AGE));
        }
        Ok(first)
    }

    fn recall(&self, query: &Query) -> Option<Message> {
        let now = Instant::now();
        let known =
            self.0.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key_of(query), now)?.clone();
        let mut message = Message::from_vec(&known.message).ok()?;
        let age = u32::try_from(now.duration_since(known.since).as_secs()).unwrap_or(u32::MAX);
        for record in message.answers.iter_mut().chain(&mut message.authorities) {
            record.decrement_ttl(age);
        }
        Some(message)
    }

    fn remember(&self, link: &Message, lifetime: Duration) {
        let (Some(query), Ok(message)) = (link.queries.first(), link.to_vec()) else { return };
        let since = Instant::now();
        let size = message.len() + size_of::<Known>();
        let known = Known { message: message.into(), since };
        let mut cache = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(&key_of(query), known, size, since + lifetime);
    }
}

fn key_of(query: &Query) -> Vec<u8> {
    let mut key = DomainName::from(&query.name).as_wire().to_vec();
    key.extend(u16::from(query.query_type).to_be_bytes());
    key
}

/// How long an answer may be used (RFC 2308 section 5 for "there is none").
fn lifetime(answer: &Message) -> Duration {
    let seconds = if answer.answers.is_empty() {
        answer.authorities.iter().find_map(|record| {
            let RData::SOA(soa) = &record.data else { return None };
            Some(record.ttl.min(soa.minimum))
        })
    } else {
        answer.answers.iter().map(|record| record.ttl).min()
    };
    Duration::from_secs(seconds.unwrap_or(0).into())
}

impl DnsHandle for Forward {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = EncryptedOnly;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let forward = self.clone();
        Box::pin(stream::once(async move {
            let (question, _) = request.into_parts();
            match forward.ask(question).await {
                Ok(answer) => Ok(DnsResponse::from_message(answer)?),
                Err(NoAnswer::Unreachable) => Err(NetError::NoConnections),
                Err(NoAnswer::ServFail) => Err(DnsError::ResponseCode(ResponseCode::ServFail).into()),
            }
        }))
    }
}
