//! The household's certificate and its fingerprint.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::Digest;
use sha2::Sha256;
use std::fmt;
use std::str::FromStr;

/// SHA-256 of a certificate, written as browsers and the box show it: `AB:CD:…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint has 64 hexadecimal digits; colons and spaces do not count")]
pub struct InvalidFingerprint;

/// What was fetched is no certificate.
#[derive(Debug, thiserror::Error)]
#[error("read the household's certificate: this is no PEM text with one certificate")]
pub struct NoCertificate;

impl Fingerprint {
    /// Of this certificate.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    /// In two lines that can be compared by eye.
    #[must_use]
    pub fn lines(&self) -> [String; 2] {
        let (first, second) = self.0.split_at(16);
        [hex(first), hex(second)]
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| !matches!(c, ':' | ' ' | '-'))
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(InvalidFingerprint))
            .collect::<Result<_, _>>()?;
        let bytes: Vec<u8> =
            digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |b, d| b << 4 | d)).collect();
        if digits.len() != 64 {
            return Err(InvalidFingerprint);
        }
        bytes.try_into().map(Self).map_err(|_length| InvalidFingerprint)
    }
}

/// Reads the one certificate of a PEM text.
///
/// # Errors
///
/// When there is none, or more than one: then it would not be clear whose fingerprint was compared.
pub fn parse(pem: &str) -> Result<CertificateDer<'static>, NoCertificate> {
    let mut found = CertificateDer::pem_slice_iter(pem.as_bytes());
    match (found.next(), found.next()) {
        (Some(Ok(certificate)), None) => Ok(certificate),
        _ => Err(NoCertificate),
    }
}

fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_however_it_was_copied() {
        let print = Fingerprint([0xAB; 32]);
        let text = print.to_string();
        assert_eq!(text.len(), 95);
        for copy in [
            text.clone(),
            text.to_lowercase(),
            text.replace(':', ""),
            text.replace(':', " "),
            print.lines().join(" "),
        ] {
            assert_eq!(copy.parse(), Ok(print), "{copy}");
        }
        for bad in ["", "AB", &text[..92], &format!("{text}:AB"), &text.replace('A', "G"), "\u{e9}"] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(InvalidFingerprint), "{bad}");
        }
    }

    #[test]
    fn exactly_one_certificate_is_taken() {
        let one = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
        assert_eq!(parse(one).unwrap().as_ref(), [1, 2, 3]);
        for bad in [
            "",
            "AQID",
            &format!("{one}{one}"),
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            parse(bad).unwrap_err();
        }
    }
}
