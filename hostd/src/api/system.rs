//! What people who are logged in may see of the machine, and switching it off.

use super::Call;
use super::error::ApiError;
use super::error::ErrorBody;
use super::json_reply;
use super::query::Query;
use crate::app::App;
use crate::host::HostError;
use crate::host::Space;
use crate::web::Reply;
use crate::web::empty_reply;
use hyper::StatusCode;
use model::control::ControlAnswer;
use model::control::ControlRequest;
use serde::Serialize;
use std::error::Error;

/// Log lines in one answer.
const LOG_LINES: u32 = 200;
/// Longest service name that is passed on.
const MAX_UNIT: usize = 64;

/// What is running.
pub(crate) struct Release {
    pub(crate) version: String,
    pub(crate) board: String,
    pub(crate) slot: String,
}

impl Release {
    /// As init reported; outside Hearth's init, this program's own version.
    pub(crate) fn of(app: &App) -> Self {
        match &app.boot {
            Some(boot) => {
                Self { version: boot.version.clone(), board: boot.board.clone(), slot: boot.slot.clone() }
            }
            None => Self {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                board: "unknown".to_owned(),
                slot: "unknown".to_owned(),
            },
        }
    }
}

/// The machine.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct System {
    /// Version of the running slot.
    version: String,
    /// Board the image was made for.
    board: String,
    /// Running slot.
    slot: String,
    /// Seconds since the kernel started.
    uptime_seconds: u64,
    /// Memory.
    memory: Space,
    /// Data partition.
    disk: Space,
    /// Services.
    services: Vec<Service>,
    /// The box's clock, in seconds since 1970; may be wrong.
    time_unix: u64,
}

/// A service.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Service {
    /// Name.
    name: String,
    /// `waiting`, `starting`, `ready`, `backoff`, `degraded`, `stopping` or `stopped`.
    #[schema(value_type = String)]
    state: model::report::ServiceState,
    /// How often it was started again since boot.
    restarts: u32,
    /// Why it is not ready.
    reason: Option<String>,
    /// What it says of itself.
    status: Option<String>,
}

/// The machine's state.
#[utoipa::path(
    get,
    path = "/system",
    responses((status = 200, body = System), (status = 401, body = ErrorBody, description = "`not_logged_in`")),
    security(("session" = []))
)]
pub(crate) async fn show_system(call: Call) -> Result<Reply, ApiError> {
    let app = &call.app;
    let unknown = Space { total_bytes: 0, available_bytes: 0 };
    let services = known("services", app.host.services()).flatten().unwrap_or_default();
    let release = Release::of(app);
    let system = System {
        version: release.version,
        board: release.board,
        slot: release.slot,
        uptime_seconds: app.clock.uptime().as_secs(),
        memory: known("memory", app.host.memory()).unwrap_or(unknown),
        disk: known("disk", app.host.disk()).unwrap_or(unknown),
        services: services
            .services
            .into_iter()
            .map(|service| Service {
                name: service.name,
                state: service.state,
                restarts: service.restarts,
                reason: service.reason,
                status: service.status,
            })
            .collect(),
        time_unix: app.clock.wall_unix(),
    };
    json_reply(StatusCode::OK, &system)
}

/// One part that cannot be read must not hide the others.
fn known<T>(what: &'static str, read: Result<T, HostError>) -> Option<T> {
    read.map_err(|error| {
        tracing::warn!(what, error = &error as &dyn Error, "the machine's state is not whole");
    })
    .ok()
}

/// Log lines.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Logs {
    /// `<uptime seconds> <service>: <text>`, oldest first.
    lines: Vec<String>,
}

/// The newest 200 log lines.
#[utoipa::path(
    get,
    path = "/logs",
    params(("unit" = Option<String>, Query, description = "only this service")),
    responses(
        (status = 200, body = Logs),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 422, body = ErrorBody, description = "`invalid_field` with `field`"),
        (status = 503, body = ErrorBody, description = "`init_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn show_logs(call: Call) -> Result<Reply, ApiError> {
    let unit = parse_unit(&call.query)?;
    match ask(&call.app, ControlRequest::Logs { unit, lines: LOG_LINES }).await? {
        ControlAnswer::Logs { lines } => json_reply(StatusCode::OK, &Logs { lines }),
        ControlAnswer::Refused { reason } => {
            Err(ApiError::field("unit", format!("unit cannot be used: {reason}.")))
        }
        ControlAnswer::Accepted => Err(ApiError::internal()),
    }
}

/// `unit=<name>` or nothing; other members and other characters are refused.
fn parse_unit(query: &str) -> Result<Option<String>, ApiError> {
    let query = Query::parse(query, &["unit"])?;
    let Some(unit) = query.get("unit") else { return Ok(None) };
    let valid = !unit.is_empty()
        && unit.len() <= MAX_UNIT
        && unit.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if valid {
        return Ok(Some(unit.to_owned()));
    }
    Err(ApiError::field("unit", "unit must be the name of one service."))
}

/// Shuts down and boots again.
#[utoipa::path(
    post,
    path = "/system/reboot",
    responses(
        (status = 202),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin`"),
        (status = 503, body = ErrorBody, description = "`init_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn reboot(call: Call) -> Result<Reply, ApiError> {
    switch(&call.app, ControlRequest::Reboot).await
}

/// Shuts down and switches off.
#[utoipa::path(
    post,
    path = "/system/poweroff",
    responses(
        (status = 202),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin`"),
        (status = 503, body = ErrorBody, description = "`init_unavailable`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn power_off(call: Call) -> Result<Reply, ApiError> {
    switch(&call.app, ControlRequest::PowerOff).await
}

pub(super) async fn switch(app: &App, request: ControlRequest) -> Result<Reply, ApiError> {
    match ask(app, request).await? {
        ControlAnswer::Accepted => Ok(empty_reply(StatusCode::ACCEPTED)),
        ControlAnswer::Refused { reason } => Err(unavailable(&reason)),
        ControlAnswer::Logs { .. } => Err(ApiError::internal()),
    }
}

pub(super) async fn ask(app: &App, request: ControlRequest) -> Result<ControlAnswer, ApiError> {
    app.host.ask(request).await.map_err(|error| {
        tracing::error!(error = &error as &dyn Error, "init cannot be asked");
        unavailable("it does not answer")
    })
}

fn unavailable(reason: &str) -> ApiError {
    let message = format!("The box's init did not do it: {reason}.");
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "init_unavailable", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_one_plain_name() {
        for (query, unit) in [
            ("", Some(None)),
            ("unit=netd", Some(Some("netd"))),
            ("unit=", None),
            ("unit=a%20b", None),
            ("unit=../x", None),
            ("unit=a&unit=b", None),
            ("lines=7", None),
        ] {
            let parsed = parse_unit(query).ok();
            assert_eq!(parsed.as_ref().map(Option::as_deref), unit, "{query}");
        }
        parse_unit(&format!("unit={}", "a".repeat(65))).unwrap_err();
    }
}
