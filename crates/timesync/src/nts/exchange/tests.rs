//! The client's end against servers that answer anything.

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::time::Timestamp;

const NAME: &str = "time.example.org";
const GOOD: [u8; 24] = [0x80, 1, 0, 2, 0, 0, 0, 4, 0, 2, 0, 15, 0, 5, 0, 4, 1, 2, 3, 4, 0x80, 0, 0, 0];

/// A server that sends these bytes to whoever connects, and who vouches for it.
async fn serve(protocol: &[u8], answer: Vec<u8>) -> (SocketAddr, Arc<RootCertStore>) {
    let mut issuer = CertificateParams::default();
    issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([NAME.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut configuration = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    configuration.alpn_protocols = if protocol.is_empty() { Vec::new() } else { vec![protocol.to_vec()] };
    let mut roots = RootCertStore::empty();
    roots.add(issuer.der().clone()).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(configuration));
        let (stream, _) = listener.accept().await.unwrap();
        // The client may break off at any point: that is what some tests are about.
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        let mut request = [0; 16];
        if stream.read_exact(&mut request).await.is_ok() {
            assert_eq!(request, records::REQUEST);
            if stream.write_all(&answer).await.is_ok() {
                stream.shutdown().await.unwrap_or_default();
            }
        }
    });
    (address, Arc::new(roots))
}

const DATES: Dates = Dates::Known(Timestamp::from_secs(1_800_000_000));

#[tokio::test]
async fn keys_and_cookies_are_granted() {
    let (address, roots) = serve(b"ntske/1", GOOD.to_vec()).await;
    let (session, granted) = exchange(NAME, address, roots, DATES).await.unwrap();
    assert_eq!(session.cookies, [[1, 2, 3, 4]]);
    assert_ne!(*session.client_key.0, *session.server_key.0);
    assert_eq!((granted.server, granted.port), (None, None));
    assert_eq!(format!("{:?}", session.client_key), "Key(…)");
}

#[tokio::test]
async fn every_useless_server_has_its_reason() {
    let endless = vec![0; 2 * records::LONGEST_ANSWER - 4];
    // Records of an unknown kind that need not be understood.
    let endless: Vec<u8> = endless.chunks(4).flat_map(|_| [0x40, 0, 0, 0]).collect();
    let cases = [
        (&b"http/1.1"[..], GOOD.to_vec(), "shaking hands"),
        (b"", GOOD.to_vec(), "the server does not speak the key exchange"),
        (b"ntske/1", Vec::new(), "the answer is not complete"),
        (b"ntske/1", GOOD[..20].to_vec(), "the answer is not complete"),
        (b"ntske/1", endless, "the answer is not complete"),
        (b"ntske/1", vec![0x80, 2, 0, 2, 0, 1, 0x80, 0, 0, 0], "the server answers with error 1"),
    ];
    for (protocol, answer, reason) in cases {
        let (address, roots) = serve(protocol, answer).await;
        let error = exchange(NAME, address, roots, DATES).await.unwrap_err();
        assert!(error.to_string().starts_with(reason), "{reason}: {error:?}");
    }
}

#[tokio::test]
async fn only_cookies_that_are_too_long_are_none() {
    let length = u16::try_from(crate::nts::LONGEST_COOKIE + 1).unwrap();
    let cookie = [&[0, 5][..], &length.to_be_bytes(), &vec![1; usize::from(length)]].concat();
    let answer = [&GOOD[..12], &cookie, &GOOD[20..]].concat();
    let (address, roots) = serve(b"ntske/1", answer).await;
    let error = exchange(NAME, address, roots, DATES).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Records(RecordError::NoCookie)), "{error:?}");
}

#[tokio::test]
async fn who_is_not_vouched_for_gets_no_question() {
    let (address, roots) = serve(b"ntske/1", GOOD.to_vec()).await;
    let error = exchange("time.example.com", address, roots, DATES).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Handshake(..)), "{error:?}");
    let (address, _) = serve(b"ntske/1", GOOD.to_vec()).await;
    let (_, strange) = serve(b"ntske/1", GOOD.to_vec()).await;
    let error = exchange(NAME, address, strange, DATES).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Handshake(..)), "{error:?}");
    let (address, roots) = serve(b"ntske/1", GOOD.to_vec()).await;
    // rcgen's certificates begin in 1975.
    let error = exchange(NAME, address, roots, Dates::Known(Timestamp::from_secs(0))).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Handshake(..)), "{error:?}");
    let error = exchange("not a name", address, Arc::new(RootCertStore::empty()), DATES).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Name(_)), "{error:?}");
}
