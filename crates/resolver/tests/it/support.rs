//! Certificates, settings and waiting.

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use resolver::Settings;
use resolver::config::Protocol;
use resolver::config::Timing;
use resolver::config::Upstream;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// What the upstreams of the tests are called in their certificates.
pub(crate) const SERVER_NAME: &str = "dns.upstream.example";
pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An issuer of certificates.
pub(crate) struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { params, key: KeyPair::generate().unwrap() }
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.params.self_signed(&self.key).unwrap().der().clone()
    }

    pub(crate) fn root_pem(&self) -> String {
        self.params.self_signed(&self.key).unwrap().pem()
    }

    pub(crate) fn issue(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &Issuer::from_params(&self.params, &self.key))
            .unwrap();
        Identity { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() }
    }
}

impl Identity {
    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        let chain = vec![CertificateDer::from_pem_slice(self.certificate_pem.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Arc::new(config)
    }
}

pub(crate) fn over_tls(name: &str, port: u16) -> Upstream {
    Upstream {
        name: name.to_owned(),
        addresses: vec![LOOPBACK],
        port,
        protocol: Protocol::Tls,
        server_name: SERVER_NAME.to_owned(),
    }
}

pub(crate) fn over_https(name: &str, port: u16) -> Upstream {
    Upstream { protocol: Protocol::Https { path: "/dns-query".to_owned() }, ..over_tls(name, port) }
}

pub(crate) fn settings(authority: &Authority, upstreams: Vec<Upstream>) -> Settings {
    Settings { upstreams, extra_roots: vec![authority.root()], rebinding_allowed: Vec::new() }
}

/// Short enough that a test with silent upstreams ends soon, long enough for a busy machine.
pub(crate) fn timing() -> Timing {
    Timing { one_try: Duration::from_secs(2), whole_question: Duration::from_secs(20), ..Timing::default() }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((LOOPBACK, 0)).unwrap().local_addr().unwrap().port()
}

/// Waits until something holds, for a generous while.
pub(crate) async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
