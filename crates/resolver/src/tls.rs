//! Who is believed to be an upstream: TLS 1.3, the public roots, and a clock that may not have been set yet.
//!
//! A box without a battery starts in 1970, or at the date its image was built; it must resolve the names of time servers before it
//! knows the time. While the caller says so, and only then, a certificate that is *not valid yet* is judged at the moment it becomes
//! valid. What has expired by the box's clock, bears another name, or comes from an unknown issuer is refused at any time.

use rustls::CertificateError;
use rustls::ClientConfig;
use rustls::DigitallySignedStruct;
use rustls::RootCertStore;
use rustls::SignatureScheme;
use rustls::client::Resumption;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// Certificates of a chain whose start of validity may each have to be waited for.
const MAX_CHAIN: usize = 4;
/// Sessions that may be resumed: more than upstreams there are.
const SESSIONS: usize = 16;

/// Why TLS cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// An extra root is no certificate.
    #[error("read an extra root certificate")]
    Root {
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// The verifier cannot be built.
    #[error("build the certificate verifier")]
    Verifier {
        /// What is wrong.
        #[source]
        source: rustls::client::VerifierBuilderError,
    },
    /// The crypto provider lacks TLS 1.3.
    #[error("set up TLS 1.3")]
    Version {
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
}

/// Whether the clock has been set from an outside source; shared with the verifier.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClockState(Arc<AtomicBool>);

impl ClockState {
    pub(crate) fn new(synchronised: bool) -> Self {
        Self(Arc::new(AtomicBool::new(synchronised)))
    }

    pub(crate) fn is_synchronised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns what it was before.
    pub(crate) fn set(&self, synchronised: bool) -> bool {
        self.0.swap(synchronised, Ordering::Relaxed)
    }
}

/// Who may sign certificates of upstreams; made once.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    provider: Arc<CryptoProvider>,
    verifier: Arc<TimeTolerantVerifier>,
}

impl Trust {
    /// The public roots and `extra` ones.
    pub(crate) fn new(extra: &[CertificateDer<'static>], clock: ClockState) -> Result<Self, TlsError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in extra {
            roots.add(root.clone()).map_err(|source| TlsError::Root { source })?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|source| TlsError::Verifier { source })?;
        Ok(Self { provider, verifier: Arc::new(TimeTolerantVerifier { inner, clock }) })
    }

    /// A configuration without memory of earlier sessions: what was forgiven while the clock was wrong is not carried on.
    pub(crate) fn client_config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|source| TlsError::Version { source })?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<TimeTolerantVerifier>::clone(&self.verifier))
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(Arc::new(config))
    }
}

/// The ordinary verifier, with patience for certificates from the future while the clock is not set.
#[derive(Debug)]
struct TimeTolerantVerifier {
    inner: Arc<WebPkiServerVerifier>,
    clock: ClockState,
}

impl ServerCertVerifier for TimeTolerantVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut at = now;
        for _ in 0..MAX_CHAIN {
            let verdict =
                self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, at);
            match verdict {
                Err(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before,
                    ..
                })) if !self.clock.is_synchronised() && not_before > at => at = not_before,
                verdict => return verdict,
            }
        }
        Err(CertificateError::NotValidYet.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
