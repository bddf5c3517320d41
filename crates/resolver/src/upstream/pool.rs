//! Asks the upstreams in turn until one answers.

use super::connection::Connection;
use super::connection::Endpoint;
use super::health;
use super::health::Failure;
use super::health::Health;
use super::health::Rest;
use super::health::Tried;
use crate::config::Timing;
use crate::config::Upstream;
use crate::config::UpstreamError;
use hickory_proto::op::Message;
use hickory_proto::op::MessageType;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::opt::EdnsCode;
use hickory_proto::rr::rdata::opt::EdnsOption;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use tokio::time::Instant;
use tokio::time::sleep_until;
use tokio::time::timeout_at;

/// Questions are padded to a multiple of this, so that their length says little (RFC 8467 section 4.1).
const PADDING_BLOCK: usize = 128;
/// Rounds over all upstreams before giving up; each goes to the next address of an upstream that failed.
const MAX_ROUNDS: usize = 3;

/// An upstream as it is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamStatus {
    /// What the owner calls it.
    pub name: String,
    /// How it is spoken to, in words.
    pub protocol: String,
    /// Whether it answers.
    pub state: UpstreamState,
    /// Questions it was asked.
    pub queries: u64,
    /// Questions it did not answer.
    pub failures: u64,
}

/// Whether an upstream answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamState {
    /// As far as the box knows.
    Ok,
    /// The last try failed.
    Failing {
        /// Why.
        reason: Failure,
    },
}

/// Nobody gave a usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// None was reached.
    #[error("no upstream answers")]
    Unreachable,
    /// At least one says that it cannot find out.
    #[error("the upstreams cannot find out")]
    ServFail,
}

/// All upstreams, in the owner's order.
#[derive(Debug)]
pub(crate) struct Pool {
    members: Vec<Arc<Member>>,
    timing: Timing,
}

#[derive(Debug)]
struct Member {
    upstream: Upstream,
    server_name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    health: Mutex<Health>,
    /// Held while connecting, so that questions that come meanwhile wait for the same connection.
    connection: tokio::sync::Mutex<Option<Shared>>,
}

/// The connection that questions share.
#[derive(Clone, Debug)]
struct Shared {
    connection: Arc<Connection>,
    address: usize,
    use_of: Arc<Mutex<Use>>,
}

#[derive(Clone, Copy, Debug)]
struct Use {
    last_question: Instant,
    last_answer: Option<Instant>,
    /// Questions without an answer yet.
    waiting: usize,
}

impl Pool {
    pub(crate) fn new(
        upstreams: &[Upstream],
        tls: &Arc<ClientConfig>,
        timing: Timing,
    ) -> Result<Self, UpstreamError> {
        if upstreams.len() > crate::config::MAX_UPSTREAMS {
            return Err(UpstreamError::Count { count: upstreams.len() });
        }
        let member = |upstream: &Upstream| {
            Ok(Arc::new(Member {
                server_name: upstream.check()?,
                upstream: upstream.clone(),
                tls: Arc::clone(tls),
                health: Mutex::new(Health::new()),
                connection: tokio::sync::Mutex::default(),
            }))
        };
        Ok(Self { members: upstreams.iter().map(member).collect::<Result<_, _>>()?, timing })
    }

    /// Goes on counting where `old` stopped, for upstreams that are in both.
    pub(crate) fn count_on(&self, old: &Self) {
        for member in &self.members {
            if let Some(before) = old.members.iter().find(|before| before.upstream == member.upstream) {
                let before = before.health().clone();
                let mut health = member.health();
                (health.queries, health.failures) = (before.queries, before.failures);
            }
        }
    }

    pub(crate) fn status(&self) -> Vec<UpstreamStatus> {
        self.members.iter().map(|member| member.status()).collect()
    }

    /// The first usable answer. Ends after [`Timing::whole_question`] at the latest.
    pub(crate) async fn ask(&self, mut question: Message) -> Result<Message, NoAnswer> {
        pad(&mut question);
        let deadline = Instant::now() + self.timing.whole_question;
        for _ in 0..MAX_ROUNDS {
            let mut cannot_find_out = false;
            for place in
                health::order(self.members.iter().map(|member| member.health().clone()), Instant::now())
            {
                let Some(member) = self.members.get(place) else { continue };
                let until = deadline.min(Instant::now() + self.timing.one_try);
                match member.ask(&question, until, &self.timing).await {
                    Ok(answer) if answer.response_code == ResponseCode::ServFail => cannot_find_out = true,
                    Ok(answer) => return Ok(answer),
                    Err(_failure) => {}
                }
                if Instant::now() >= deadline {
                    return Err(if cannot_find_out { NoAnswer::ServFail } else { NoAnswer::Unreachable });
                }
            }
            if cannot_find_out {
                return Err(NoAnswer::ServFail);
            }
        }
        Err(NoAnswer::Unreachable)
    }
}

