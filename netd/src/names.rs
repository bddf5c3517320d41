//! Name service: the resolver with the box's settings, the apps' views, and the addresses it answers at.
//!
//! | asks from | sees |
//! |---|---|
//! | the box (127.0.0.1, ::1) | everything |
//! | an app that may ask | what its grants name; other apps it may reach as `<app>.internal` |
//! | the home network, when the owner turned it on | everything |
//! | anybody else | is refused |

mod listen;
mod views;

use crate::apps::addressing::GATEWAY4;
use crate::keeper::run::Ask;
use crate::keeper::run::KernelView;
use crate::keeper::run::Lesson;
use crate::keeper::run::View;
use crate::trial::Trial;
use futures_util::future::BoxFuture;
use hostapi::net1::DnsCertificate;
use hostapi::net1::Net1Error;
use listen::Secure;
use model::names::HostName;
use model::network::settings::ResolverSettings;
use model::network::settings::Transport;
use resolver::Granted;
use resolver::Listeners;
use resolver::Observer;
use resolver::Resolver;
use resolver::Surroundings;
use resolver::config::HTTPS_PORT;
use resolver::config::Protocol;
use resolver::config::TLS_PORT;
use resolver::config::Upstream;
use resolver::resolver::SettingsError;
use resolver::view::Permission;
use std::collections::BTreeSet;
use std::error::Error;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::time::sleep;

/// Port of plaintext DNS, for askers on this box and at home.
const PORT: u16 = 53;
/// Begin of the names of apps' views.
const APP_VIEW: &str = "app:";
/// Path of DNS over HTTPS where none is given (RFC 8484 section 4.1.1 has it in its examples).
const DEFAULT_PATH: &str = "/dns-query";
/// Wait before an address that could not be listened at is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Where the name service's news comes from.
#[derive(Debug)]
pub struct Inputs {
    /// The owner's settings.
    pub trial: watch::Receiver<Trial>,
    /// Apps that may ask.
    pub keeper: watch::Receiver<View>,
    /// The home network.
    pub kernel: watch::Receiver<KernelView>,
    /// The certificate for the home network.
    pub certificate: watch::Receiver<Option<DnsCertificate>>,
    /// The box's name.
    pub host_name: watch::Receiver<HostName>,
    /// Whether the clock can be relied on.
    pub clock_is_right: watch::Receiver<bool>,
}

/// Tells the keeper of addresses before an app hears of them.
#[derive(Debug)]
pub struct Teacher {
    /// To the keeper.
    pub keeper: mpsc::Sender<Ask>,
}

/// Why an answer is held back.
#[derive(Debug, thiserror::Error)]
pub enum NotTaught {
    /// The pattern that matched is none of ours.
    #[error("{0} is no name that was granted")]
    Name(String),
    /// The keeper has ended.
    #[error("netd is stopping")]
    Stopping,
}

impl Observer for Teacher {
    fn granted<'a>(
        &'a self,
        granted: Granted<'a>,
    ) -> BoxFuture<'a, Result<(), Box<dyn Error + Send + Sync>>> {
        Box::pin(async move {
            let (Some(app), Permission::Pattern(pattern)) =
                (granted.view.strip_prefix(APP_VIEW), granted.permission)
            else {
                return Ok(());
            };
            let pattern = pattern.to_string();
            let lesson = Lesson {
                app: app.parse()?,
                name: pattern.parse().map_err(|_invalid| NotTaught::Name(pattern))?,
                addresses: granted.addresses.to_vec(),
                ttl: granted.ttl,
            };
            let (answer, answered) = oneshot::channel();
            self.keeper.send(Ask::Learn(lesson, answer)).await.map_err(|_closed| NotTaught::Stopping)?;
            answered.await.map_err(|_gone| NotTaught::Stopping)??;
            Ok(())
        })
    }
}

