//! The household authority: a name-constrained certificate authority with an ECDSA P-256 key.

use super::FIRST_YEAR;
use super::HOME_NETWORKS_V4;
use super::HOME_NETWORKS_V6;
use super::LAST_YEAR;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CidrSubnet;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::GeneralSubtree;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::NameConstraints;
use rcgen::PKCS_ECDSA_P256_SHA256;
use rustls::pki_types::CertificateDer;
use sha2::Digest;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Domains that exist in a home only (RFC 6762, RFC 8375).
const HOME_DOMAINS: [&str; 2] = ["local", "home.arpa"];

/// The authority with its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// What is stored of an authority; wiped from memory when dropped.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct StoredAuthority {
    /// Its key, PKCS #8 DER.
    key: Zeroizing<Vec<u8>>,
    /// Its certificate, DER.
    certificate: Vec<u8>,
}

/// What was being done when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Making the key.
    Key,
    /// Signing the certificate.
    Certificate,
    /// Reading what was stored.
    Stored,
}

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
#[error("make or read the household authority ({step:?})")]
pub struct AuthorityError {
    /// What was being done.
    pub step: Step,
    /// What went wrong.
    #[source]
    source: rcgen::Error,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({})", self.fingerprint())
    }
}

impl std::fmt::Debug for StoredAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredAuthority(…)")
    }
}

impl Authority {
    /// Makes a new authority; `stored` of the result is what to keep.
    ///
    /// # Errors
    ///
    /// When the key cannot be made or the certificate not be signed.
    pub fn generate() -> Result<(Self, StoredAuthority), AuthorityError> {
        let failed = |step| move |source| AuthorityError { step, source };
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed(Step::Key))?;
        let params = parameters(&key);
        let certificate = params.self_signed(&key).map_err(failed(Step::Certificate))?.der().clone();
        let stored = StoredAuthority {
            key: Zeroizing::new(key.serialize_der()),
            certificate: certificate.as_ref().to_vec(),
        };
        Ok((Self { issuer: Issuer::new(params, key), certificate }, stored))
    }

    /// Takes up an authority that was stored.
    ///
    /// # Errors
    ///
    /// When key or certificate cannot be read.
    pub fn from_stored(stored: &StoredAuthority) -> Result<Self, AuthorityError> {
        let failed = |source| AuthorityError { step: Step::Stored, source };
        let key = KeyPair::try_from(stored.key.as_slice()).map_err(failed)?;
        let certificate = CertificateDer::from(stored.certificate.clone());
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(failed)?;
        Ok(Self { issuer, certificate })
    }

    /// Its certificate.
    #[must_use]
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub(super) const fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// Its certificate as PEM text.
    #[must_use]
    pub fn pem(&self) -> String {
        super::pem::encode("CERTIFICATE", &self.certificate)
    }

    /// SHA-256 of the certificate as browsers show it: `AB:CD:…`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let bytes: Vec<String> =
            Sha256::digest(&self.certificate).iter().map(|byte| format!("{byte:02X}")).collect();
        bytes.join(":")
    }
}

fn parameters(key: &KeyPair) -> CertificateParams {
    use rcgen::PublicKeyData;
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(FIRST_YEAR, 1, 1);
    params.not_after = rcgen::date_time_ymd(LAST_YEAR, 12, 31);
    // Names must differ between households: a browser with two installed would else try one household's key on the
    // other's leaf. The organisation tells people what they installed.
    let id: String =
        Sha256::digest(key.der_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    params.distinguished_name.push(DnType::OrganizationName, "Hearth");
    params.distinguished_name.push(DnType::CommonName, format!("Hearth household {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: permitted(), excluded_subtrees: vec![] });
    params
}

fn permitted() -> Vec<GeneralSubtree> {
    let domains = HOME_DOMAINS.map(|domain| GeneralSubtree::DnsName(domain.to_owned()));
    let v4 = HOME_NETWORKS_V4.map(|(network, prefix)| CidrSubnet::from_v4_prefix(network.octets(), prefix));
    let v6 = HOME_NETWORKS_V6.map(|(network, prefix)| CidrSubnet::from_v6_prefix(network.octets(), prefix));
    domains.into_iter().chain(v4.into_iter().chain(v6).map(GeneralSubtree::IpAddress)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_authority_is_the_same_one() {
        let (made, stored) = Authority::generate().unwrap();
        let bytes = serde_json::to_vec(&stored).unwrap();
        let read = Authority::from_stored(&serde_json::from_slice(&bytes).unwrap()).unwrap();
        assert_eq!(made.certificate(), read.certificate());
        assert_eq!(made.fingerprint(), read.fingerprint());
        assert_eq!(made.fingerprint().len(), 32 * 3 - 1);
    }

    #[test]
    fn two_households_differ() {
        let (one, _) = Authority::generate().unwrap();
        let (other, _) = Authority::generate().unwrap();
        assert_ne!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn the_pem_text_is_the_certificate() {
        use rustls::pki_types::pem::PemObject;
        let (made, _) = Authority::generate().unwrap();
        let pem = made.pem();
        assert_eq!(&CertificateDer::from_pem_slice(pem.as_bytes()).unwrap(), made.certificate());
        assert!(pem.lines().all(|line| line.len() <= 64));
    }

    /// What a client says that trusts this authority alone, at some second since 1970.
    fn client_says(authority: &Authority, name: &str, at: u64) -> Result<(), rustls::Error> {
        use rustls::client::danger::ServerCertVerifier;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.certificate().clone()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            rustls::client::WebPkiServerVerifier::builder_with_provider(std::sync::Arc::new(roots), provider)
                .build()
                .unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.use_authority_key_identifier_extension = true;
        params.not_after = rcgen::date_time_ymd(LAST_YEAR, 12, 31);
        params.not_before = rcgen::date_time_ymd(FIRST_YEAR, 1, 1);
        let leaf = params.signed_by(&key, authority.issuer()).unwrap();
        let now = rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(at));
        let name = name.to_owned().try_into().unwrap();
        verifier.verify_server_cert(leaf.der(), &[], &name, &[], now).map(|_verified| ())
    }

    #[test]
    fn clients_accept_it_for_home_names_only_and_at_any_time() {
        let (authority, _) = Authority::generate().unwrap();
        let year_2500 = 530 * 365 * 86_400;
        for at in [1, 1_800_000_000, year_2500] {
            for name in ["hearth.local", "app.hearth.local", "oak.home.arpa", "192.168.1.5", "fe80::1"] {
                assert_eq!(client_says(&authority, name, at), Ok(()), "{name} {at}");
            }
        }
        for name in ["example.com", "notlocal", "local.example.com", "8.8.8.8", "2001:db8::1"] {
            let refused = client_says(&authority, name, 1_800_000_000).unwrap_err();
            assert!(format!("{refused:?}").contains("NameConstraint"), "{name}: {refused:?}");
        }
    }

    #[test]
    fn a_damaged_store_is_an_error() {
        let (_, mut stored) = Authority::generate().unwrap();
        stored.key.truncate(20);
        Authority::from_stored(&stored).unwrap_err();
    }
}
