//! The port that speaks HTTPS: version, chain, names.

use crate::harness::Client;
use crate::harness::settings;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A ClientHello that offers TLS 1.2 and nothing newer (RFC 5246 section 7.4.1.2), as curl or an old phone would send it.
fn hello_1_2() -> Vec<u8> {
    let extensions: &[u8] = &[
        0, 10, 0, 4, 0, 2, 0, 23, // supported_groups: secp256r1
        0, 11, 0, 2, 1, 0, // ec_point_formats: uncompressed
        0, 13, 0, 4, 0, 2, 4, 3, // signature_algorithms: ecdsa_secp256r1_sha256
        0, 23, 0, 0, // extended_master_secret
    ];
    let mut body = vec![3, 3];
    body.extend([7; 32]); // random
    body.push(0); // session id
    body.extend([0, 2, 0xc0, 0x2b]); // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    body.extend([1, 0]); // no compression
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    let mut handshake = vec![1, 0];
    handshake.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    handshake.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend(u16::try_from(handshake.len()).unwrap().to_be_bytes());
    record.extend(handshake);
    record
}

#[tokio::test]
async fn tls_1_2_is_refused_by_an_alert() {
    let folder = tempfile::tempdir().unwrap();
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let mut stream = TcpStream::connect(running.https).await.unwrap();
    stream.write_all(&hello_1_2()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    // Alert record, fatal, protocol_version (RFC 8446 section 6).
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 70]);
}

#[tokio::test]
async fn tls_1_3_works_and_the_chain_leads_to_the_household_authority() {
    let folder = tempfile::tempdir().unwrap();
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let client = Client::of(&running);
    for name in ["hearth.local", "app.hearth.local"] {
        let stream = client.connect(name).await.unwrap();
        let (_, tls) = stream.get_ref();
        assert_eq!(tls.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
        let chain = tls.peer_certificates().unwrap();
        assert_eq!(chain.len(), 2);
        assert_eq!(&chain[1], running.app.authority.certificate());
    }
    client.connect("oak.local").await.unwrap_err();
    assert_eq!(client.get("/api/v1/status").await.json()["state"], "setup");
}

#[tokio::test]
async fn another_household_is_not_trusted() {
    let (folder, other_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let other = hostd::start(settings(other_folder.path())).await.unwrap();
    let client = Client::new(running.https, other.app.authority.certificate());
    client.connect("hearth.local").await.unwrap_err();
}
