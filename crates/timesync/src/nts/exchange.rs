//! The key exchange (RFC 8915 section 4): a short conversation over TLS 1.3.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::client::VerifierBuilderError;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::InvalidDnsNameError;
use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

use crate::nts::Key;
use crate::nts::Session;
use crate::nts::certificate::Dates;
use crate::nts::certificate::Validity;
use crate::nts::certificate::Verifier;
use crate::nts::records;
use crate::nts::records::Granted;
use crate::nts::records::RecordError;

/// RFC 8915 section 4.
const PROTOCOL: &[u8] = b"ntske/1";
/// RFC 8915 section 4.3; then NTPv4, AES-SIV, and the direction.
const LABEL: &[u8] = b"EXPORTER-network-time-security";
const TO_SERVER: [u8; 5] = [0, 0, 0, 15, 0];
const TO_CLIENT: [u8; 5] = [0, 0, 0, 15, 1];

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The name cannot be in a certificate.
    #[error("the name of the server is none")]
    Name(#[source] InvalidDnsNameError),
    /// No roots to check certificates with.
    #[error("preparing the check of certificates")]
    Verifier(#[source] VerifierBuilderError),
    /// TLS, before or after the handshake.
    #[error("setting TLS up")]
    Tls(#[source] rustls::Error),
    /// No connection.
    #[error("connecting to {0}")]
    Connect(SocketAddr, #[source] io::Error),
    /// The certificate is not good, or the server breaks off.
    #[error("shaking hands with {0}")]
    Handshake(SocketAddr, #[source] io::Error),
    /// Another service answers.
    #[error("the server does not speak the key exchange")]
    Protocol,
    /// The connection broke.
    #[error("talking to {0}")]
    Talk(SocketAddr, #[source] io::Error),
    /// The answer is of no use.
    #[error(transparent)]
    Records(#[from] RecordError),
}

/// Makes an exchange; the caller limits how long it may take. The server's time is where the grant says.
///
/// # Errors
/// Why there are no keys.
pub async fn exchange(
    name: &str,
    address: SocketAddr,
    roots: Arc<RootCertStore>,
    dates: Dates,
) -> Result<(Session, Granted), ExchangeError> {
    let server = ServerName::try_from(name.to_owned()).map_err(ExchangeError::Name)?;
    let connector = TlsConnector::from(Arc::new(configuration(roots, dates)?));
    let stream = TcpStream::connect(address).await.map_err(|error| ExchangeError::Connect(address, error))?;
    let mut stream =
        connector.connect(server, stream).await.map_err(|error| ExchangeError::Handshake(address, error))?;
    if stream.get_ref().1.alpn_protocol() != Some(PROTOCOL) {
        return Err(ExchangeError::Protocol);
    }
    let answer = converse(&mut stream).await.map_err(|error| ExchangeError::Talk(address, error))?;
    let granted = records::parse(&answer)?;
    let session = session(&stream, &granted)?;
    Ok((session, granted))
}

fn configuration(roots: Arc<RootCertStore>, dates: Dates) -> Result<ClientConfig, ExchangeError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(ExchangeError::Verifier)?;
    let mut configuration = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(ExchangeError::Tls)?
        // "Dangerous" because it could check nothing; ours only chooses the time of the check.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::new(chain, dates)))
        .with_no_client_auth();
    configuration.alpn_protocols = vec![PROTOCOL.to_vec()];
    // No tickets: they would let the server recognise the box.
    configuration.resumption = rustls::client::Resumption::disabled();
    Ok(configuration)
}

async fn converse(stream: &mut TlsStream<TcpStream>) -> io::Result<Vec<u8>> {
    stream.write_all(&records::REQUEST).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    let mut chunk = [0; 1_024];
    // Not until the end of the connection: servers may leave it open, or end it without goodbye.
    while !records::is_complete(&answer) && answer.len() < records::LONGEST_ANSWER {
        match stream.read(&mut chunk).await? {
            0 => break,
            length => answer.extend_from_slice(&chunk[..length]),
        }
    }
    Ok(answer)
}

fn session(stream: &TlsStream<TcpStream>, granted: &Granted) -> Result<Session, ExchangeError> {
    let tls = stream.get_ref().1;
    let key = |context: &[u8]| {
        tls.export_keying_material([0; 32], LABEL, Some(context))
            .map(|bytes| Key(Zeroizing::new(bytes)))
            .map_err(ExchangeError::Tls)
    };
    let validity = tls.peer_certificates().and_then(<[_]>::first).and_then(Validity::of);
    let mut session = Session {
        client_key: key(&TO_SERVER)?,
        server_key: key(&TO_CLIENT)?,
        cookies: VecDeque::new(),
        validity: validity.ok_or(ExchangeError::Protocol)?,
    };
    for cookie in &granted.cookies {
        session.keep(cookie.clone());
    }
    if session.cookies.is_empty() { Err(RecordError::NoCookie.into()) } else { Ok(session) }
}

#[cfg(test)]
mod tests;
