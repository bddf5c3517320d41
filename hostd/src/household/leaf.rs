//! The box's own certificate: which names it carries, when it is made anew, and how it is signed.

use super::FIRST_YEAR;
use super::LAST_YEAR;
use super::authority::Authority;
use super::is_home_address;
use super::pem;
use model::names::HostName;
use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::PKCS_ECDSA_P256_SHA256;
use rcgen::SanType;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::sign::CertifiedKey;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Addresses a certificate carries at most; a home link has a handful.
const MAX_ADDRESSES: usize = 32;

/// What the certificate vouches for.
///
/// The bare host name (`hearth` without `.local`) is not among it: the authority is constrained to `local` and `home.arpa`, and
/// one name outside of that makes a client refuse the whole certificate. Nor are addresses that exist outside homes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LeafNames {
    hosts: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
}

impl LeafNames {
    /// For these host names (the chosen one, and the one announced when that was taken) and addresses of the box.
    #[must_use]
    pub fn new(hosts: &[HostName], addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let addresses = addresses
            .into_iter()
            .map(|address| address.to_canonical())
            .filter(|address| is_home_address(*address))
            .take(MAX_ADDRESSES)
            .collect();
        Self { hosts: hosts.iter().map(HostName::local).collect(), addresses }
    }

    /// Whether this host is among the names.
    #[must_use]
    pub fn is_for_host(&self, host: &HostName) -> bool {
        self.hosts.contains(&host.local())
    }

    /// Whether a certificate for `self` serves for `wanted` as well.
    ///
    /// It may vouch for addresses that the box no longer has: people who accepted the certificate without installing the
    /// authority are asked again at every change, so a lease that comes and goes must not make a new one.
    #[must_use]
    pub fn covers(&self, wanted: &Self) -> bool {
        self.hosts == wanted.hosts && self.addresses.is_superset(&wanted.addresses)
    }
}

/// A certificate with its key, as stored; the key is wiped from memory when dropped.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Leaf {
    names: LeafNames,
    /// PKCS #8 DER.
    key: Zeroizing<Vec<u8>>,
    /// DER.
    certificate: Vec<u8>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
    /// The key could not be made.
    #[error("make a key for the box's certificate")]
    Key {
        /// What went wrong.
        #[source]
        source: rcgen::Error,
    },
    /// A name cannot stand in a certificate.
    #[error("put the name {name} into the certificate")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        #[source]
        source: rcgen::Error,
    },
    /// It could not be signed.
    #[error("sign the box's certificate")]
    Sign {
        /// What went wrong.
        #[source]
        source: rcgen::Error,
    },
    /// The TLS library refuses the key.
    #[error("load the key of the box's certificate")]
    Load {
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

impl std::fmt::Debug for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leaf").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Leaf {
    /// Makes a key and has it certified.
    ///
    /// # Errors
    ///
    /// When key or signature cannot be made.
    pub fn issue(authority: &Authority, names: LeafNames) -> Result<Self, LeafError> {
        let key =
            KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|source| LeafError::Key { source })?;
        let certificate = parameters(&names)?
            .signed_by(&key, authority.issuer())
            .map_err(|source| LeafError::Sign { source })?;
        Ok(Self {
            names,
            key: Zeroizing::new(key.serialize_der()),
            certificate: certificate.der().as_ref().to_vec(),
        })
    }

    /// What it vouches for.
    #[must_use]
    pub const fn names(&self) -> &LeafNames {
        &self.names
    }

    /// Certificate, authority and key in the form the TLS library serves.
    ///
    /// # Errors
    ///
    /// When the library refuses the key.
    pub fn certified(
        &self,
        authority: &Authority,
        provider: &CryptoProvider,
    ) -> Result<Arc<CertifiedKey>, LeafError> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.to_vec()));
        let chain = vec![CertificateDer::from(self.certificate.clone()), authority.certificate().clone()];
        CertifiedKey::from_der(chain, key, provider)
            .map(Arc::new)
            .map_err(|source| LeafError::Load { source })
    }

    /// Certificate and authority as one PEM text, and the key (PKCS #8) as another.
    #[must_use]
    pub fn pem(&self, authority: &Authority) -> (String, String) {
        let chain = pem::encode("CERTIFICATE", &self.certificate) + &authority.pem();
        (chain, pem::encode("PRIVATE KEY", &self.key))
    }
}

fn parameters(names: &LeafNames) -> Result<CertificateParams, LeafError> {
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(FIRST_YEAR, 1, 1);
    params.not_after = rcgen::date_time_ymd(LAST_YEAR, 12, 31);
    let shown = names.hosts.first().map_or("Hearth", String::as_str);
    // A common name has at most 64 characters (RFC 5280 appendix A, ub-common-name); clients read the alternative names.
    let shown = if shown.len() <= 64 { shown } else { "Hearth" };
    params.distinguished_name.push(DnType::CommonName, shown);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    for host in &names.hosts {
        for name in [host.clone(), format!("*.{host}")] {
            let text =
                name.as_str().try_into().map_err(|source| LeafError::Name { name: name.clone(), source })?;
            params.subject_alt_names.push(SanType::DnsName(text));
        }
    }
    params.subject_alt_names.extend(names.addresses.iter().copied().map(SanType::IpAddress));
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(host: &str, addresses: &[&str]) -> LeafNames {
        LeafNames::new(&[host.parse().unwrap()], addresses.iter().map(|text| text.parse().unwrap()))
    }

    #[test]
    fn a_certificate_serves_until_a_name_or_address_is_missing() {
        let has = names("hearth", &["10.0.2.15", "fe80::1"]);
        for (wanted, covered) in [
            (names("hearth", &["10.0.2.15", "fe80::1"]), true),
            (names("hearth", &["10.0.2.15"]), true),
            (names("hearth", &[]), true),
            (names("hearth", &["10.0.2.15", "8.8.8.8"]), true),
            (names("hearth", &["10.0.2.16"]), false),
            (names("oak", &["10.0.2.15"]), false),
        ] {
            assert_eq!(has.covers(&wanted), covered, "{wanted:?}");
        }
    }

    #[test]
    fn the_longest_host_name_can_be_certified() {
        let (authority, _) = Authority::generate().unwrap();
        let leaf = Leaf::issue(&authority, names(&"a".repeat(63), &["192.168.1.2"])).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        assert_eq!(leaf.certified(&authority, &provider).unwrap().cert.len(), 2);
    }
}
