//! One upstream: its connection, shared by the questions under way, and how it has been doing.

use super::connection::Connection;
use super::connection::Endpoint;
use super::health::Failure;
use super::health::Health;
use super::health::Rest;
use super::health::Tried;
use super::pool::UpstreamState;
use super::pool::UpstreamStatus;
use super::pool::usable;
use crate::config::Timing;
use crate::config::Upstream;
use crate::config::UpstreamError;
use hickory_proto::op::Message;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::error::Error;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::sleep_until;
use tokio::time::timeout_at;

/// An upstream.
#[derive(Debug)]
pub(super) struct Member {
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
    /// Which of the upstream's addresses it leads to.
    address: usize,
    usage: Arc<Mutex<Usage>>,
}

#[derive(Clone, Copy, Debug)]
struct Usage {
    last_question: Instant,
    last_answer: Option<Instant>,
    /// Questions without an answer yet.
    waiting: usize,
}

/// A question that was not answered.
struct Failed {
    reason: Failure,
    circumstance: Circumstance,
    address: usize,
}

/// What is known of the connection on which a question failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Circumstance {
    /// It was made for this question, or could not be.
    Fresh,
    /// It was there before: the other side may have been closing it, as servers do with idle ones.
    Reused,
    /// Other questions were answered on it meanwhile: this name is slow, not the upstream.
    Lively,
}

impl Member {
    pub(super) fn new(upstream: &Upstream, tls: Arc<ClientConfig>) -> Result<Self, UpstreamError> {
        Ok(Self {
            server_name: upstream.check()?,
            upstream: upstream.clone(),
            tls,
            health: Mutex::new(Health::new()),
            connection: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn status(&self) -> UpstreamStatus {
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
    pub(super) async fn ask(
        self: &Arc<Self>,
        question: &Message,
        until: Instant,
        timing: &Timing,
    ) -> Result<Message, Failure> {
        self.health().queries += 1;
        let result = match self.ask_once(question, until, timing).await {
            Err(Failed { reason: Failure::Closes, circumstance: Circumstance::Reused, .. })
                if Instant::now() < until =>
            {
                self.ask_once(question, until, timing).await
            }
            result => result,
        };
        let failed = match result {
            Ok(answer) => {
                self.health().succeeded();
                return Ok(answer);
            }
            Err(failed) => failed,
        };
        if failed.reason != Failure::Busy && failed.circumstance != Circumstance::Lively {
            let tried = Tried { address: failed.address, of: self.upstream.addresses.len() };
            let rest = Rest { first: timing.first_rest, longest: timing.longest_rest };
            self.health().failed(failed.reason.clone(), tried, Instant::now(), rest);
            let error = &failed.reason as &dyn Error;
            tracing::debug!(upstream = self.upstream.name, error, "an upstream failed");
        }
        Err(failed.reason)
    }

    async fn ask_once(
        self: &Arc<Self>,
        question: &Message,
        until: Instant,
        timing: &Timing,
    ) -> Result<Message, Failed> {
        let address = self.health().address;
        let connected = timeout_at(until, self.connected(timing)).await.unwrap_or(Err(Failure::Silent));
        let (shared, fresh) =
            connected.map_err(|reason| Failed { reason, circumstance: Circumstance::Fresh, address })?;
        let started = Instant::now();
        let waiting = Waiting::begin(&shared.usage, started);
        let answer = timeout_at(until, shared.connection.ask(question.clone())).await;
        let reason = match answer.unwrap_or(Err(Failure::Silent)).and_then(|answer| usable(question, answer))
        {
            Ok(answer) => {
                waiting.answered();
                return Ok(answer);
            }
            Err(reason) => reason,
        };
        let circumstance = if reason == Failure::Silent && waiting.others_were_answered(started) {
            Circumstance::Lively
        } else if fresh {
            Circumstance::Fresh
        } else {
            Circumstance::Reused
        };
        drop(waiting);
        let still_good = matches!(reason, Failure::Busy | Failure::RefusesQuestions);
        if !still_good && circumstance != Circumstance::Lively {
            self.forget(&shared.connection).await;
        }
        Err(Failed { reason, circumstance, address: shared.address })
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
        let connection = Arc::new(Connection::open(&endpoint, timing.whole_question).await?);
        let usage = Usage { last_question: Instant::now(), last_answer: None, waiting: 0 };
        let shared = Shared { connection, address, usage: Arc::new(Mutex::new(usage)) };
        let (weak, usage) = (Arc::downgrade(&shared.connection), Arc::clone(&shared.usage));
        tokio::spawn(close_when_idle(Arc::downgrade(self), weak, usage, timing.idle_upstream));
        *place = Some(shared.clone());
        Ok((shared, true))
    }

    async fn forget(&self, connection: &Arc<Connection>) {
        let mut place = self.connection.lock().await;
        if place.as_ref().is_some_and(|now| Arc::ptr_eq(&now.connection, connection)) {
            *place = None;
        }
    }
}

/// A question under way on a connection.
struct Waiting<'a>(&'a Mutex<Usage>);

impl<'a> Waiting<'a> {
    fn begin(usage: &'a Mutex<Usage>, now: Instant) -> Self {
        let mut used = usage.lock().unwrap_or_else(PoisonError::into_inner);
        used.waiting += 1;
        used.last_question = now;
        Self(usage)
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
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.waiting = used.waiting.saturating_sub(1);
    }
}

/// Lives as long as the connection is used; wakes only when it could be idle.
async fn close_when_idle(
    member: Weak<Member>,
    connection: Weak<Connection>,
    usage: Arc<Mutex<Usage>>,
    idle: Duration,
) {
    loop {
        let used = *usage.lock().unwrap_or_else(PoisonError::into_inner);
        let closes_at = used.last_question + idle;
        let now = Instant::now();
        if now < closes_at || used.waiting > 0 {
            sleep_until(closes_at.max(now + idle / 4)).await;
            continue;
        }
        if let (Some(member), Some(connection)) = (member.upgrade(), connection.upgrade()) {
            member.forget(&connection).await;
        }
        return;
    }
}
