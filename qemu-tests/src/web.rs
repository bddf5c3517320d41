//! A small HTTPS client that sees the box as a browser does: by name, over TLS 1.3, trusting the household CA only.
//!
//! It is small on purpose: tests also send what no proper client would send.

use crate::guest::Ports;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::StreamOwned;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// The box's name on the home network.
pub const NAME: &str = "hearth.local";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Longest answer, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// A connection with TLS on it.
pub type Secure = StreamOwned<ClientConnection, TcpStream>;

/// A client.
#[derive(Clone, Debug)]
pub struct Web {
    ports: Ports,
    name: String,
    settings: Arc<ClientConfig>,
    cookie: Option<String>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header fields with names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// Fetches the household CA (PEM) over plain HTTP, as a visitor of the welcome page does.
///
/// # Errors
/// When there is no answer or no certificate in it.
pub fn fetch_authority(ports: Ports) -> Result<Vec<u8>> {
    let answer = plain(ports, &format!("GET /ca.crt HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n"))?;
    if answer.status != 200 {
        bail!("/ca.crt answers {}: {}", answer.status, answer.text());
    }
    Ok(answer.body)
}

/// Sends bytes over plain HTTP and reads the answer.
///
/// # Errors
/// When there is no proper answer.
pub fn plain(ports: Ports, request: &str) -> Result<Response> {
    let mut stream = connect(ports.http)?;
    stream.write_all(request.as_bytes()).context("cannot send over HTTP")?;
    read_response(&mut stream).context("no answer over HTTP")
}

/// A TCP connection to a forwarded port.
///
/// # Errors
/// When it is refused.
pub fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("cannot connect to port {port}"))?;
    stream.set_read_timeout(Some(PATIENCE)).context("cannot set a time-out")?;
    stream.set_write_timeout(Some(PATIENCE)).context("cannot set a time-out")?;
    Ok(stream)
}

impl Web {
    /// A client that trusts this CA (PEM) and nothing else.
    ///
    /// # Errors
    /// When there is no certificate in the text.
    pub fn trusting(ports: Ports, authority: &[u8]) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let certificate =
            CertificateDer::from_pem_slice(authority).context("no certificate in the PEM text")?;
        roots.add(certificate).context("the household CA is no usable certificate")?;
        let settings =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .context("no TLS 1.3")?
                .with_root_certificates(roots)
                .with_no_client_auth();
        Ok(Self { ports, name: NAME.to_owned(), settings: Arc::new(settings), cookie: None })
    }

    /// The same client for a box with another name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// The same client without a session.
    #[must_use]
    pub fn without_cookie(&self) -> Self {
        Self { cookie: None, ..self.clone() }
    }

    /// Opens a connection and finishes the handshake: the certificate is checked.
    ///
    /// # Errors
    /// When the box does not answer or its certificate does not chain to the household CA.
    pub fn open(&self) -> Result<Secure> {
        let name = ServerName::try_from(self.name.clone()).context("not a DNS name")?;
        let mut tcp = connect(self.ports.https)?;
        let mut tls = ClientConnection::new(Arc::clone(&self.settings), name).context("cannot begin TLS")?;
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp).context("the TLS handshake failed")?;
        }
        Ok(StreamOwned::new(tls, tcp))
    }

    /// `GET`.
    ///
    /// # Errors
    /// When there is no proper answer; an error status is an answer.
    pub fn get(&self, path: &str) -> Result<Response> {
        self.send("GET", path, &[], None)
    }

    /// `POST` with a JSON body. Keeps the session that the answer sets.
    ///
    /// # Errors
    /// When there is no proper answer; an error status is an answer.
    pub fn post(&mut self, path: &str, body: &Value) -> Result<Response> {
        let json = [("Content-Type", "application/json")];
        let response = self.send("POST", path, &json, Some(body.to_string().as_bytes()))?;
        if let Some(cookie) = response.header("set-cookie") {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        Ok(response)
    }

    /// A request with exactly these header fields beside `Host`, `Connection`, `Content-Length` and the session cookie.
    ///
    /// # Errors
    /// When there is no proper answer; an error status is an answer.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Response> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.name);
        let length = body.map(|body| ("Content-Length", body.len().to_string()));
        let cookie = self.cookie.as_ref().map(|cookie| ("Cookie", cookie.clone()));
        let fixed = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
        for (name, value) in fixed.chain(length).chain(cookie) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let mut stream = self.open()?;
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(body.unwrap_or_default());
        // A server may refuse and close before it has read everything: its answer counts, not the broken pipe.
        let sent = stream.write_all(&bytes).and_then(|()| stream.flush());
        match read_response(&mut stream) {
            Ok(response) => Ok(response),
            Err(error) => {
                sent.with_context(|| format!("cannot send {method} {path}"))?;
                Err(error).with_context(|| format!("no answer to {method} {path}"))
            }
        }
    }
}

impl Response {
    /// The first header field of this name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none; status and body are in the text.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("no JSON ({}): {}", self.status, self.text()))
    }
}

/// Reads an answer until the server closes or the announced length is there.
///
/// # Errors
/// When the connection fails first or this is no HTTP.
pub fn read_response(stream: &mut impl Read) -> Result<Response> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        if let Some(response) = parse(&bytes, false)? {
            return Ok(response);
        }
        if bytes.len() as u64 > LONGEST {
            bail!("the answer is longer than {LONGEST} bytes");
        }
        match stream.read(&mut chunk) {
            Ok(count @ 1..) => bytes.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            // A close without goodbye after a whole answer is no matter here.
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error).context("the connection broke"),
        }
    }
    parse(&bytes, true)?.with_context(|| format!("the answer is cut after {} bytes", bytes.len()))
}

/// Reads an answer; none while it is not whole.
fn parse(bytes: &[u8], is_ended: bool) -> Result<Option<Response>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head =
        std::str::from_utf8(bytes.get(..end).unwrap_or_default()).context("the answer's head is no text")?;
    let rest = bytes.get(end + 4..).unwrap_or_default();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|line| line.get(..3));
    let status = status.and_then(|code| code.parse().ok()).with_context(|| format!("no HTTP: {head}"))?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let response = Response { status, headers, body: Vec::new() };
    let body = if response.header("transfer-encoding") == Some("chunked") {
        dechunk(rest)
    } else if let Some(length) = response.header("content-length") {
        rest.get(..length.parse().context("no number in Content-Length")?).map(<[u8]>::to_vec)
    } else if status == 204 || status == 304 {
        Some(Vec::new())
    } else {
        is_ended.then(|| rest.to_vec())
    };
    Ok(body.map(|body| Response { body, ..response }))
}

/// Joins chunks (RFC 9112 section 7.1); none while the last one is not there.
fn dechunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(bytes.get(..end)?).ok()?, 16).ok()?;
        let start = end + 2;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(bytes.get(start..start.checked_add(length)?)?);
        bytes = bytes.get(start + length + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_by_length_chunk_and_end() {
        let mut length: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX-A: b\r\n\r\n{}ignored";
        let response = read_response(&mut length).unwrap();
        assert_eq!(
            (response.status, response.text().as_str(), response.header("x-a")),
            (201, "{}", Some("b"))
        );
        let mut chunked: &[u8] =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        assert_eq!(read_response(&mut chunked).unwrap().text(), "abcde");
        let mut closed: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nall of it";
        assert_eq!(read_response(&mut closed).unwrap().text(), "all of it");
    }

    #[test]
    fn a_cut_answer_is_no_answer() {
        for cut in
            ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "nonsense\r\n\r\n"]
        {
            read_response(&mut cut.as_bytes()).unwrap_err();
        }
    }
}
