use proptest::prelude::*;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use rcgen::date_time_ymd;
use rustls::RootCertStore;

use super::*;

const DAY: i64 = 86_400;
const Y2026: i64 = 1_767_225_600;

fn day(day: i64) -> Timestamp {
    Timestamp::from_secs(Y2026 + day * DAY)
}

/// A certificate for the first three months of 2026, and its issuer's of 2020 to 2040.
fn chain() -> (Arc<WebPkiServerVerifier>, CertificateDer<'static>) {
    let mut issuer = CertificateParams::default();
    issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    issuer.not_before = date_time_ymd(2020, 1, 1);
    issuer.not_after = date_time_ymd(2040, 1, 1);
    let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().unwrap()).unwrap();
    let mut server = CertificateParams::new(["time.example.org".to_owned()]).unwrap();
    server.not_before = date_time_ymd(2026, 1, 1);
    server.not_after = date_time_ymd(2026, 4, 1);
    let server = server.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(issuer.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    (verifier, server.der().clone())
}

fn accepts(name: &str, dates: Dates) -> bool {
    let (chain, certificate) = chain();
    let name = ServerName::try_from(name).unwrap();
    let ignored = UnixTime::since_unix_epoch(Duration::from_secs(0));
    Verifier::new(chain, dates).verify_server_cert(&certificate, &[], &name, &[], ignored).is_ok()
}

#[test]
fn dates_are_read() {
    let (_, certificate) = chain();
    assert_eq!(Validity::of(&certificate), Some(Validity { from: day(0), until: day(90) }));
}

#[test]
fn a_known_date_is_held_against_the_certificate() {
    let name = "time.example.org";
    for (at, good) in [(-1, false), (0, true), (45, true), (90, true), (91, false)] {
        assert_eq!(accepts(name, Dates::Known(day(at))), good, "day {at}");
    }
}

#[test]
fn a_doubtful_date_is_not_but_what_is_past_is_past() {
    let name = "time.example.org";
    // (clock shows, known to be past, accepted)
    let cases = [
        (day(-1_000), day(-1_000), true),
        (day(45), day(-1_000), true),
        (day(9_000), day(-1_000), true),
        (day(9_000), day(90), true),
        (day(9_000), day(91), false),
        (day(91), day(91), false),
        (Timestamp::from_nanos(i64::MIN), Timestamp::from_nanos(i64::MIN), true),
    ];
    for (shown, past, accepted) in cases {
        assert_eq!(accepts(name, Dates::Doubtful { shown, past }), accepted, "{shown:?} {past:?}");
    }
}

#[test]
fn everything_else_is_checked_as_always() {
    let doubtful = Dates::Doubtful { shown: day(0), past: day(0) };
    assert!(!accepts("time.example.com", doubtful));
    // Another issuer of the same name.
    let ((trusted, _), (_, strange)) = (chain(), chain());
    let name = ServerName::try_from("time.example.org").unwrap();
    let ignored = UnixTime::since_unix_epoch(Duration::from_secs(0));
    Verifier::new(trusted, doubtful).verify_server_cert(&strange, &[], &name, &[], ignored).unwrap_err();
}

proptest! {
    #[test]
    fn any_bytes_have_dates_or_none(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        prop_assert_eq!(Validity::of(&CertificateDer::from(bytes)), None);
    }

    #[test]
    fn any_damage_is_read_or_refused(at in 0_usize..300, byte: u8) {
        let (verifier, certificate) = chain();
        let mut bytes = certificate.to_vec();
        let at = at % bytes.len();
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let name = ServerName::try_from("time.example.org").unwrap();
        let ignored = UnixTime::since_unix_epoch(Duration::from_secs(0));
        let verifier = Verifier::new(verifier, Dates::Doubtful { shown: day(0), past: day(0) });
        verifier.verify_server_cert(&CertificateDer::from(bytes), &[], &name, &[], ignored).unwrap_err();
    }
}
