//! The HTTP API, over TLS that only the household's certificate vouches for.

use crate::answers::AppRemark;
use rustls::CertificateError;
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::Read;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::SendBody;
use ureq::config::Config;
use ureq::http::Request;
use ureq::http::Response;
use ureq::http::Uri;
use ureq::tls::Certificate;
use ureq::tls::RootCerts;
use ureq::tls::TlsConfig;
use ureq::tls::TlsProvider;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::DefaultConnector;
use ureq::unversioned::transport::NextTimeout;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;

/// Name of the session cookie (docs/spec/api.md).
const COOKIE_NAME: &str = "__Host-hearth";
/// How long an answer may take: a change of keys is several slow calculations and commands of the security chip, for which the
/// box itself waits up to two minutes.
const ANSWER_LIMIT: Duration = Duration::from_secs(150);
/// Longest answer that is read, in bytes: the rules of the largest policy, as long as netd's longest answer.
const MAX_ANSWER: u64 = 16 << 20;
/// Longest certificate that is read, in bytes.
pub(crate) const MAX_CERTIFICATE: u64 = 64 * 1024;

/// What shows the box who is logged in; not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct SessionToken(String);

impl SessionToken {
    /// As the box gave it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionToken(…)")
    }
}

/// A box whose certificate is known.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    url: String,
    token: Option<SessionToken>,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers.
    #[error("reach {url}")]
    Unreachable {
        /// Where.
        url: String,
        /// What went wrong.
        #[source]
        source: Box<ureq::Error>,
    },
    /// Somebody answers who does not have a certificate of the household.
    #[error("trust {url}: its certificate is not from the household that was trusted at login")]
    Stranger {
        /// Where.
        url: String,
    },
    /// The certificate is of the household, for another name.
    #[error("trust {url}: its certificate is for another name or address")]
    OtherName {
        /// Where.
        url: String,
    },
    /// The session has ended.
    #[error("you are logged out: the session was not used for seven days, or was ended elsewhere")]
    LoggedOut,
    /// The box said no.
    #[error("the box says: {message}{}{}", field.as_ref().map(|field| format!(" ({field})")).unwrap_or_default(), listed(refusals))]
    Refused {
        /// For programs.
        code: String,
        /// For people.
        message: String,
        /// What is at fault.
        field: Option<String>,
        /// Everything for which an app is refused, each with its place.
        refusals: Vec<AppRemark>,
    },
    /// The answer is none of the API's.
    #[error("understand the answer of {url}{path} (status {status})")]
    Strange {
        /// Of the box.
        url: String,
        /// Of the question.
        path: String,
        /// Of the answer.
        status: u16,
    },
    /// A question that cannot be sent.
    #[error("ask {url}")]
    Question {
        /// Where.
        url: String,
        /// Why not.
        #[source]
        source: ureq::http::Error,
    },
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    code: String,
    message: String,
    field: Option<String>,
    #[serde(default)]
    refusals: Vec<AppRemark>,
}

/// Below each other; the message has the words of a single one, and no places.
fn listed(refusals: &[AppRemark]) -> String {
    if refusals.iter().all(|remark| remark.place.is_empty()) && refusals.len() < 2 {
        return String::new();
    }
    refusals.iter().map(|remark| format!("\n- {}", crate::show::remark(remark))).collect()
}

/// Looks every name up as one address, when there is one.
#[derive(Debug)]
struct Pointed(Option<IpAddr>);

impl Resolver for Pointed {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let Some(address) = self.0 else { return DefaultResolver::default().resolve(uri, config, timeout) };
        let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let mut found = self.empty();
        found.push(SocketAddr::new(address, uri.port_u16().unwrap_or(usual)));
        Ok(found)
    }
}

