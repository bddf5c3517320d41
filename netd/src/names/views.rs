//! Who sees which names. Pure.

use super::APP_VIEW;
use crate::firewall::admission::Admission;
use crate::keeper::APP_DOMAIN;
use crate::keeper::run::KernelView;
use crate::keeper::run::View;
use model::names::HostName;
use resolver::DomainName;
use resolver::Views;
use resolver::view;
use resolver::view::Allow;
use resolver::view::LocalNames;
use resolver::view::Prefix;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Arc;

/// Every asker's view.
pub(super) fn views(keeper: &View, kernel: &KernelView, host_name: &HostName, serve_home: bool) -> Views {
    let own: Vec<IpAddr> = kernel.home_addresses.iter().copied().collect();
    let own_name = || host_name.local().parse::<DomainName>().ok().map(|name| (name, own.clone()));
    let mut views = BTreeMap::new();
    let everything = |name: &str| {
        Arc::new(view::View {
            name: name.to_owned(),
            allow: Allow::All,
            local: own_name().into_iter().collect(),
            mdns: true,
        })
    };
    let the_box = everything("box");
    for address in [IpAddr::from([127, 0, 0, 1]), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        views.insert(Prefix::from(address), Arc::clone(&the_box));
    }
    if serve_home {
        let home = everything("home");
        let four = kernel.home.networks4.iter().map(|(address, bits)| (IpAddr::V4(*address), *bits));
        let six = kernel.home.networks6.iter().map(|(address, bits)| (IpAddr::V6(*address), *bits));
        for (address, bits) in four.chain(six) {
            if let Some(prefix) = Prefix::new(address, bits) {
                views.insert(prefix, Arc::clone(&home));
            }
        }
    }
    for (app, admission) in &keeper.admissions.apps {
        let local = if admission.home { own_name() } else { None };
        let seen = Arc::new(of_app(format!("{APP_VIEW}{app}"), admission, local));
        for address in &admission.addresses {
            views.insert(Prefix::from(*address), Arc::clone(&seen));
        }
    }
    Views::new(views)
}

fn of_app(name: String, admission: &Admission, own: Option<(DomainName, Vec<IpAddr>)>) -> view::View {
    let neighbours = admission.apps.iter().filter_map(|(app, addresses)| {
        Some((format!("{app}.{APP_DOMAIN}").parse().ok()?, addresses.clone()))
    });
    let local: LocalNames = neighbours.chain(own).collect();
    let allow = if admission.internet {
        Allow::All
    } else {
        Allow::Names(admission.names.iter().filter_map(|name| name.as_str().parse().ok()).collect())
    };
    view::View { name, allow, local, mdns: admission.home }
}
