//! One pass: read the kernel, work out what it should have, change it, tell what came of it.

use super::FIRST_RETRY;
use super::Inputs;
use super::LONGEST_RETRY;
use super::PERIODIC;
use super::Reason;
use super::Reconciler;
use crate::apply::apply;
use crate::clients::Clients;
use crate::clients::Wanted;
use crate::desired::Wishes;
use crate::desired::desired;
use crate::desired::find_settings;
use crate::dhcp6;
use crate::follow::replace;
use crate::ipv4;
use crate::keeper::run::KernelView;
use crate::kernel::Kernel;
use crate::knob::Knob;
use crate::link_report;
use crate::link_report::Knowledge;
use crate::mdns;
use crate::moment::Moment;
use crate::observe::Kind;
use crate::observe::Link;
use crate::observe::Observed;
use crate::plan::Plan;
use crate::plan::plan;
use crate::resolv;
use crate::routers;
use crate::status;
use crate::status::Context;
use crate::words;
use model::network::link_report::LinkReport;
use model::network::link_settings::LinkSettings;
use model::network::link_settings::MacAddress;
use std::collections::BTreeSet;
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What the tasks and the owner said, at one moment.
struct News {
    settings: Arc<[LinkSettings]>,
    ipv4: ipv4::Views,
    dhcp6: dhcp6::Views,
    told: routers::Told,
}

const fn mac_bytes(link: &Link) -> Option<[u8; 6]> {
    match link.kind {
        Kind::Ethernet { mac } => Some(mac),
        Kind::Loopback | Kind::Other => None,
    }
}

fn mac_of(link: &Link) -> Option<MacAddress> {
    mac_bytes(link).and_then(|mac| MacAddress::new(mac).ok())
}

impl<K: Kernel, C: Clients> Reconciler<K, C> {
    #[tracing::instrument(name = "pass", skip_all, fields(activation_reason = ?reason))]
    pub(super) async fn pass(&mut self, reason: Reason, inputs: &mut Inputs) {
        let mut reasons = self.memory.problems.clone();
        let announced = inputs.announced.borrow_and_update().clone();
        let news = News {
            settings: Arc::clone(&inputs.settings.borrow_and_update()),
            ipv4: inputs.ipv4.borrow_and_update().clone(),
            dhcp6: inputs.dhcp6.borrow_and_update().clone(),
            told: inputs.told.borrow_and_update().clone(),
        };
        let observed = self.bring_about(&news, &mut reasons).await;
        self.write_name_servers(&mut reasons);
        reasons.extend(announced.problem);
        reasons.extend(self.outputs.leases.problem());
        let Some(observed) = observed else {
            self.plan_next_pass(false);
            // The kernel did not answer: the links shown last stay, with the reason beside them.
            self.outputs.status.send_modify(|status| {
                let status = Arc::make_mut(status);
                status.state = hostapi::net1::State::Degraded;
                status.reasons = reasons;
            });
            return;
        };
        self.outputs.link_addresses.send_if_modified(|now| replace(now, mdns::link_addresses(&observed)));
        self.outputs.kernel.send_modify(|view| *view = KernelView::of(&observed, view.reading + 1));
        self.note_leases(&news.ipv4, &observed);
        let now = self.clock.now();
        self.wall.observe(wall_time(), now);
        let resting = observed.links.iter().map(|link| link.index);
        let resting = resting.filter(|index| self.guard.rests_until(*index, now).is_some()).collect();
        self.wake_after_rest(&observed, now);
        self.plan_next_pass(reasons.is_empty());
        let knowledge = Knowledge {
            settings: &news.settings,
            ipv4: &news.ipv4,
            dhcp6: &news.dhcp6,
            told: &news.told,
            resting: &resting,
            wall: self.wall,
            now,
        };
        let latest: Arc<[LinkReport]> = link_report::reports(&observed, &knowledge).into();
        self.outputs.reports.send_if_modified(|shown| replace(shown, latest));
        reasons.extend(link_report::reasons(&observed, &knowledge));
        let context =
            Context { ipv4: &news.ipv4, host_name: &announced.name, reasons: &reasons, wall: self.wall };
        let latest = status::status(&observed, context);
        self.outputs.status.send_if_modified(|shown| replace(shown, Arc::new(latest)));
    }

