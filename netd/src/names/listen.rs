//! DNS over TLS for the home network.

use hostapi::net1::DnsCertificate;
use resolver::Listener;
use resolver::Resolver;
use resolver::config::TLS_PORT;
use resolver::listen::ListenError;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertificateError {
    /// A part of it is no PEM.
    #[error("read the {part}")]
    Read {
        /// Chain or key.
        part: &'static str,
        /// Why not.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// They do not belong together.
    #[error("use the certificate for name service")]
    Use(#[source] rustls::Error),
}

/// Listeners with a certificate.
#[derive(Debug, Default)]
pub(super) struct Secure {
    certificate: Option<DnsCertificate>,
    config: Option<Arc<ServerConfig>>,
    open: BTreeMap<IpAddr, Listener>,
}

impl Secure {
    /// Listens at these addresses with this certificate and at no others; without one, nowhere.
    pub(super) fn set(
        &mut self,
        resolver: &Resolver,
        certificate: Option<&DnsCertificate>,
        wanted: &BTreeSet<IpAddr>,
    ) -> Vec<ListenError> {
        let is_same = match (&self.certificate, certificate) {
            (None, None) => true,
            (Some(old), Some(new)) => (&old.chain_pem, &old.key_pem) == (&new.chain_pem, &new.key_pem),
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !is_same {
            self.open.clear();
            self.certificate = certificate.cloned();
            // It was checked when it came.
            self.config = certificate.and_then(|certificate| server_config(certificate).ok()).map(Arc::new);
        }
        self.open.retain(|address, _| wanted.contains(address));
        let Some(config) = &self.config else { return Vec::new() };
        let mut problems = Vec::new();
        for address in wanted {
            if self.open.contains_key(address) {
                continue;
            }
            let socket = SocketAddr::new(*address, TLS_PORT);
            let bound = std::net::TcpListener::bind(socket)
                .map_err(|source| ListenError::Bind { address: socket, source })
                .and_then(|listener| resolver.serve_tls(listener, Arc::clone(config)));
            match bound {
                Ok(listener) => {
                    self.open.insert(*address, listener);
                }
                Err(problem) => problems.push(problem),
            }
        }
        problems
    }
}

/// TLS 1.3 with this certificate.
///
/// # Errors
/// When chain and key are not PEM or do not belong together.
pub(super) fn server_config(certificate: &DnsCertificate) -> Result<ServerConfig, CertificateError> {
    let read = |part| move |source| CertificateError::Read { part, source };
    let chain = CertificateDer::pem_slice_iter(certificate.chain_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(read("certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes()).map_err(read("key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(CertificateError::Use)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(CertificateError::Use)?;
    // RFC 7858 has no name of its own for it; RFC 9461 section 5.1 registers "dot".
    config.alpn_protocols = vec![b"dot".to_vec()];
    Ok(config)
}
