//! Questions to one registry: login when it asks for one, redirects with care, time limits.

use crate::image::Reference;
use crate::image::pull::Endpoint;
use crate::image::pull::Registries;
use crate::image::pull::RegistryError;
use crate::image::pull::challenge;
use crate::image::pull::challenge::Challenge;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::io;
use std::io::Read;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;
use ureq::Agent;
use ureq::Body;
use ureq::Timeout;
use ureq::http::Response;
use ureq::http::Uri;
use ureq::tls::TlsConfig;
use ureq::tls::TlsProvider;
use zeroize::Zeroizing;

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;
/// Longest answer of a token service.
const MAX_TOKEN: u64 = 64 << 10;
/// A manifest, configuration or token, sent slowly, takes no longer than so many stalls: five minutes.
const DOCUMENT_STALLS: u32 = 10;
const CONNECT: Duration = Duration::from_secs(15);
const AGENT: &str = concat!("hearth/", env!("CARGO_PKG_VERSION"));

pub(super) struct Client<'a> {
    agent: Agent,
    endpoint: Endpoint,
    name: &'a Reference,
    registries: &'a Registries,
    /// The header that the registry wants to see.
    authorization: Mutex<Option<Zeroizing<String>>>,
}

/// An answer that has what was asked for.
#[derive(Debug)]
pub(super) struct Answer {
    response: Response<Body>,
    start: u64,
}

#[derive(Deserialize)]
struct Token {
    token: Option<Zeroizing<String>>,
    access_token: Option<Zeroizing<String>>,
}

