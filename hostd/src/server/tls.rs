//! TLS: version 1.3 only, ring's ciphers, and a certificate that can be exchanged while connections live.

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::ClientHello;
use rustls::server::ResolvesServerCert;
use rustls::server::ServerSessionMemoryCache;
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use tokio_rustls::TlsAcceptor;

/// Sessions kept for resumption, some hundred bytes each: a household's devices.
const RESUMABLE_SESSIONS: usize = 64;

/// The certificate that new connections get; those that live keep the one they began with.
#[derive(Debug)]
pub struct LiveCertificate(RwLock<Arc<CertifiedKey>>);

impl LiveCertificate {
    /// Starts with this one.
    #[must_use]
    pub fn new(certificate: Arc<CertifiedKey>) -> Arc<Self> {
        Arc::new(Self(RwLock::new(certificate)))
    }

    /// From now on, this one.
    pub fn exchange(&self, certificate: Arc<CertifiedKey>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = certificate;
    }
}

impl ResolvesServerCert for LiveCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Makes the acceptor of the HTTPS port.
///
/// # Errors
///
/// When the provider has no cipher for TLS 1.3.
pub fn acceptor(
    provider: Arc<CryptoProvider>,
    certificate: Arc<LiveCertificate>,
) -> Result<TlsAcceptor, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = ServerSessionMemoryCache::new(RESUMABLE_SESSIONS);
    config.send_tls13_tickets = 1;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
