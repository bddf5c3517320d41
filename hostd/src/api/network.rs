//! The home network: how it is, who may reach what, and what the owner chose for it. netd knows; this asks.

pub(crate) mod dns;
mod link;
pub(crate) mod profile;
pub(crate) mod schema;
pub(crate) mod settings;
pub(crate) mod wifi;

use super::Call;
use super::error::ApiError;
use super::error::ErrorBody;
use super::json_reply;
use super::query::Query;
use crate::net::AskError;
use crate::web::Reply;
use hyper::StatusCode;
use link::Link;
use model::network::endpoint::Endpoint;
use model::network::report;
use model::network::wifi::WifiReport;
use serde::Serialize;
use std::error::Error;

/// The network.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub(crate) struct Network {
    /// Name under which the box is found on the home network, without `.local`.
    hostname: String,
    /// Links.
    links: Vec<Link>,
    /// What does not work, in plain words; empty when all is well.
    reasons: Vec<String>,
    /// The name on the home network; none while the network service does not say.
    #[schema(value_type = Option<schema::NameReport>)]
    name: Option<report::NameReport>,
    /// Name service.
    #[schema(value_type = Option<schema::ResolverReport>)]
    resolver: Option<report::ResolverReport>,
    /// The clock.
    #[schema(value_type = Option<schema::TimeReport>)]
    time: Option<report::TimeReport>,
    /// Packet filter.
    #[schema(value_type = Option<schema::FirewallReport>)]
    firewall: Option<report::FirewallReport>,
    /// Apps with a network.
    #[schema(value_type = Vec<schema::AppReport>)]
    apps: Vec<report::AppReport>,
    /// Wi-Fi; none while the network service does not say.
    #[schema(value_type = Option<schema::WifiReport>)]
    wifi: Option<WifiReport>,
    /// Seconds until the settings on trial are taken back; none when all are confirmed.
    trial_seconds_left: Option<u32>,
}

/// The network's state, as netd sees it.
///
/// The summary of links comes from what netd showed last; the rest is asked for, and where netd cannot say it, it is null with a
/// reason.
#[utoipa::path(
    get,
    path = "/network",
    params(("part" = Option<String>, Query, description = "`links`: without resolver, time, firewall and apps, for who asks often")),
    responses(
        (status = 200, body = Network),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`network_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn show_network(call: Call) -> Result<Reply, ApiError> {
    let part = part(&call.query)?;
    let (mut report, mut reasons) = match call.app.netd.report().await {
        Ok(report) => {
            let reasons = report.reasons.clone();
            (Some(report), reasons)
        }
        Err(error) if error.is_absence() => return Err(error.into()),
        Err(error) => {
            tracing::warn!(error = &error as &dyn Error, "there is no report on the network");
            (None, vec!["the network service does not say how names, time and firewall are".to_owned()])
        }
    };
    let view = call.app.network.borrow().clone();
    let hostname = view.reachable_name(&call.app.chosen_name()).to_string();
    let reported = report.as_mut().map(|report| std::mem::take(&mut report.links)).unwrap_or_default();
    let links = link::links(view.links, reported);
    let told: Vec<String> = view.reasons.into_iter().filter(|reason| !reasons.contains(reason)).collect();
    reasons.extend(told);
    let mut network = Network { hostname, links, reasons, ..Network::default() };
    if let Some(report) = report {
        network.name = Some(report.name);
        network.trial_seconds_left = report.trial_seconds_left;
        // The password of the box's own network is on its screen; everybody who is logged in sees this page.
        network.wifi = Some(WifiReport { access_point: None, ..report.wifi });
        if part == Part::Whole {
            network.resolver = Some(report.resolver);
            network.time = Some(report.time);
            network.firewall = Some(report.firewall);
            network.apps = report.apps;
        }
    }
    json_reply(StatusCode::OK, &network)
}

/// How much of the network's state is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Links,
}

fn part(query: &str) -> Result<Part, ApiError> {
    match Query::parse(query, &["part"])?.get("part") {
        None => Ok(Part::Whole),
        Some("links") => Ok(Part::Links),
        Some(_) => Err(ApiError::field("part", "part can only be links.")),
    }
}

/// Who may reach what, as in force now.
#[utoipa::path(
    get,
    path = "/network/policy",
    responses(
        (status = 200, body = schema::AppPolicy),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 503, body = ErrorBody, description = "`network_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn show_policy(call: Call) -> Result<Reply, ApiError> {
    json_reply(StatusCode::OK, &in_force(&call, |view| view.app_policy.clone())?)
}

/// Something that netd shows, while netd is there to stand by it.
fn in_force<T>(call: &Call, pick: impl Fn(&crate::net::NetworkView) -> Option<T>) -> Result<T, ApiError> {
    let shown = pick(&call.app.network.borrow());
    shown.filter(|_| call.app.netd.is_there()).ok_or_else(|| AskError::Away.into())
}

/// Whether one end may reach another, and by which rule.
#[utoipa::path(
    get,
    path = "/network/explain",
    params(
        ("from" = String, Query, description = "`app:<key>`, `box`, `lan`, `internet`, `internet:<domain>` or `mesh`"),
        ("to" = String, Query, description = "the same, also with a port behind it: `app:db tcp/5432`"),
    ),
    responses(
        (status = 200, body = schema::Explanation),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 404, body = ErrorBody, description = "`unknown_app`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`network_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn explain(call: Call) -> Result<Reply, ApiError> {
    let query = Query::parse(&call.query, &["from", "to"])?;
    let end = |name: &'static str| -> Result<Endpoint, ApiError> {
        query.require(name)?.parse().map_err(|error| ApiError::field(name, format!("{name}: {error}.")))
    };
    let (from, to) = (end("from")?, end("to")?);
    if from.port.is_some() {
        return Err(ApiError::field("from", "from takes no port: only what is reached has one."));
    }
    json_reply(StatusCode::OK, &call.app.netd.explain(&from, &to).await?)
}