impl Member {
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> UpstreamStatus {
        let health = self.health().clone();
        let state = match health.trouble {
            None => UpstreamState::Ok,
            Some(trouble) => UpstreamState::Failing { reason: trouble.reason },
        };
        UpstreamStatus {
            name: self.upstream.name.clone(),
            protocol: self.upstream.protocol.to_string(),
            state,
            queries: health.queries,
            failures: health.failures,
        }
    }

    /// Asks this upstream once; a connection that the other side had closed meanwhile is replaced without ado.
    async fn ask(
        self: &Arc<Self>,
        question: &Message,
        until: Instant,
        timing: &Timing,
    ) -> Result<Message, Failure> {
        self.health().queries += 1;
        let tried = self.health().address;
        let result = match self.ask_connection(question, until, timing).await {
            Err((Failure::Closes, Some(Age::Reused), _)) => {
                self.ask_connection(question, until, timing).await
            }
            result => result,
        };
        match result {
            Ok(answer) => {
                self.health().succeeded();
                Ok(answer)
            }
            // One slow name, or too much at once: not the upstream's failing.
            Err((reason @ Failure::Busy, ..)) | Err((reason, Some(Age::Lively), _)) => Err(reason),
            Err((reason, _, address)) => {
                let tried = Tried { address: address.unwrap_or(tried), of: self.upstream.addresses.len() };
                let rest = Rest { first: timing.first_rest, longest: timing.longest_rest };
                self.health().failed(reason.clone(), tried, Instant::now(), rest);
                tracing::debug!(upstream = %self.upstream.name, error = &reason as &dyn std::error::Error, "upstream failed");
                Err(reason)
            }
        }
    }

    async fn ask_connection(
        self: &Arc<Self>,
        question: &Message,
        until: Instant,
        timing: &Timing,
    ) -> Result<Message, (Failure, Option<Age>, Option<usize>)> {
        let silent = |_| (Failure::Silent, None, None);
        let (shared, fresh) = timeout_at(until, self.connected(timing))
            .await
            .map_err(silent)?
            .map_err(|failure| (failure, None, None))?;
        let started = Instant::now();
        let waiting = Waiting::begin(&shared.use_of, started);
        let answer = timeout_at(until, shared.connection.ask(question.clone())).await;
        let failure = match answer {
            Ok(Ok(answer)) => match usable(question, answer) {
                Ok(answer) => {
                    waiting.answered();
                    return Ok(answer);
                }
                Err(failure) => failure,
            },
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Silent,
        };
        let lively = waiting.others_were_answered(started);
        drop(waiting);
        let age = match (&failure, lively, fresh) {
            (Failure::Silent, true, _) => Some(Age::Lively),
            (_, _, false) => Some(Age::Reused),
            (_, _, true) => None,
        };
        if !matches!(failure, Failure::Busy | Failure::RefusesQuestions) && age != Some(Age::Lively) {
            self.forget(&shared).await;
        }
        Err((failure, age, Some(shared.address)))
    }

    /// The shared connection, made when there is none; says whether it was.
    async fn connected(self: &Arc<Self>, timing: &Timing) -> Result<(Shared, bool), Failure> {
        let mut place = self.connection.lock().await;
        if let Some(shared) = &*place
            && !shared.connection.is_over()
        {
            return Ok((shared.clone(), false));
        }
        let address = self.health().address;
        let socket = self.upstream.sockets().nth(address).ok_or(Failure::Unreachable)?;
        let endpoint = Endpoint {
            socket,
            protocol: self.upstream.protocol.clone(),
            server_name: self.server_name.clone(),
            tls: Arc::clone(&self.tls),
        };
        let connection = Arc::new(Connection::open(&endpoint, timing.one_try).await?);
        let now = Instant::now();
        let use_of = Arc::new(Mutex::new(Use { last_question: now, last_answer: None, waiting: 0 }));
        let shared = Shared { connection, address, use_of };
        tokio::spawn(close_when_idle(Arc::downgrade(self), shared.clone(), timing.idle_upstream));
        *place = Some(shared.clone());
        Ok((shared, true))
    }

