//! The resolver itself: what the rest of the box holds and calls.

mod answering;
mod lookup;

use crate::cache::Cache;
use crate::config::Limits;
use crate::config::Settings;
use crate::config::Timing;
use crate::config::UpstreamError;
use crate::name::DomainName;
use crate::quota::Quota;
use crate::reply::Reply;
use crate::stats::Counters;
use crate::stats::Stats;
use crate::tls::ClockState;
use crate::tls::TlsError;
use crate::tls::Trust;
use crate::upstream::pool::Pool;
use crate::validate::Validator;
use crate::view::Permission;
use crate::view::Views;
pub(crate) use answering::Begun;
pub(crate) use answering::Over;
use futures_util::future::BoxFuture;
use hickory_proto::dnssec::TrustAnchors;
pub use lookup::ResolveError;
use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// An answer with addresses that a client is about to get.
#[derive(Clone, Copy, Debug)]
pub struct Granted<'a> {
    /// Name of the client's view.
    pub view: &'a str,
    /// Who asked.
    pub client: IpAddr,
    /// For which name.
    pub name: &'a DomainName,
    /// Why it may.
    pub permission: Permission<'a>,
    /// What the answer lets the client connect to: A, AAAA, and the hints of SVCB and HTTPS.
    pub addresses: &'a [IpAddr],
    /// How long the client may use them.
    pub ttl: Duration,
}

/// Told of every answer with addresses before the client gets it, and waited for.
///
/// This is where addresses are let through the firewall. A refusal, or more than [`Timing::helper`], makes the answer SERVFAIL.
pub trait Observer: Send + Sync {
    /// Prepares for the client to use these addresses.
    fn granted<'a>(&'a self, granted: Granted<'a>)
    -> BoxFuture<'a, Result<(), Box<dyn Error + Send + Sync>>>;
}

/// Looks up `.local` names on the home network.
pub trait MdnsResolver: Send + Sync {
    /// The addresses of a name; empty when nobody on the network has it, an error when the network could not be asked.
    fn resolve<'a>(
        &'a self,
        name: &'a DomainName,
    ) -> BoxFuture<'a, Result<Vec<IpAddr>, Box<dyn Error + Send + Sync>>>;
}

/// What the resolver is given once, at the start.
#[derive(Clone)]
pub struct Surroundings {
    /// How long anything may take.
    pub timing: Timing,
    /// How much may be going on at once, and be kept.
    pub limits: Limits,
    /// Keys of the root zone (or, in tests, of other zones) from which everything is proved.
    pub trust_anchors: Arc<TrustAnchors>,
    /// Whether the clock has been set from outside already.
    pub clock_synchronised: bool,
    /// Told of every answer with addresses.
    pub observer: Option<Arc<dyn Observer>>,
    /// Looks up `.local` names; without it there are none.
    pub mdns: Option<Arc<dyn MdnsResolver>>,
}

impl Default for Surroundings {
    /// The root's built-in keys, nobody told, a clock that is not set.
    fn default() -> Self {
        Self {
            timing: Timing::default(),
            limits: Limits::default(),
            trust_anchors: Arc::new(TrustAnchors::default()),
            clock_synchronised: false,
            observer: None,
            mdns: None,
        }
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("timing", &self.timing)
            .field("limits", &self.limits)
            .field("clock_synchronised", &self.clock_synchronised)
            .finish_non_exhaustive()
    }
}

/// Why settings cannot be used; nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// An upstream makes no sense.
    #[error("set the upstreams")]
    Upstream {
        /// What is wrong with it.
        #[source]
        source: UpstreamError,
    },
    /// TLS cannot be set up.
    #[error("prepare encryption")]
    Tls {
        /// Why.
        #[source]
        source: TlsError,
    },
}

/// The resolver; clones are the same one.
#[derive(Clone, Debug)]
pub struct Resolver {
    core: Arc<Core>,
}

/// An answer with the moment it was made.
#[derive(Debug)]
pub(crate) struct Kept {
    reply: Arc<Reply>,
    since: Instant,
}

pub(crate) struct Core {
    pub(crate) timing: Timing,
    limits: Limits,
    anchors: Arc<TrustAnchors>,
    clock: ClockState,
    observer: Option<Arc<dyn Observer>>,
    mdns: Option<Arc<dyn MdnsResolver>>,
    state: Mutex<State>,
    cache: Mutex<Cache<Kept>>,
    under_way: lookup::UnderWay,
    questions: Arc<Quota>,
    multicast: Arc<Quota>,
    pub(crate) connections: Arc<Quota>,
    pub(crate) counters: Counters,
}