impl Client {
    /// For the box at this address with this household certificate.
    #[must_use]
    pub fn new(
        url: &str,
        address: Option<IpAddr>,
        household: &CertificateDer<'_>,
        token: Option<SessionToken>,
    ) -> Self {
        let roots = RootCerts::new_with_certs(&[Certificate::from_der(household).to_owned()]);
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(roots)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = base_config().https_only(true).tls_config(tls).build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), Pointed(address));
        Self { agent, url: url.to_owned(), token }
    }

    /// The answer to `GET /api/v1<path>` as JSON.
    ///
    /// # Errors
    ///
    /// When the box cannot be reached or trusted, or says no.
    pub fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.ask("GET", path, None).and_then(|answer| self.read(path, answer))
    }

    /// As [`Self::get`], for an answer that comes soon or not at all.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub fn get_within(&self, path: &str, limit: Duration) -> Result<Value, ClientError> {
        let request = self.request("GET", path).body(());
        let request = request.map_err(|source| ClientError::Question { url: self.url.clone(), source })?;
        let request = self.agent.configure_request(request).timeout_global(Some(limit)).build();
        self.read(path, self.agent.run(request).map_err(|error| self.no_answer(error))?)
    }

    /// Sends a body and gives the answer; null where it is empty.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub fn send(&self, method: &str, path: &str, body: Option<&str>) -> Result<Value, ClientError> {
        self.ask(method, path, body).and_then(|answer| self.read(path, answer))
    }

    /// Sends a file.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub fn put_file(&self, path: &str, bytes: &[u8]) -> Result<(), ClientError> {
        let request = self.request("PUT", path).header("content-type", "application/octet-stream");
        let sent = request.body(bytes).map(|request| self.agent.run(request));
        let answer = sent.map_err(|source| ClientError::Question { url: self.url.clone(), source })?;
        self.read(path, answer.map_err(|error| self.no_answer(error))?).map(|_empty| ())
    }

    /// Sends a long file, however long that takes, and gives the answer.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub fn send_long(
        &self,
        method: &str,
        path: &str,
        length: u64,
        file: &mut dyn Read,
    ) -> Result<Value, ClientError> {
        let request = self.request(method, path);
        let request =
            request.header("content-type", "application/octet-stream").header("content-length", length);
        let request = request
            .body(SendBody::from_reader(file))
            .map_err(|source| ClientError::Question { url: self.url.clone(), source })?;
        let request = self.agent.configure_request(request).timeout_global(None).build();
        self.read(path, self.agent.run(request).map_err(|error| self.no_answer(error))?)
    }

    /// The answer to `GET /api/v1<path>` as bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub fn get_file(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let mut answer = self.ask("GET", path, None)?;
        if answer.status().as_u16() != 200 {
            let status = answer.status().as_u16();
            return self.read(path, answer).and_then(|_other| Err(self.strange(path, status)));
        }
        let bytes = answer.body_mut().with_config().limit(MAX_ANSWER + 1).read_to_vec();
        bytes.map_err(|error| self.no_answer(error))
    }

    /// Logs in; gives the session and the box's answer.
    ///
    /// # Errors
    ///
    /// As [`Self::get`]; a wrong password is [`ClientError::Refused`].
    pub fn log_in(&self, body: &str) -> Result<(SessionToken, Value), ClientError> {
        let path = "/session";
        let answer = self.ask("POST", path, Some(body))?;
        let cookies = answer.headers().get_all("set-cookie").iter();
        let token = cookies
            .filter_map(|value| value.to_str().ok()?.split(';').next()?.split_once('='))
            .find(|(name, _)| *name == COOKIE_NAME)
            .map(|(_, token)| SessionToken::new(token));
        let status = answer.status().as_u16();
        let body = self.read(path, answer)?;
        token.map(|token| (token, body)).ok_or_else(|| self.strange(path, status))
    }

    /// Reads an answer as what it should be.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub fn understand<T: DeserializeOwned>(&self, path: &str, answer: Value) -> Result<T, ClientError> {
        serde_json::from_value(answer).map_err(|_shape| self.strange(path, 200))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&str>) -> Result<Response<ureq::Body>, ClientError> {
        let mut request = self.request(method, path);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let sent = match body {
            Some(body) => request.body(body).map(|request| self.agent.run(request)),
            None => request.body(()).map(|request| self.agent.run(request)),
        };
        let answer = sent.map_err(|source| ClientError::Question { url: self.url.clone(), source })?;
        answer.map_err(|error| self.no_answer(error))
    }

    fn request(&self, method: &str, path: &str) -> ureq::http::request::Builder {
        let request = Request::builder().method(method).uri(format!("{}/api/v1{path}", self.url));
        match &self.token {
            Some(token) => request.header("cookie", format!("{COOKIE_NAME}={}", token.0)),
            None => request,
        }
    }

    fn read(&self, path: &str, mut answer: Response<ureq::Body>) -> Result<Value, ClientError> {
        let status = answer.status().as_u16();
        let text = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
        let text = text.map_err(|error| self.no_answer(error))?;
        if (200..300).contains(&status) {
            let read = if text.is_empty() { Ok(Value::Null) } else { serde_json::from_str(&text) };
            return read.map_err(|_syntax| self.strange(path, status));
        }
        match serde_json::from_str::<ErrorBody>(&text) {
            Ok(ErrorBody { error }) if error.code == "not_logged_in" => Err(ClientError::LoggedOut),
            Ok(ErrorBody { error: ErrorDetail { code, message, field, refusals } }) => {
                Err(ClientError::Refused { code, message, field, refusals })
            }
            Err(_syntax) => Err(self.strange(path, status)),
        }
    }

    fn strange(&self, path: &str, status: u16) -> ClientError {
        ClientError::Strange { url: self.url.clone(), path: path.to_owned(), status }
    }

    fn no_answer(&self, error: ureq::Error) -> ClientError {
        let url = self.url.clone();
        match certificate_fault(&error) {
            Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
                ClientError::OtherName { url }
            }
            Some(_) => ClientError::Stranger { url },
            None => ClientError::Unreachable { url, source: Box::new(error) },
        }
    }
}