    async fn forget(&self, shared: &Shared) {
        let mut place = self.connection.lock().await;
        if place.as_ref().is_some_and(|now| Arc::ptr_eq(&now.connection, &shared.connection)) {
            *place = None;
        }
    }
}

/// What is known of the connection on which a question failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    /// It was there before the question.
    Reused,
    /// Other questions were answered on it meanwhile.
    Lively,
}

/// A question under way on a connection.
struct Waiting<'a>(&'a Mutex<Use>);

impl<'a> Waiting<'a> {
    fn begin(use_of: &'a Mutex<Use>, now: Instant) -> Self {
        let mut now_used = use_of.lock().unwrap_or_else(PoisonError::into_inner);
        now_used.waiting += 1;
        now_used.last_question = now;
        Self(use_of)
    }

    fn answered(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last_answer = Some(Instant::now());
    }

    fn others_were_answered(&self, since: Instant) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last_answer.is_some_and(|answer| answer > since)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting -= 1;
    }
}

async fn close_when_idle(member: Weak<Member>, shared: Shared, idle: std::time::Duration) {
    let Shared { connection, address, use_of } = shared;
    let connection = {
        let weak = Arc::downgrade(&connection);
        drop(connection);
        weak
    };
    loop {
        let now_used = *use_of.lock().unwrap_or_else(PoisonError::into_inner);
        let closes_at = now_used.last_question + idle;
        if Instant::now() < closes_at || now_used.waiting > 0 {
            sleep_until(closes_at.max(Instant::now() + idle / 4)).await;
            continue;
        }
        if let (Some(member), Some(connection)) = (member.upgrade(), connection.upgrade()) {
            member.forget(&Shared { connection, address, use_of }).await;
        }
        return;
    }
}

/// The answer, if it is one to this question.
fn usable(question: &Message, answer: Message) -> Result<Message, Failure> {
    let repeats = answer.queries.len() == 1 && answer.queries == question.queries;
    if answer.message_type != MessageType::Response || answer.truncation {
        return Err(Failure::Nonsense);
    }
    let code = answer.response_code;
    if code == ResponseCode::ServFail
        || repeats && matches!(code, ResponseCode::NoError | ResponseCode::NXDomain)
    {
        Ok(answer)
    } else if matches!(code, ResponseCode::Refused | ResponseCode::NotImp | ResponseCode::NotAuth) {
        Err(Failure::RefusesQuestions)
    } else {
        Err(Failure::Nonsense)
    }
}

/// RFC 7830: zeros, as many as make the whole a multiple of the block.
fn pad(question: &mut Message) {
    let Some(edns) = question.edns.as_mut() else { return };
    edns.options_mut().remove(EdnsCode::Padding);
    let Ok(bytes) = question.to_vec() else { return };
    let bare = bytes.len() + 4;
    let missing = bare.next_multiple_of(PADDING_BLOCK) - bare;
    let padding = EdnsOption::Unknown(u16::from(EdnsCode::Padding), vec![0; missing]);
    if let Some(edns) = question.edns.as_mut() {
        edns.options_mut().insert(padding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::Query;
    use hickory_proto::rr::Name;
    use hickory_proto::rr::RecordType;

    fn question(name: &str) -> Message {
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
        message.edns.get_or_insert_default().set_dnssec_ok(true);
        message
    }

    #[test]
    fn questions_have_few_lengths() {
        for name in ["a.example.", "a-much-longer-name.of-many-labels.example.com."] {
            let mut question = question(name);
            pad(&mut question);
            pad(&mut question);
            assert_eq!(question.to_vec().unwrap().len(), 128);
        }
    }

    #[test]
    fn an_answer_to_something_else_is_nonsense() {
        let asked = question("a.example.");
        let mut answer = asked.clone().into_response();
        assert_eq!(usable(&asked, answer.clone()).unwrap(), answer);
        answer.metadata.response_code = ResponseCode::Refused;
        assert_eq!(usable(&asked, answer), Err(Failure::RefusesQuestions));
        assert_eq!(usable(&asked, question("b.example.").into_response()), Err(Failure::Nonsense));
        assert_eq!(usable(&asked, asked.clone()), Err(Failure::Nonsense));
        let mut cut = asked.clone().into_response();
        cut.metadata.truncation = true;
        assert_eq!(usable(&asked, cut), Err(Failure::Nonsense));
    }
}
