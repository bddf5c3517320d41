//! The resolver as a process, for measuring.
//!
//! ```console
//! resolver_serve LISTEN UPSTREAM SERVER_NAME ROOT.pem [ROOT.key]
//! ```
//!
//! * `LISTEN`: address and port for UDP and TCP, such as `127.0.0.1:5300`.
//! * `UPSTREAM`: address and port of a DNS-over-TLS server whose certificate bears `SERVER_NAME` and is signed by `ROOT.pem`.
//! * `ROOT.key`: DNSKEY record of the root zone behind the upstream; the internet's when left out.
//!
//! Everybody may resolve everything. It runs on one thread, as in netd, until it is killed.

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use resolver::Listeners;
use resolver::Resolver;
use resolver::Settings;
use resolver::Surroundings;
use resolver::TrustAnchors;
use resolver::Views;
use resolver::config::Protocol;
use resolver::config::Upstream;
use resolver::view::Allow;
use resolver::view::LocalNames;
use resolver::view::Prefix;
use resolver::view::View;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream, server_name, root, anchors @ ..] = &arguments[..] else {
        anyhow::bail!("usage: resolver_serve LISTEN UPSTREAM SERVER_NAME ROOT.pem [ROOT.key]");
    };
    let upstream: SocketAddr = upstream.parse().context("reading the upstream's address")?;
    let settings = Settings {
        upstreams: vec![Upstream {
            name: "measured".to_owned(),
            addresses: vec![upstream.ip()],
            port: upstream.port(),
            protocol: Protocol::Tls,
            server_name: server_name.clone(),
        }],
        extra_roots: vec![CertificateDer::from_pem_file(root).context("reading the root certificate")?],
        rebinding_allowed: Vec::new(),
    };
    let trust_anchors = match anchors {
        [] => TrustAnchors::default(),
        [file, ..] => TrustAnchors::from_file(Path::new(file)).context("reading the root's key")?,
    };
    let surroundings = Surroundings {
        trust_anchors: Arc::new(trust_anchors),
        clock_synchronised: true,
        ..Surroundings::default()
    };
    let resolver = Resolver::new(settings, surroundings)?;
    resolver.set_views(everybody()?);
    let mut listeners = Listeners::new(resolver);
    let problems =
        listeners.set(&BTreeSet::from([listen.parse().context("reading the address to listen on")?]));
    ensure!(problems.is_empty(), "cannot listen: {problems:?}");
    std::future::pending().await
}

fn everybody() -> Result<Views> {
    let view = Arc::new(View {
        name: "everybody".to_owned(),
        allow: Allow::All,
        local: LocalNames::default(),
        mdns: false,
    });
    let all = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let views: Option<BTreeMap<Prefix, Arc<View>>> =
        all.into_iter().map(|address| Some((Prefix::new(address, 0)?, Arc::clone(&view)))).collect();
    Ok(Views::new(views.context("no prefix of every address")?))
}
