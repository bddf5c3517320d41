//! What the owner chose for the network. A change is on trial at first: if it cuts the owner off, nobody confirms it, and netd
//! takes it back.

use super::schema;
use crate::api::Call;
use crate::api::error::ApiError;
use crate::api::error::ErrorBody;
use crate::api::error::sentence;
use crate::api::json_reply;
use crate::api::query::Query;
use crate::net::NetworkView;
use crate::web::Reply;
use crate::web::empty_reply;
use hyper::StatusCode;
use model::network::settings::InvalidSettings;
use model::network::settings::List;
use model::network::settings::NetworkSettings;
use model::network::settings::TRIAL_SECONDS;
use serde::Serialize;
use std::time::Duration;
use tokio::time::timeout;

/// How long a change is on trial unless the owner says otherwise.
const USUAL_TRIAL_SECONDS: u32 = 60;
/// How long it may take from when netd took settings until it shows them.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);

/// A change was made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct SettingsChanged {
    /// Seconds until the change is taken back unless it is confirmed; none when it stays.
    trial_seconds_left: Option<u32>,
}

/// What the owner chose, as in force now.
#[utoipa::path(
    get,
    path = "/network/settings",
    responses(
        (status = 200, body = schema::NetworkSettings),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 503, body = ErrorBody, description = "`network_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn show_settings(call: Call) -> Result<Reply, ApiError> {
    json_reply(StatusCode::OK, &super::in_force(&call, |view: &NetworkView| view.settings.clone())?)
}

/// Changes the settings, all of them or none.
///
/// They are taken back after `trial_seconds` unless confirmed.
#[utoipa::path(
    put,
    path = "/network/settings",
    params(("trial_seconds" = Option<u32>, Query, description = "10 to 600; 0: the change stays; 60 when absent")),
    request_body = schema::NetworkSettings,
    responses(
        (status = 200, body = SettingsChanged),
        (status = 400, body = ErrorBody, description = "`malformed_json`"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`network_refused`: what was in force before still is"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`network_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn change_settings(call: Call) -> Result<Reply, ApiError> {
    let trial = trial_seconds(&call.query)?;
    let settings: NetworkSettings = call.json()?;
    settings.check().map_err(|error| invalid(&error))?;
    call.app.netd.set_settings(&settings, trial).await?;
    tracing::info!(trial_seconds = trial, "the owner changed the network's settings");
    // Whoever asks for the settings from now on is to find these, not the ones that netd showed before.
    let mut network = call.app.network.clone();
    let shown = network.wait_for(|view| view.settings.as_ref() == Some(&settings));
    if !matches!(timeout(SHOWN_WITHIN, shown).await, Ok(Ok(_))) {
        tracing::warn!("netd took settings and does not show them yet");
    }
    json_reply(
        StatusCode::OK,
        &SettingsChanged { trial_seconds_left: Some(trial).filter(|&trial| trial > 0) },
    )
}

/// Keeps the settings that are on trial.
#[utoipa::path(
    post,
    path = "/network/settings/confirm",
    responses(
        (status = 204),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`nothing_on_trial`"),
        (status = 503, body = ErrorBody, description = "`network_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn confirm_settings(call: Call) -> Result<Reply, ApiError> {
    call.app.netd.confirm_settings().await?;
    tracing::info!("the owner keeps the network's settings");
    Ok(empty_reply(StatusCode::NO_CONTENT))
}

fn trial_seconds(query: &str) -> Result<u32, ApiError> {
    let query = Query::parse(query, &["trial_seconds"])?;
    let Some(text) = query.get("trial_seconds") else { return Ok(USUAL_TRIAL_SECONDS) };
    let seconds = text.parse().ok().filter(|seconds| *seconds == 0 || TRIAL_SECONDS.contains(seconds));
    seconds.ok_or_else(|| {
        ApiError::field("trial_seconds", "trial_seconds must be 10 to 600, or 0 for no trial.")
    })
}

/// Names the member at fault, as [`crate::api::body::decode`] does for what the types refuse.
fn invalid(error: &InvalidSettings) -> ApiError {
    let of_upstream = |place: &usize, member: &str| format!("resolver.upstreams[{place}].{member}");
    let field = match error {
        InvalidSettings::TooMany { of, .. } => match of {
            List::Links => "links".to_owned(),
            List::Upstreams => "resolver.upstreams".to_owned(),
            List::Addresses { upstream } => of_upstream(upstream, "addresses"),
            List::PrivateNames => "resolver.private_names".to_owned(),
            List::TimeServers => "time.servers".to_owned(),
        },
        InvalidSettings::NoAddress { upstream, .. } | InvalidSettings::Address { upstream, .. } => {
            of_upstream(upstream, "addresses")
        }
        InvalidSettings::Port { upstream, .. } => of_upstream(upstream, "transport.port"),
        InvalidSettings::Path { upstream, .. } => of_upstream(upstream, "transport.path"),
    };
    ApiError::field(field, sentence(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_a_minute_unless_said_otherwise() {
        for (query, seconds) in [
            ("", Some(60)),
            ("trial_seconds=0", Some(0)),
            ("trial_seconds=10", Some(10)),
            ("trial_seconds=600", Some(600)),
            ("trial_seconds=9", None),
            ("trial_seconds=601", None),
            ("trial_seconds=-1", None),
            ("trial_seconds=", None),
            ("trial=60", None),
        ] {
            assert_eq!(trial_seconds(query).ok(), seconds, "{query}");
        }
    }
}