/// What the owner's settings and the box's state make of the resolver.
struct State {
    settings: Arc<Settings>,
    validator: Validator,
    views: Arc<Views>,
    /// Counts up whenever what was learned before is void.
    generation: u64,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}

impl Resolver {
    /// A resolver without views: it answers nobody until [`Resolver::set_views`].
    ///
    /// # Errors
    /// When an upstream of the settings makes no sense or an extra root is no certificate.
    pub fn new(settings: Settings, surroundings: Surroundings) -> Result<Self, SettingsError> {
        let Surroundings { timing, limits, trust_anchors, clock_synchronised, observer, mdns } = surroundings;
        let clock = ClockState::new(clock_synchronised);
        let pool = pool_of(&settings, &clock, timing)?;
        let validator = Validator::new(pool, Arc::clone(&trust_anchors), limits.chain_cache);
        let state = State { settings: Arc::new(settings), validator, views: Arc::default(), generation: 0 };
        Ok(Self {
            core: Arc::new(Core {
                timing,
                limits,
                anchors: trust_anchors,
                clock,
                observer,
                mdns,
                state: Mutex::new(state),
                cache: Mutex::new(Cache::new(limits.cache)),
                under_way: lookup::UnderWay::default(),
                questions: Quota::new(limits.questions, limits.questions_per_client),
                multicast: Quota::new(limits.multicast, limits.multicast_per_client),
                connections: Quota::new(limits.connections, limits.connections_per_client),
                counters: Counters::default(),
            }),
        })
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Answers a message that came by some other way, such as DNS over HTTPS (RFC 8484); `None`: say nothing.
    ///
    /// The answer is as large as it has to be. The client's view and limits apply as anywhere else.
    pub async fn answer(&self, message: &[u8], client: IpAddr) -> Option<Vec<u8>> {
        match self.core.begin(message, client, Over::Stream) {
            Begun::Silence => None,
            Begun::Now(answer) => Some(answer),
            Begun::Later(answer) => Some(answer.await),
        }
    }

    /// Replaces what every client may resolve. Answers that are kept stay: who may have them is asked each time.
    pub fn set_views(&self, views: Views) {
        self.core.counters.keep_views(|name| views.names().any(|other| other == name));
        self.core.state().views = Arc::new(views);
    }

    /// Replaces the owner's settings; when they differ, everything learned before is forgotten.
    ///
    /// # Errors
    /// When they make no sense; the old ones stay.
    pub fn set_settings(&self, settings: Settings) -> Result<(), SettingsError> {
        if *self.core.state().settings == settings {
            return Ok(());
        }
        let pool = pool_of(&settings, &self.core.clock, self.core.timing)?;
        self.core.state().settings = Arc::new(settings);
        self.core.start_over(pool);
        Ok(())
    }

    /// Says whether the clock has been set. A change forgets everything that was learned under the other clock, with its connections.
    pub fn set_clock_synchronised(&self, synchronised: bool) {
        if self.core.clock.set(synchronised) != synchronised {
            self.network_changed();
        }
    }

    /// The box has another network: connections are made anew, failing upstreams tried again, answers forgotten.
    pub fn network_changed(&self) {
        let settings = Arc::clone(&self.core.state().settings);
        match pool_of(&settings, &self.core.clock, self.core.timing) {
            Ok(pool) => self.core.start_over(pool),
            Err(error) => tracing::error!(error = &error as &dyn Error, "connecting anew to the upstreams"),
        }
    }

    /// Forgets every answer, key and delegation.
    pub fn flush(&self) {
        let mut state = self.core.state();
        state.validator = state.validator.forgetful();
        state.generation += 1;
        drop(state);
        self.core.cache().clear();
    }

    /// What was counted since the start, and how the upstreams are doing.
    pub fn stats(&self) -> Stats {
        let mut stats = self.core.counters.snapshot();
        stats.upstreams = self.core.state().validator.pool().status();
        stats.cached = self.core.cache().size();
        stats
    }
}

impl Core {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, Cache<Kept>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_over(&self, pool: Pool) {
        let mut state = self.state();
        pool.count_on(state.validator.pool());
        state.validator = Validator::new(pool, Arc::clone(&self.anchors), self.limits.chain_cache);
        state.generation += 1;
        drop(state);
        self.cache().clear();
    }
}

fn pool_of(settings: &Settings, clock: &ClockState, timing: Timing) -> Result<Pool, SettingsError> {
    settings.check().map_err(|source| SettingsError::Upstream { source })?;
    let tls = Trust::new(&settings.extra_roots, clock.clone())
        .and_then(|trust| trust.client_config())
        .map_err(|source| SettingsError::Tls { source })?;
    Pool::new(&settings.upstreams, &tls, timing).map_err(|source| SettingsError::Upstream { source })
}