impl<'a> Client<'a> {
    pub(super) fn new(endpoint: Endpoint, name: &'a Reference, registries: &'a Registries) -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // Followed here: where to and with what is not the registry's to say.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // What is in the environment is not the owner's setting.
            .proxy(None)
            .user_agent(AGENT)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(registries.stall))
            .timeout_per_read(Some(registries.stall))
            .timeout_per_write(Some(registries.stall))
            .build();
        Self { agent: config.new_agent(), endpoint, name, registries, authorization: Mutex::new(None) }
    }

    pub(super) fn host(&self) -> &str {
        &self.endpoint.host
    }

    /// Asks for something of the image's repository, from a byte on.
    pub(super) fn get(&self, path: &str, accept: &str, from: u64) -> Result<Answer, RegistryError> {
        let scheme = if self.endpoint.plain_http { "http" } else { "https" };
        let url = format!("{scheme}://{}/v2/{}/{path}", self.host(), self.name.repository());
        let mut response = self.follow(&url, accept, from)?;
        if response.status().as_u16() == 401 {
            let header = header(&response, "www-authenticate").unwrap_or_default();
            let authorization = self.log_in(&header)?;
            *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
            response = self.follow(&url, accept, from)?;
        }
        if response.status().as_u16() == 416 {
            response = self.follow(&url, accept, 0)?;
        }
        let (host, what) = (self.host().to_owned(), path.to_owned());
        match response.status().as_u16() {
            200 => Ok(Answer { response, start: 0 }),
            206 if range_begins_at(&response, from) => Ok(Answer { response, start: from }),
            401 | 403 => Err(RegistryError::Forbidden { host, what }),
            404 => Err(RegistryError::Missing { host, what }),
            429 => Err(RegistryError::TooOften { host }),
            status => Err(RegistryError::Status { host, status }),
        }
    }

    fn follow(&self, url: &str, accept: &str, from: u64) -> Result<Response<Body>, RegistryError> {
        let sent_on = || RegistryError::SentOn { host: self.host().to_owned() };
        let mut address: Uri = url.parse().map_err(|_error| sent_on())?;
        for _redirect in 0..=MAX_REDIRECTS {
            let mut request = self.agent.get(address.clone()).header("accept", accept);
            if from > 0 {
                request = request.header("range", format!("bytes={from}-"));
            }
            // What opens the registry is not for whoever keeps its files.
            let authorization = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(authorization) = authorization.filter(|_some| self.is_registry(&address)) {
                request = request.header("authorization", authorization.as_str());
            }
            let response = request.call().map_err(|error| self.unreachable(error))?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = header(&response, "location").ok_or_else(sent_on)?;
            address = resolve(&address, &location).filter(|next| self.is_safe(next)).ok_or_else(sent_on)?;
        }
        Err(sent_on())
    }

    fn log_in(&self, header: &str) -> Result<Zeroizing<String>, RegistryError> {
        let host = || self.host().to_owned();
        let login = self.registries.credentials.get(self.host()).map(|credentials| {
            let pair = Zeroizing::new(format!("{}:{}", credentials.user, *credentials.password));
            Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
        });
        let (realm, service, scope) = match challenge::parse(header) {
            None => return Err(RegistryError::Login { host: host() }),
            Some(Challenge::Basic) => {
                return login
                    .ok_or_else(|| RegistryError::Forbidden { host: host(), what: self.name.to_string() });
            }
            Some(Challenge::Bearer { realm, service, scope }) => (realm, service, scope),
        };
        let address: Uri = realm.parse().map_err(|_error| RegistryError::Login { host: host() })?;
        if !self.is_safe(&address) {
            return Err(RegistryError::SentOn { host: host() });
        }
        let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.name.repository()));
        let mut url = format!(
            "{realm}{}scope={}",
            if realm.contains('?') { '&' } else { '?' },
            challenge::encode(&scope)
        );
        if let Some(service) = service {
            url.push_str("&service=");
            url.push_str(&challenge::encode(&service));
        }
        let mut request = self.agent.get(url);
        if let Some(login) = &login {
            request = request.header("authorization", login.as_str());
        }
        let response = request.call().map_err(|error| self.unreachable(error))?;
        if response.status().as_u16() != 200 {
            return Err(RegistryError::Forbidden { host: host(), what: self.name.to_string() });
        }
        let mut bytes = Zeroizing::new(Vec::new());
        let reader = Answer { response, start: 0 }.reader(Some(self.patience()));
        reader
            .take(MAX_TOKEN)
            .read_to_end(&mut bytes)
            .map_err(|error| self.unreachable(ureq::Error::from(error)))?;
        let token: Token =
            serde_json::from_slice(&bytes).map_err(|_error| RegistryError::Login { host: host() })?;
        let token =
            token.token.or(token.access_token).ok_or_else(|| RegistryError::Login { host: host() })?;
        Ok(Zeroizing::new(format!("Bearer {}", *token)))
    }

    fn is_registry(&self, address: &Uri) -> bool {
        address.authority().is_some_and(|authority| authority.as_str() == self.host())
    }

    /// Only whoever is spoken to without encryption anyway may send the box on without it.
    fn is_safe(&self, address: &Uri) -> bool {
        let scheme = address.scheme_str();
        let anonymous = address.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        anonymous && (scheme == Some("https") || scheme == Some("http") && self.endpoint.plain_http)
    }

    pub(super) fn unreachable(&self, error: ureq::Error) -> RegistryError {
        let host = self.host().to_owned();
        if is_silence(&error) {
            return RegistryError::Silent { host };
        }
        RegistryError::Unreachable { host, source: Box::new(error) }
    }

    /// How long a document may take that is sent byte by byte.
    pub(super) fn patience(&self) -> Duration {
        self.registries.stall * DOCUMENT_STALLS
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<String> {
        header(&self.response, name)
    }

    /// Where its bytes begin.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// How many it says it has.
    pub(super) fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// Its bytes; all of them within a time, perhaps.
    pub(super) fn reader(self, within: Option<Duration>) -> impl Read + Send + 'static {
        let inner = self.response.into_body().into_with_config().limit(u64::MAX).reader();
        Timed { inner, end: within.map(|within| Instant::now() + within) }
    }
}

/// A reader whose time-outs are told apart from other errors.
struct Timed<R> {
    inner: R,
    end: Option<Instant>,
}

impl<R: Read> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.end.is_some_and(|end| Instant::now() > end) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.inner.read(buffer).map_err(|error| {
            let timed_out = error
                .get_ref()
                .is_some_and(|inner| matches!(inner.downcast_ref(), Some(ureq::Error::Timeout(_))));
            if timed_out { io::Error::new(io::ErrorKind::TimedOut, error) } else { error }
        })
    }
}

/// Whether there is somebody who does not speak. What the kernel says of a connection is another thing.
fn is_silence(error: &ureq::Error) -> bool {
    if let ureq::Error::Timeout(timeout) = error {
        return !matches!(timeout, Timeout::Connect | Timeout::Resolve);
    }
    matches!(error, ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none())
}

fn header(response: &Response<Body>, name: &str) -> Option<String> {
    response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn range_begins_at(response: &Response<Body>, from: u64) -> bool {
    header(response, "content-range").is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}

/// Where a redirect leads: a whole address, or a path on the same host.
fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    if location.starts_with('/') && !location.starts_with("//") {
        let (scheme, authority) = (base.scheme()?, base.authority()?);
        return format!("{scheme}://{authority}{location}").parse().ok();
    }
    location.parse().ok().filter(|uri: &Uri| uri.scheme().is_some())
}
