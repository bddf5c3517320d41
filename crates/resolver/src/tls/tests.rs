//! What the verifier forgives and what it never does.

use super::*;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::date_time_ymd;
use std::time::Duration;

/// Seconds of 1 January of these years.
const Y1970: u64 = 0;
const Y2025: u64 = 1_735_689_600;
const Y2031: u64 = 1_924_992_000;

struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2040, 1, 1);
        Self { params, key: KeyPair::generate().unwrap() }
    }

    fn root(&self) -> CertificateDer<'static> {
        self.params.self_signed(&self.key).unwrap().into()
    }

    /// An intermediate valid from that year on.
    fn intermediate(&self, name: &str, from: i32) -> (Self, CertificateDer<'static>) {
        let mut below = Self::new(name);
        below.params.not_before = date_time_ymd(from, 1, 1);
        let signed =
            below.params.signed_by(&below.key, &Issuer::from_params(&self.params, &self.key)).unwrap();
        (below, signed.into())
    }

    /// A certificate for `name`, valid through these years.
    fn certificate(&self, name: &str, from: i32, until: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap().into()
    }
}

fn judge(
    authority: &Authority,
    synchronised: bool,
    chain: &[CertificateDer<'static>],
    clock: u64,
) -> Result<(), CertificateError> {
    let trust = Trust::new(&[authority.root()], ClockState::new(synchronised)).unwrap();
    let name = ServerName::try_from("dns.example").unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(clock));
    let (leaf, intermediates) = chain.split_first().unwrap();
    match trust.verifier.verify_server_cert(leaf, intermediates, &name, &[], now) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InvalidCertificate(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_certificate_of_today_is_good() {
    let authority = Authority::new("root");
    assert_eq!(judge(&authority, true, &[authority.certificate("dns.example", 2024, 2026)], Y2025), Ok(()));
}

#[test]
fn not_valid_yet_is_forgiven_only_while_the_clock_is_not_set() {
    let authority = Authority::new("root");
    let certificate = [authority.certificate("dns.example", 2024, 2026)];
    assert_eq!(judge(&authority, false, &certificate, Y1970), Ok(()));
    assert!(matches!(
        judge(&authority, true, &certificate, Y1970),
        Err(CertificateError::NotValidYetContext { .. })
    ));
}

#[test]
fn a_chain_that_begins_later_than_the_leaf_is_forgiven_too() {
    let authority = Authority::new("root");
    let (below, intermediate) = authority.intermediate("intermediate", 2025);
    let chain = [below.certificate("dns.example", 2024, 2026), intermediate];
    assert_eq!(judge(&authority, false, &chain, Y1970), Ok(()));
    // The leaf is over before its issuer begins: there is no moment at which both are valid.
    let chain = [below.certificate("dns.example", 2022, 2023), chain[1].clone()];
    assert!(matches!(judge(&authority, false, &chain, Y1970), Err(CertificateError::ExpiredContext { .. })));
}

#[test]
fn expired_by_the_clock_is_never_forgiven() {
    let authority = Authority::new("root");
    let certificate = [authority.certificate("dns.example", 2024, 2026)];
    for synchronised in [false, true] {
        let verdict = judge(&authority, synchronised, &certificate, Y2031);
        assert!(matches!(verdict, Err(CertificateError::ExpiredContext { .. })), "{verdict:?}");
    }
}

#[test]
fn another_name_or_issuer_is_never_forgiven() {
    let authority = Authority::new("root");
    let stranger = Authority::new("stranger");
    for clock in [Y1970, Y2025] {
        let verdict = judge(&authority, false, &[authority.certificate("other.example", 2024, 2026)], clock);
        assert!(matches!(verdict, Err(CertificateError::NotValidForNameContext { .. })), "{verdict:?}");
        let verdict = judge(&authority, false, &[stranger.certificate("dns.example", 2024, 2026)], clock);
        assert!(matches!(verdict, Err(CertificateError::UnknownIssuer)), "{verdict:?}");
    }
}
