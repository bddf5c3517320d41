//! Starts what the links need: their tasks, what is remembered of them, and the ear for routers.

use crate::clients::LinkTasks;
use crate::dhcp6;
use crate::documents;
use crate::follow::replace;
use crate::identity::Identity;
use crate::ipv4;
use crate::lease_book::LeaseBook;
use crate::moment::Clock;
use crate::mtu_before::MtuBefore;
use crate::reconcile::Memory;
use crate::routers;
use crate::saver::Saver;
use crate::trial::Trial;
use crate::words;
use model::names::HostName;
use model::network::link_settings::LinkSettings;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// What the reconciler is made of, as far as links are concerned.
#[derive(Debug)]
pub struct Parts {
    /// The tasks.
    pub tasks: LinkTasks,
    /// What is known from before.
    pub memory: Memory,
    /// Keeps the addresses that links had.
    pub leases: Saver<LeaseBook>,
    /// IPv4 addresses.
    pub ipv4: watch::Receiver<ipv4::Views>,
    /// DHCPv6.
    pub dhcp6: watch::Receiver<dhcp6::Views>,
    /// What routers told.
    pub told: watch::Receiver<routers::Told>,
}

/// Starts everything; must run inside the runtime. `state` is the folder for what must survive a reboot, `run` that for what must
/// survive a restart of netd. What cannot be read there is made anew, and said.
#[must_use]
pub fn start(state: &Path, run: &Path, clock: Clock, host_name: watch::Receiver<HostName>) -> Parts {
    let mut problems = Vec::new();
    let identity = identity(&state.join("identity.json"), &mut problems);
    let leases = state.join("leases.json");
    let book = documents::read(&leases).unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn Error, "addresses from before are not known");
        None
    });
    let memory = Memory {
        book: book.unwrap_or_default(),
        mtu_before: MtuBefore::load(&run.join("mtu.json")),
        ipv6_secret: identity.ipv6_secret(),
        problems,
    };
    let ipv4 = watch::Sender::new(ipv4::Views::new());
    let dhcp6 = watch::Sender::new(dhcp6::Views::new());
    let told = watch::Sender::new(routers::Told::new());
    let told_to = told.subscribe();
    drop(tokio::spawn(routers::listen(clock, told)));
    Parts {
        ipv4: ipv4.subscribe(),
        dhcp6: dhcp6.subscribe(),
        told: told_to,
        tasks: LinkTasks::new(clock, identity, host_name, ipv4, dhcp6),
        memory,
        leases: Saver::start(leases),
    }
}

/// Without a place to keep it, the box is another one to DHCP servers after every start; that is better than no network.
fn identity(path: &Path, problems: &mut Vec<String>) -> Identity {
    Identity::load(path)
        .or_else(|error| {
            tracing::error!(error = &error as &dyn Error, "the identity lasts only until the next start");
            problems.push(words::chain(&error));
            Identity::fleeting()
        })
        .unwrap_or_else(|error| {
            tracing::error!(
                error = &error as &dyn Error,
                "the identity is the same for all boxes in this state"
            );
            Identity::nameless()
        })
}

/// Keeps the wishes for links: the link of the box's own wireless network first, then what the owner chose. Ends with the owner's settings.
pub async fn choose(
    mut trial: watch::Receiver<Trial>,
    mut own: watch::Receiver<Option<LinkSettings>>,
    to: watch::Sender<Arc<[LinkSettings]>>,
) {
    loop {
        let own_link = own.borrow_and_update().clone();
        let chosen = trial.borrow_and_update().in_force().links.clone();
        let all: Arc<[LinkSettings]> = own_link.into_iter().chain(chosen).collect();
        to.send_if_modified(|now| replace(now, all));
        // Both are cancel safe: what was not taken is seen by the next `changed`.
        let changed = tokio::select! {
            changed = trial.changed() => changed,
            Ok(()) = own.changed() => Ok(()),
        };
        if changed.is_err() {
            return;
        }
    }
}