/// Keeps the resolver as settings, apps, home network and clock are, until the settings' sender is gone.
pub async fn run(resolver: Resolver, mut inputs: Inputs) {
    let mut listeners = Listeners::new(resolver.clone());
    let mut secure = Secure::default();
    let mut settings = None;
    let mut seen = BTreeSet::new();
    let mut told = BTreeSet::new();
    loop {
        let wanted = inputs.trial.borrow_and_update().in_force().resolver.clone();
        if settings.as_ref() != Some(&wanted) {
            if let Err(error) = resolver.set_settings(translate(&wanted)) {
                // They were checked before they were kept: this is a mistake of ours, and the upstreams before are as encrypted.
                tracing::error!(error = &error as &dyn Error, "settings of the resolver not taken");
            }
            settings = Some(wanted.clone());
        }
        resolver.set_clock_synchronised(*inputs.clock_is_right.borrow_and_update());
        let view = inputs.keeper.borrow_and_update().clone();
        let kernel = inputs.kernel.borrow_and_update().clone();
        if seen != kernel.home_addresses {
            // What failed before may work from here.
            resolver.network_changed();
            seen.clone_from(&kernel.home_addresses);
        }
        let host_name = inputs.host_name.borrow_and_update().clone();
        let certificate = inputs.certificate.borrow_and_update().clone();
        let home: BTreeSet<IpAddr> =
            if wanted.serve_lan { kernel.home_addresses.clone() } else { BTreeSet::new() };
        resolver.set_views(views::views(&view, &kernel, &host_name, wanted.serve_lan));
        let mut addresses: BTreeSet<IpAddr> = home.clone();
        addresses.extend([IpAddr::from([127, 0, 0, 1]), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)]);
        addresses.extend([IpAddr::V4(GATEWAY4), IpAddr::V6(view.prefix6.gateway())]);
        let plain = addresses.iter().map(|address| SocketAddr::new(*address, PORT)).collect();
        let mut problems = listeners.set(&plain);
        problems.extend(secure.set(&resolver, certificate.as_ref(), &home));
        let words: BTreeSet<String> = problems.iter().map(|problem| crate::words::chain(problem)).collect();
        for problem in words.difference(&told) {
            tracing::warn!(problem, "no name service there; trying on");
        }
        told = words;
        let again =
            async { if problems.is_empty() { std::future::pending().await } else { sleep(TRY_AGAIN).await } };
        // All are cancel safe: what was not taken is seen by the next `changed`.
        let is_over = tokio::select! {
            changed = inputs.trial.changed() => changed.is_err(),
            changed = inputs.keeper.changed() => changed.is_err(),
            changed = inputs.kernel.changed() => changed.is_err(),
            changed = inputs.certificate.changed() => changed.is_err(),
            changed = inputs.host_name.changed() => changed.is_err(),
            changed = inputs.clock_is_right.changed() => changed.is_err(),
            () = again => false,
        };
        if is_over {
            return;
        }
    }
}

/// From the owner's words to the resolver's.
#[must_use]
pub fn translate(settings: &ResolverSettings) -> resolver::Settings {
    let upstreams = settings.upstreams.iter().map(|upstream| {
        let (port, protocol) = match &upstream.transport {
            Transport::Tls { port } => (port.map_or(TLS_PORT, Into::into), Protocol::Tls),
            Transport::Https { port, path } => {
                let path = path.clone().unwrap_or_else(|| DEFAULT_PATH.to_owned());
                (port.map_or(HTTPS_PORT, Into::into), Protocol::Https { path })
            }
        };
        Upstream {
            name: upstream.server_name.to_string(),
            addresses: upstream.addresses.clone(),
            port,
            protocol,
            server_name: upstream.server_name.to_string(),
        }
    });
    let upstreams: Vec<Upstream> = upstreams.collect();
    let defaults = resolver::Settings::default();
    // Every pattern of the model is one of the resolver; one that were not would allow nothing.
    let allowed = settings.private_names.iter().filter_map(|name| name.as_str().parse().ok());
    resolver::Settings {
        upstreams: if upstreams.is_empty() { defaults.upstreams } else { upstreams },
        extra_roots: Vec::new(),
        rebinding_allowed: allowed.collect(),
    }
}

/// The resolver with the owner's settings. With settings that it does not take (they are checked before they are kept, but a file
/// may be of another version) it has the built-in ones, and the reason comes with it: names are better found so than not at all.
///
/// # Errors
/// When it cannot be made with the built-in ones either.
pub fn begin(
    settings: &ResolverSettings,
    surroundings: Surroundings,
) -> Result<(Resolver, Option<String>), SettingsError> {
    match Resolver::new(translate(settings), surroundings.clone()) {
        Ok(resolver) => Ok((resolver, None)),
        Err(error) => {
            let problem = crate::words::chain(&error);
            let problem = format!("the chosen name servers are not used, the built-in ones are: {problem}");
            Ok((Resolver::new(resolver::Settings::default(), surroundings)?, Some(problem)))
        }
    }
}

/// Whether the resolver takes these settings. Asked before they are kept: it must start with them at the next boot.
///
/// # Errors
/// [`Net1Error::InvalidDocument`] with the reason.
pub fn check_settings(settings: &ResolverSettings) -> Result<(), Net1Error> {
    translate(settings).check().map_err(|error| Net1Error::InvalidDocument(crate::words::chain(&error)))
}

/// Whether a certificate can be used.
///
/// # Errors
/// [`Net1Error::InvalidDocument`] with the reason.
pub fn check(certificate: &DnsCertificate) -> Result<(), Net1Error> {
    let used = listen::server_config(certificate);
    used.map(drop).map_err(|error| Net1Error::InvalidDocument(crate::words::chain(&error)))
}

#[cfg(test)]
mod tests;
