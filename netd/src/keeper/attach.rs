//! Apps come and go.

use super::Keeper;
use super::KeeperError;
use crate::apps::addressing::GATEWAY4;
use crate::apps::addressing::Place;
use crate::apps::wiring::APP_LINK;
use crate::apps::wiring::Wiring;
use crate::firewall::filter::PacketFilter;
use crate::moment::Moment;
use hostapi::net1::NetworkNamespace;
use model::network::attachment::Attachment;
use model::network::names::AppKey;
use std::collections::BTreeSet;
use std::error::Error;
use std::net::IpAddr;

/// Names of apps that an app may reach lie below this one (reserved for private use by ICANN in 2024).
pub const APP_DOMAIN: &str = "internal";

impl<F: PacketFilter, W: Wiring> Keeper<F, W> {
    /// Wires up the namespace of an app of the policy. The order is what matters: the link carries nothing before the rules for
    /// it are in force, and the caller hears nothing before the link carries something.
    ///
    /// # Errors
    /// When a step fails; then nothing is left of the app's network.
    pub fn attach(
        &mut self,
        app: &AppKey,
        namespace: NetworkNamespace,
        now: Moment,
    ) -> Result<Attachment, KeeperError> {
        if !self.is_loaded {
            return Err(KeeperError::NoRules);
        }
        let (workspace, _) = self.policy.app(app).ok_or_else(|| KeeperError::NotInPolicy(app.clone()))?;
        let workspace = workspace.clone();
        let place = self.roster.join(app, &workspace)?;
        if let Err(error) = self.bring_up(place, namespace, now) {
            self.roster.leave(app);
            self.take_down(place);
            self.refresh(now);
            return Err(error);
        }
        self.keep_roster();
        Ok(self.attachment(app, place))
    }

    fn bring_up(
        &mut self,
        place: Place,
        namespace: NetworkNamespace,
        now: Moment,
    ) -> Result<(), KeeperError> {
        self.wiring.lay(place, self.prefix6, namespace)?;
        let policy = self.policy.clone();
        self.load(&policy, now)?;
        self.wiring.switch_on(place, self.prefix6)?;
        Ok(())
    }

    fn take_down(&mut self, place: Place) {
        if let Err(error) = self.wiring.remove(place) {
            tracing::error!(error = &error as &dyn Error, link = place.link(), "the link of an app stays");
        }
    }

    /// Takes an app's network away.
    ///
    /// # Errors
    /// When it has none, or the kernel refuses.
    pub fn detach(&mut self, app: &AppKey, now: Moment) -> Result<(), KeeperError> {
        let member = self.roster.leave(app).ok_or_else(|| KeeperError::NotAttached(app.clone()))?;
        let removed = self.wiring.remove(member.place);
        self.refresh(now);
        self.forget(member.place);
        self.keep_roster();
        removed?;
        Ok(())
    }

    /// The next app at this place must not take over connections of the one before.
    fn forget(&mut self, place: Place) {
        let addresses = [IpAddr::V4(place.ipv4()), IpAddr::V6(place.ipv6(self.prefix6))];
        if let Err(error) = self.filter.forget(&addresses) {
            tracing::warn!(
                error = &error as &dyn Error,
                link = place.link(),
                "connections of an app not forgotten"
            );
        }
    }

    /// Forgets apps whose link has gone with their namespace; says whether there were any. Links that were seen need not be asked for;
    /// one that was not may be newer than the look.
    pub fn notice_gone(&mut self, seen: &BTreeSet<String>, now: Moment) -> bool {
        let wiring = &mut self.wiring;
        let mut laid = BTreeSet::new();
        for (app, member) in self.roster.members() {
            if seen.contains(&member.place.link()) || wiring.is_laid(member.place) {
                laid.insert(app.clone());
            }
        }
        let gone = self.roster.retain(|app, _| laid.contains(app));
        for (app, _) in &gone {
            tracing::info!(%app, "the network namespace of an app has gone");
        }
        for (_, member) in &gone {
            self.forget(member.place);
        }
        if !gone.is_empty() {
            self.refresh(now);
            self.keep_roster();
        }
        !gone.is_empty()
    }

    fn attachment(&self, app: &AppKey, place: Place) -> Attachment {
        let (ipv4, ipv6, gateway6) = (place.ipv4(), place.ipv6(self.prefix6), self.prefix6.gateway());
        Attachment {
            ipv4,
            ipv6,
            gateway4: GATEWAY4,
            gateway6,
            link: APP_LINK.to_owned(),
            resolv_conf: format!("nameserver {GATEWAY4}\nnameserver {gateway6}\nsearch {APP_DOMAIN}\n"),
            hosts: format!("127.0.0.1 localhost\n::1 localhost\n{ipv4} {app}\n{ipv6} {app}\n"),
        }
    }
}
