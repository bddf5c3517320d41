//! The one place that decides who may do what.

use super::error::ApiError;
use crate::accounts::session::Session;
use crate::accounts::session::Token;
use crate::app::App;
use crate::net::AskError;
use crate::records::Role;
use hyper::HeaderMap;
use hyper::Method;
use hyper::StatusCode;
use hyper::header::COOKIE;
use hyper::header::HOST;
use hyper::header::ORIGIN;
use hyper::http::request::Parts;
use std::net::IpAddr;

/// Name of the session cookie. `__Host-` makes browsers insist on Secure, Path=/ and no Domain.
pub const COOKIE_NAME: &str = "__Host-hearth";

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody on the network.
    Public,
    /// Everybody, as long as the box has no owner.
    SetUpOnly,
    /// Everybody, as long as the data is locked.
    LockedOnly,
    /// Everybody, as long as an older copy stands in the place of the store.
    OlderCopyOnly,
    /// Devices in the home network, as long as the owner lets them ask the box for names.
    HomeNetwork,
    /// Whoever is logged in.
    LoggedIn,
    /// The owner.
    Owner,
}

/// Decides about one request; who is logged in comes with the permission.
pub fn authorise(
    app: &App,
    access: Access,
    parts: &Parts,
    from: IpAddr,
) -> Result<Option<(Token, Session)>, ApiError> {
    if changes(&parts.method) {
        require_same_origin(&parts.headers)?;
    }
    match access {
        Access::Public => Ok(None),
        Access::SetUpOnly => {
            if let Some(reason) = app.accounts.storage_problem() {
                return Err(ApiError::storage_unavailable(reason));
            }
            if app.accounts.is_set_up() { Err(ApiError::already_set_up()) } else { Ok(None) }
        }
        // Nobody can log in then: who may is in the data.
        Access::LockedOnly => {
            if app.is_locked() {
                Ok(None)
            } else {
                Err(ApiError::not_locked())
            }
        }
        // Nobody can log in then either: who may is in a store that is not opened.
        Access::OlderCopyOnly => match app.rollback {
            Some(_) => Ok(None),
            None => Err(ApiError::no_such_rollback()),
        },
        Access::HomeNetwork => require_served(app, from).map(|()| None),
        Access::LoggedIn | Access::Owner => {
            let login = login(app, &parts.headers).ok_or_else(ApiError::not_logged_in)?;
            require_role(access, login.1.role)?;
            Ok(Some(login))
        }
    }
}

fn require_role(access: Access, role: Role) -> Result<(), ApiError> {
    match (access, role) {
        (
            Access::Public
            | Access::SetUpOnly
            | Access::LockedOnly
            | Access::OlderCopyOnly
            | Access::HomeNetwork
            | Access::LoggedIn
            | Access::Owner,
            Role::Owner,
        )
        | (
            Access::Public
            | Access::SetUpOnly
            | Access::LockedOnly
            | Access::OlderCopyOnly
            | Access::HomeNetwork
            | Access::LoggedIn,
            Role::Member,
        ) => Ok(()),
        (Access::Owner, Role::Member) => {
            let message = "Only the owner of the box may do that.";
            Err(ApiError::new(StatusCode::FORBIDDEN, "owner_only", message))
        }
    }
}

/// Somebody who reaches the box from outside, by a port that the router forwards, is not at home. What netd showed before it went
/// is nothing to go by: it will not answer either.
fn require_served(app: &App, from: IpAddr) -> Result<(), ApiError> {
    let network = app.network.borrow();
    let settings = network.settings.as_ref().filter(|_| app.netd.is_there());
    let Some(settings) = settings else { return Err(AskError::Away.into()) };
    if !settings.resolver.serve_lan {
        let message =
            "This box answers no questions for names. Its owner can turn that on, on the page Network.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "dns_not_served", message));
    }
    if network.is_at_home(from) {
        return Ok(());
    }
    let message = "This box answers questions for names from its home network only.";
    Err(ApiError::new(StatusCode::FORBIDDEN, "not_at_home", message))
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// Browsers send `Origin` with every request that changes something, and `Sec-Fetch-Site` with every request: a page of another
/// site gives itself away. Programs send neither, and hold no cookie that a page could ride on.
fn require_same_origin(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("not text"));
    let host = text(HOST).unwrap_or_default();
    let origin_fits = text(ORIGIN).is_none_or(|origin| {
        // Port 443 may be written out on one side only.
        let plain =
            |authority: &str| authority.strip_suffix(":443").unwrap_or(authority).to_ascii_lowercase();
        origin.strip_prefix("https://").is_some_and(|authority| plain(authority) == plain(host))
    });
    let site_fits =
        headers.get("sec-fetch-site").is_none_or(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    if origin_fits && site_fits {
        return Ok(());
    }
    let message = "This request comes from another web page. Open the box's own page and try again.";
    Err(ApiError::new(StatusCode::FORBIDDEN, "foreign_origin", message))
}

fn login(app: &App, headers: &HeaderMap) -> Option<(Token, Session)> {
    let token = cookie(headers)?;
    let session = app.accounts.who(&token)?;
    Some((token, session))
}

fn cookie(headers: &HeaderMap) -> Option<Token> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .and_then(|(_, value)| Token::from_cookie(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderName;
    use hyper::header::HeaderValue;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn only_the_boxs_own_pages_and_programs_may_change_things() {
        for (pairs, allowed) in [
            (&[("host", "oak.local")][..], true),
            (&[("host", "oak.local"), ("origin", "https://oak.local")], true),
            (&[("host", "oak.local:443"), ("origin", "https://OAK.local")], true),
            (&[("host", "127.0.0.1:8443"), ("origin", "https://127.0.0.1:8443")], true),
            (&[("host", "oak.local"), ("sec-fetch-site", "same-origin")], true),
            (&[("host", "oak.local"), ("origin", "http://oak.local")], false),
            (&[("host", "oak.local"), ("origin", "https://evil.example")], false),
            (&[("host", "oak.local"), ("origin", "https://oak.local.evil.example")], false),
            (&[("host", "oak.local"), ("origin", "null")], false),
            (&[("host", "oak.local"), ("origin", "https://app.oak.local")], false),
            (&[("origin", "https://oak.local")], false),
            (&[("host", "oak.local"), ("sec-fetch-site", "same-site")], false),
            (&[("host", "oak.local"), ("sec-fetch-site", "cross-site")], false),
        ] {
            assert_eq!(require_same_origin(&headers(pairs)).is_ok(), allowed, "{pairs:?}");
        }
    }

    #[test]
    fn the_session_cookie_is_found_among_others() {
        let token = "a".repeat(43);
        let line = format!("x=1; __Host-hearth={token}; y=2");
        assert_eq!(cookie(&headers(&[("cookie", &line)])).unwrap().as_str(), token);
        for line in ["", "hearth=1", "__Host-hearth", "__Host-hearth=short"] {
            assert!(cookie(&headers(&[("cookie", line)])).is_none(), "{line}");
        }
    }
}
