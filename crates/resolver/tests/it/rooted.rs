//! A box and the world in two network namespaces: what leaves the box is counted by the kernel.

use crate::clients::CLIENT;
use crate::clients::addresses;
use crate::clients::ask;
use crate::clients::open_resolver;
use crate::clients::question;
use crate::clients::send;
use crate::support::settings;
use crate::unbound::Unbound;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use resolver::Listeners;
use resolver::upstream::UpstreamState;
use std::collections::BTreeSet;
use std::fs::File;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::mpsc;

const WORLD: &str = "192.0.2.1";
const RULES: &str = "table inet watch {
    counter plain_udp { }
    counter plain_tcp { }
    counter encrypted { }
    counter datagrams { }
    chain out {
        type filter hook output priority 0;
        oifname lo accept
        udp dport 53 counter name plain_udp
        tcp dport 53 counter name plain_tcp
        tcp dport != 53 counter name encrypted
        meta l4proto udp counter name datagrams
    }
}";

struct Namespace(String);

impl Namespace {
    fn new(role: &str) -> Self {
        let name = format!("resolver-{role}-{}", std::process::id());
        run("ip", &["netns", "add", &name]);
        let namespace = Self(name);
        namespace.ip("link set lo up");
        namespace
    }

    fn ip(&self, words: &str) {
        let arguments: Vec<&str> = ["-n", &self.0].into_iter().chain(words.split(' ')).collect();
        run("ip", &arguments);
    }

    fn nft(&self, words: &[&str]) -> String {
        let arguments: Vec<&str> =
            ["netns", "exec", &self.0, "nft"].into_iter().chain(words.iter().copied()).collect();
        run("ip", &arguments)
    }

    /// Packets that a counter has seen.
    fn packets(&self, counter: &str) -> u64 {
        let said = self.nft(&["list", "counter", "inet", "watch", counter]);
        let mut words = said.split_whitespace().skip_while(|word| *word != "packets");
        words.nth(1).unwrap().parse().unwrap()
    }

    /// Does something in a thread that lives inside, with a runtime of its own.
    fn thread<T: Send + 'static, F: Future<Output = T>>(
        &self,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        let file = File::open(format!("/run/netns/{}", self.0)).unwrap();
        std::thread::spawn(move || {
            let kind = Some(rustix::thread::LinkNameSpaceType::Network);
            rustix::thread::move_into_link_name_space(file.as_fd(), kind).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(work())
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let outcome = Command::new("ip").args(["netns", "del", &self.0]).status();
        assert!(std::thread::panicking() || outcome.is_ok_and(|status| status.success()), "{} stays", self.0);
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn nothing_leaves_in_plain_whatever_happens() {
    let (the_box, world) = (Namespace::new("box"), Namespace::new("world"));
    the_box.ip(&format!("link add eth0 type veth peer name eth0 netns {}", world.0));
    for (namespace, address) in [(&the_box, "192.0.2.2/24"), (&world, "192.0.2.1/24")] {
        namespace.ip(&format!("addr add {address} dev eth0"));
        namespace.ip("link set eth0 up");
    }
    the_box.ip(&format!("route add default via {WORLD}"));
    the_box.nft(&[RULES]);

    let (ready, started) = mpsc::channel();
    let (finished, over) = tokio::sync::oneshot::channel::<()>();
    let upstream = world.thread(move || async move {
        let unbound = Unbound::start_at(WORLD.parse().unwrap()).await;
        let settings = settings(&unbound.authority, vec![unbound.over_tls(), unbound.over_https()]);
        ready.send((settings, unbound.zones.anchors.clone())).unwrap();
        // Until the box is done.
        drop(over.await);
    });
    let (settings, anchors) = started.recv().unwrap();

    let client = the_box.thread(move || async move {
        let resolver = open_resolver(settings, &anchors);
        let mut listeners = Listeners::new(resolver.clone());
        let here = SocketAddr::new("192.0.2.2".parse().unwrap(), 53);
        assert!(listeners.set(&BTreeSet::from([here])).is_empty());
        assert_eq!(addresses(&ask(&resolver, "www.example.", RecordType::A).await), ["192.0.2.1"]);
        assert_eq!(addresses(&ask(&resolver, "host.plain.", RecordType::A).await), ["192.0.2.4"]);
        for name in [
            "damaged.example.",
            "missing.plain.",
            "nas.",
            "printer.local.",
            "1.1.168.192.in-addr.arpa.",
            "big.plain.",
        ] {
            ask(&resolver, name, RecordType::A).await;
        }
        resolver.resolve_for_time(&"time.plain".parse().unwrap()).await.unwrap();
        resolver
    });
    let resolver_done = client.join().unwrap();
    assert!(the_box.packets("encrypted") > 0);
    drop(resolver_done);

    // The world goes silent, then refuses, then is gone: still not a word in plain.
    let (settings, anchors) = {
        let unreachable = crate::support::over_tls("gone", 853);
        let mut gone = unreachable.clone();
        gone.addresses = vec![WORLD.parse::<IpAddr>().unwrap(), "198.51.100.1".parse().unwrap()];
        (
            crate::support::settings(&crate::support::Authority::new(), vec![gone]),
            std::sync::Arc::new(resolver::TrustAnchors::default()),
        )
    };
    for trouble in ["drop", "reject with tcp reset", ""] {
        if trouble.is_empty() {
            the_box.ip("link set eth0 down");
        } else {
            let rules = format!(
                "add table ip trouble; delete table ip trouble\ntable ip trouble {{\n chain in {{\n \
                 type filter hook input priority 0;\n iifname eth0 meta l4proto tcp {trouble}\n }}\n}}"
            );
            world.nft(&[&rules]);
        }
        let (settings, anchors) = (settings.clone(), anchors.clone());
        let asked = the_box.thread(move || async move {
            let resolver = open_resolver(settings, &anchors);
            let answer = send(&resolver, &question("www.example.", RecordType::A), CLIENT).await;
            (answer.metadata.response_code, resolver.stats().upstreams.remove(0).state)
        });
        let (code, state) = asked.join().unwrap();
        assert_eq!(code, ResponseCode::ServFail, "{trouble}");
        assert!(matches!(state, UpstreamState::Failing { .. }), "{trouble}");
    }
    assert_eq!(
        (the_box.packets("plain_udp"), the_box.packets("plain_tcp"), the_box.packets("datagrams")),
        (0, 0, 0)
    );

    // The counters count.
    the_box.ip("link set eth0 up");
    the_box.ip(&format!("route replace default via {WORLD}"));
    let control = the_box.thread(|| async {
        let socket = tokio::net::UdpSocket::bind("192.0.2.2:0").await.unwrap();
        socket.send_to(b"plain", (WORLD, 53)).await.unwrap();
    });
    control.join().unwrap();
    assert_eq!((the_box.packets("plain_udp"), the_box.packets("datagrams")), (1, 1));
    finished.send(()).unwrap();
    upstream.join().unwrap();
}
