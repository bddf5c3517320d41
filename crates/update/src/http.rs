//! A repository on a web server: any that serves files and their parts. Client: ureq, which this workspace has for registries and
//! backups already, blocking as the work between requests is; rustls with ring, certificates of `webpki-roots`.
//!
//! TLS keeps what a box asks for from others on the way; what it gets is believed for its signatures only. Plain HTTP works too.

use crate::name::Name;
use crate::source::Range;
use crate::source::Source;
use crate::source::SourceError;
use std::io;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use ureq::Agent;
use ureq::Body;
use ureq::Proxy;
use ureq::http::Response;
use ureq::http::Uri;
use ureq::tls::Certificate;
use ureq::tls::RootCerts;
use ureq::tls::TlsConfig;
use ureq::tls::TlsProvider;

/// Redirects that are followed: hosts of files send to their copies.
const MAX_REDIRECTS: u32 = 5;
const CONNECT: Duration = Duration::from_secs(15);
const AGENT: &str = concat!("hearth/", env!("CARGO_PKG_VERSION"));

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// The repository: `https://host/path`, or `http`.
    pub url: String,
    /// A proxy, such as `http://user:password@host:3128`; nothing is taken from the environment.
    pub proxy: Option<String>,
    /// How long nothing may come.
    pub stall: Duration,
    /// The slowest that is borne over a whole answer, in bytes a second: else a server could keep the box for ever, byte by byte.
    pub slowest: u64,
    /// Certificates in DER of who may vouch for the server; empty for those that browsers take (`webpki-roots`).
    pub authorities: Vec<Vec<u8>>,
}

impl HttpSettings {
    /// Without a proxy, and as patient as a slow line needs it.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self { url, proxy: None, stall: Duration::from_secs(30), slowest: 2 << 10, authorities: Vec::new() }
    }
}

/// Settings that name no server.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The address.
    #[error("{url} is no address of a repository: https://host/path")]
    Url {
        /// As it was given.
        url: String,
    },
    /// The proxy, which may have a password in it and is not repeated.
    #[error("this is no address of a proxy: http://host:port")]
    Proxy(#[source] ureq::Error),
}

/// A client of one repository.
#[derive(Debug)]
pub struct Http {
    agent: Agent,
    base: String,
    stall: Duration,
    slowest: u64,
}

impl Http {
    /// Reads the settings; nothing is asked yet.
    ///
    /// # Errors
    /// They name no server.
    pub fn new(settings: &HttpSettings) -> Result<Self, SettingsError> {
        let url = || SettingsError::Url { url: settings.url.clone() };
        let uri: Uri = settings.url.parse().map_err(|_error| url())?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _other => return Err(url()),
        };
        let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        if !plain || uri.query().is_some() {
            return Err(url());
        }
        let proxy = settings.proxy.as_deref().map(Proxy::new).transpose().map_err(SettingsError::Proxy)?;
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(authorities(&settings.authorities))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .https_only(https)
            .max_redirects(MAX_REDIRECTS)
            .proxy(proxy)
            .user_agent(AGENT)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(settings.stall))
            .timeout_per_read(Some(settings.stall))
            .timeout_per_write(Some(settings.stall))
            .build();
        let base = settings.url.trim_end_matches('/').to_owned();
        Ok(Self { agent: config.new_agent(), base, stall: settings.stall, slowest: settings.slowest.max(1) })
    }

    /// How long an answer of so many bytes may take.
    fn patience(&self, bytes: u64) -> Duration {
        self.stall.saturating_add(Duration::from_secs(bytes / self.slowest))
    }
}

impl Source for Http {
    fn get(&self, name: &Name, range: Option<Range>, limit: u64) -> Result<Box<dyn Read + '_>, SourceError> {
        // The only letter of our names that addresses do not have.
        let url = format!("{}/{}", self.base, name.path().replace('^', "%5E"));
        let mut request = self.agent.get(&url).header("accept-encoding", "identity");
        if let Some(Range { start, length }) = range {
            let last = start.saturating_add(length).saturating_sub(1);
            request = request.header("range", format!("bytes={start}-{last}"));
        }
        let end = Instant::now() + self.patience(limit);
        let response = request.call().map_err(|error| unreachable(name, error))?;
        let other_part = || SourceError::OtherPart { name: name.clone() };
        match (response.status().as_u16(), range) {
            (200, None) => {}
            (206, Some(range)) if is_range(&response, range) => {}
            (200 | 206, _) => return Err(other_part()),
            // Stores of objects say 403 of what is not there.
            (403 | 404 | 410, _) => return Err(SourceError::Missing { name: name.clone() }),
            (status, _) => return Err(SourceError::Status { name: name.clone(), status }),
        }
        if header(&response, "content-encoding").is_some_and(|encoding| encoding != "identity") {
            return Err(other_part());
        }
        let inner = response.into_body().into_with_config().limit(u64::MAX).reader();
        Ok(Box::new(Timed { inner, end }))
    }
}

fn authorities(certificates: &[Vec<u8>]) -> RootCerts {
    match certificates {
        [] => RootCerts::WebPki,
        own => RootCerts::from(own.iter().map(|der| Certificate::from_der(der).to_owned())),
    }
}

/// A reader that ends in time.
struct Timed<R> {
    inner: R,
    end: Instant,
}

impl<R: Read> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() > self.end {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.inner.read(buffer).map_err(|error| {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
            if matches!(inner, Some(ureq::Error::Timeout(_))) {
                io::Error::new(io::ErrorKind::TimedOut, error)
            } else {
                error
            }
        })
    }
}

/// Whether the answer has exactly that part, by its own words.
fn is_range(response: &Response<Body>, range: Range) -> bool {
    let last = range.start.saturating_add(range.length).saturating_sub(1);
    let said = header(response, "content-range").unwrap_or_default();
    let part = said.strip_prefix("bytes ").and_then(|said| said.split_once('/')).map(|(part, _of)| part);
    let length = header(response, "content-length").and_then(|length| length.parse().ok());
    part == Some(&format!("{}-{last}", range.start))
        && length.is_none_or(|length: u64| length == range.length)
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

fn unreachable(name: &Name, error: ureq::Error) -> SourceError {
    let name = name.clone();
    if matches!(error, ureq::Error::Timeout(_)) {
        return SourceError::TooSlow { name };
    }
    SourceError::Unreachable { name, source: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for url in ["https://updates.example", "https://updates.example/hearth/", "http://127.0.0.1:8080"] {
            assert!(Http::new(&HttpSettings::new(url.to_owned())).is_ok(), "{url}");
        }
        for url in
            ["", "updates.example", "ftp://updates.example", "https://", "https://a@b/", "https://a/?b", "/a"]
        {
            assert!(
                matches!(Http::new(&HttpSettings::new(url.to_owned())), Err(SettingsError::Url { .. })),
                "{url}"
            );
        }
        let proxy = |proxy: &str| HttpSettings {
            proxy: Some(proxy.to_owned()),
            ..HttpSettings::new("https://updates.example".to_owned())
        };
        Http::new(&proxy("http://user:secret@proxy.example:3128")).unwrap();
        let error = Http::new(&proxy("gopher://user:secret@proxy.example")).unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn patience_grows_with_what_is_asked_for() {
        let http = Http::new(&HttpSettings::new("http://127.0.0.1".to_owned())).unwrap();
        assert_eq!(http.patience(0), Duration::from_secs(30));
        assert_eq!(http.patience(20 << 10), Duration::from_secs(40));
    }
}
