//! Whose dates count when the clock is the thing in doubt (RFC 8915 section 8.5).
//!
//! A certificate counts from one date to another, and the box has no date until it has asked a server with a certificate.
//! So, while the clock was not yet set by a server that proved who it is, a chain is checked at the nearest time to the
//! clock's at which the server's certificate counts. Two things keep old, stolen keys out: a certificate that ended before a
//! time known to be past never counts, and a time from outside the certificate's dates is not taken ([`Validity::covers`]).
//! Everything else (names, signatures, trusted roots) is checked as always.

use std::sync::Arc;
use std::time::Duration;

use rustls::CertificateError;
use rustls::DigitallySignedStruct;
use rustls::Error;
use rustls::SignatureScheme;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use x509_cert::der::Decode;

use crate::time::Timestamp;

/// What is known of the date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dates {
    /// The clock is right.
    Known(Timestamp),
    /// The clock shows something that nobody vouches for.
    Doubtful {
        /// What it shows.
        shown: Timestamp,
        /// A time known to be past.
        past: Timestamp,
    },
}

/// When a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First second.
    pub from: Timestamp,
    /// Last second.
    pub until: Timestamp,
}

impl Validity {
    /// Reads the dates of a certificate.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = x509_cert::Certificate::from_der(certificate).ok()?;
        let dates = parsed.tbs_certificate.validity;
        let read = |time: x509_cert::time::Time| {
            i64::try_from(time.to_unix_duration().as_secs()).ok().map(Timestamp::from_secs)
        };
        Some(Self { from: read(dates.not_before)?, until: read(dates.not_after)? })
    }

    /// Whether it counts at that time.
    #[must_use]
    pub fn covers(&self, time: Timestamp) -> bool {
        self.from <= time && time <= self.until
    }

    /// When to check a chain with such a certificate; none when it cannot count any more.
    fn check_at(&self, dates: Dates) -> Option<Timestamp> {
        match dates {
            Dates::Known(now) => Some(now),
            Dates::Doubtful { past, .. } if self.until < past => None,
            Dates::Doubtful { shown, .. } => Some(shown.max(self.from).min(self.until)),
        }
    }
}

/// The verifier of rustls with the time chosen as above.
#[derive(Debug)]
pub struct Verifier {
    chain: Arc<WebPkiServerVerifier>,
    dates: Dates,
}

impl Verifier {
    /// Checks chains with `chain` at a time that follows from `dates`.
    #[must_use]
    pub fn new(chain: Arc<WebPkiServerVerifier>, dates: Dates) -> Self {
        Self { chain, dates }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let bad = |error| Error::InvalidCertificate(error);
        let validity = Validity::of(end_entity).ok_or_else(|| bad(CertificateError::BadEncoding))?;
        let at = validity.check_at(self.dates).ok_or_else(|| bad(CertificateError::Expired))?;
        let seconds = u64::try_from(at.secs()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