/// rustls tells of a certificate directly, or wrapped in an I/O error when the handshake is under way.
fn certificate_fault(error: &ureq::Error) -> Option<&CertificateError> {
    let tls = if let ureq::Error::Rustls(tls) = error {
        Some(tls)
    } else if let ureq::Error::Io(io) = error {
        io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
    } else {
        None
    };
    if let Some(rustls::Error::InvalidCertificate(fault)) = tls { Some(fault) } else { None }
}

/// Fetches a certificate over plain HTTP. Nothing vouches for it but the fingerprint that is compared afterwards.
///
/// # Errors
///
/// When nobody answers, or not with a text.
pub fn fetch_certificate(url: &str, address: Option<IpAddr>) -> Result<String, ClientError> {
    let agent = Agent::with_parts(base_config().build(), DefaultConnector::default(), Pointed(address));
    let unreachable =
        |error: ureq::Error| ClientError::Unreachable { url: url.to_owned(), source: Box::new(error) };
    let mut answer = agent.get(url).call().map_err(unreachable)?;
    if answer.status().as_u16() != 200 {
        let status = answer.status().as_u16();
        return Err(ClientError::Strange { url: url.to_owned(), path: String::new(), status });
    }
    answer.body_mut().with_config().limit(MAX_CERTIFICATE).read_to_string().map_err(unreachable)
}

/// No proxy, whatever the environment says: the box is at home. No redirect: it could lead elsewhere.
fn base_config() -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_global(Some(ANSWER_LIMIT))
        .user_agent(concat!("hearthctl/", env!("CARGO_PKG_VERSION")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_tells_the_token() {
        let household = CertificateDer::from(vec![0]);
        let client = Client::new("https://hearth.local", None, &household, Some(SessionToken::new("hush")));
        assert!(!format!("{client:?}").contains("hush"));
    }
}