    /// Observe, plan, apply, observe again; none when the kernel could not be read.
    async fn bring_about(&mut self, news: &News, reasons: &mut Vec<String>) -> Option<Observed> {
        let leases = news.ipv4.iter().filter(|(_, view)| view.lease.is_some()).map(|(index, _)| *index);
        self.had_lease.extend(leases);
        let leases = news.dhcp6.iter().filter(|(_, view)| view.lease.is_some()).map(|(index, _)| *index);
        self.had_lease_6.extend(leases);
        let before = self.observe(reasons).await?;
        let now = self.clock.now();
        let exists = |index: u32| before.link(index).is_some();
        self.had_lease.retain(|index| exists(*index));
        self.had_lease_6.retain(|index| exists(*index));
        self.guard.retain(exists);
        self.follow(news, &before);
        let wishes = Wishes {
            settings: &news.settings,
            ipv4: &news.ipv4,
            dhcp6: &news.dhcp6,
            had_lease: &self.had_lease,
            had_lease_6: &self.had_lease_6,
            mtu_before: self.memory.mtu_before.all(),
            ipv6_secret: self.memory.ipv6_secret,
        };
        let wanted = desired(&before, &wishes);
        self.memory.mtu_before.update(&before, &wanted.mtus);
        let is_repair = wanted == self.wanted_last;
        let plan = self.hold_back(plan(&wanted, &before, now));
        self.wanted_last = wanted;
        if plan.is_empty() {
            return Some(before);
        }
        tracing::debug!(?plan, "changing the kernel");
        let report = apply(&self.kernel, &plan).await;
        for failure in &report.failures {
            tracing::warn!(error = failure as &dyn Error, "change refused");
            reasons.push(words::chain(failure));
        }
        // What the kernel refuses is tried again, and no fight.
        if is_repair && report.failures.is_empty() {
            plan.links().into_iter().for_each(|index| self.guard.note_repair(index, now));
        }
        self.ask_routers(&plan, &before);
        self.observe(reasons).await
    }

    /// A link that has to be repaired again and again is left alone for a while.
    fn hold_back(&self, plan: Plan) -> Plan {
        let now = self.clock.now();
        let resting = plan.links().into_iter().filter(|index| self.guard.rests_until(*index, now).is_some());
        let resting = resting.collect();
        plan.without(&resting)
    }

    fn follow(&mut self, news: &News, observed: &Observed) {
        let wanted: Vec<Wanted> =
            observed.links.iter().map(|link| self.wanted(link, &news.settings)).collect();
        self.clients.follow(&wanted);
        for address in observed.addresses.iter().filter(|address| address.is_duplicate) {
            if let IpAddr::V6(v6) = address.address {
                self.clients.note_duplicate(address.index, v6);
            }
        }
    }

    fn wanted(&self, link: &Link, settings: &[LinkSettings]) -> Wanted {
        let settings = find_settings(settings, link);
        let remembered = mac_of(link).and_then(|mac| self.memory.book.address(mac));
        Wanted {
            link: link.clone(),
            ipv4: settings.map(|settings| settings.ipv4().clone()).unwrap_or_default(),
            ipv6: settings.map(|settings| settings.ipv6().clone()).unwrap_or_default(),
            remembered,
        }
    }

    /// A changed preference counts from the next advertisement on, so one is asked for.
    fn ask_routers(&mut self, plan: &Plan, observed: &Observed) {
        let is_heard = |knob: Knob| matches!(knob, Knob::AcceptRouters | Knob::RouterMetric);
        let links: BTreeSet<u32> =
            plan.knobs.iter().filter(|new| is_heard(new.knob)).map(|new| new.index).collect();
        for link in links.iter().filter_map(|index| observed.link(*index)).filter(|link| link.has_carrier) {
            self.clients.ask_routers(link);
        }
    }

    fn note_leases(&mut self, views: &ipv4::Views, observed: &Observed) {
        let mut is_news = false;
        for (index, view) in views {
            let mac = observed.link(*index).and_then(mac_of);
            if let (Some(lease), Some(mac)) = (&view.lease, mac) {
                is_news |= self.memory.book.note(mac, lease.terms.address);
            }
        }
        if is_news {
            self.outputs.leases.put(self.memory.book.clone());
        }
    }

    /// When a rest is over, it shows whether the rival is still there.
    fn wake_after_rest(&mut self, observed: &Observed, now: Moment) {
        let ends: Vec<Moment> =
            observed.links.iter().filter_map(|link| self.guard.rests_until(link.index, now)).collect();
        for end in ends {
            self.wake_by(end);
        }
    }

    /// Makes a pass no later than this, whatever the present one comes to.
    fn wake_by(&mut self, moment: Moment) {
        let instant = self.clock.instant(moment);
        self.latest_pass = Some(self.latest_pass.map_or(instant, |latest| latest.min(instant)));
    }

    async fn observe(&self, reasons: &mut Vec<String>) -> Option<Observed> {
        match self.kernel.observe().await {
            Ok(observed) => Some(observed),
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "the kernel was not read");
                reasons.push(words::chain(&error));
                None
            }
        }
    }

    fn plan_next_pass(&mut self, all_is_well: bool) {
        self.retry_after = match (all_is_well, self.retry_after) {
            (true, _) => None,
            (false, None) => Some(FIRST_RETRY),
            (false, Some(last)) => Some((last * 2).min(LONGEST_RETRY)),
        };
        let (wait, reason) =
            self.retry_after.map_or((PERIODIC, Reason::Periodic), |wait| (wait, Reason::Retry));
        self.next_pass = Instant::now() + wait;
        self.idle_reason = reason;
        if let Some(latest) = self.latest_pass.take() {
            self.next_pass = self.next_pass.min(latest);
        }
    }

    fn write_name_servers(&mut self, reasons: &mut Vec<String>) {
        if self.has_name_servers {
            return;
        }
        match resolv::write(&self.outputs.resolv_conf) {
            Ok(()) => self.has_name_servers = true,
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "the name server is not written down");
                reasons.push(words::chain(&error));
            }
        }
    }
}

fn wall_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0))
}
