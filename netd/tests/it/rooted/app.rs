//! Stand-ins for containers: a network namespace each, wired up by netd, with probes inside.

use crate::rooted::lab::Lab;
use crate::rooted::lab::Namespace;
use hostapi::net1;
use hostapi::net1::Net1Proxy;
use model::network::attachment::Attachment;
use rustix::net::AddressFamily;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// How long something that must not arrive is waited for. What is dropped is dropped at once; this only bounds the test.
const IN_VAIN: Duration = Duration::from_millis(400);
/// How long something that must arrive may take.
const AT_LAST: Duration = Duration::from_secs(30);

/// An attached app.
pub(crate) struct App {
    pub(crate) key: String,
    pub(crate) namespace: Namespace,
    pub(crate) network: Attachment,
}

/// Descriptors of a namespace as the container daemon hands them over.
pub(crate) fn descriptors(namespace: &Namespace) -> (zbus::OwnedFd, zbus::OwnedFd) {
    let file = File::open(format!("/run/netns/{}", namespace.name)).unwrap();
    let open = || {
        rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None).unwrap()
    };
    let socket = namespace.thread(open).join().unwrap();
    (OwnedFd::from(file).into(), socket.into())
}

impl App {
    /// Makes a namespace and has netd wire it up.
    pub(crate) async fn attach(net1: &Net1Proxy<'_>, key: &str) -> Self {
        let namespace = Namespace::new(key);
        let (file, socket) = descriptors(&namespace);
        let network = net1::read_answer(&net1.attach_app(key, file, socket).await.unwrap()).unwrap();
        Self { key: key.to_owned(), namespace, network }
    }

    pub(crate) fn addresses(&self) -> [IpAddr; 2] {
        [self.network.ipv4.into(), self.network.ipv6.into()]
    }
}

/// Waits for one connection in a namespace.
pub(crate) struct Server {
    listener: Option<TcpListener>,
}

impl Server {
    /// Listens at every address of the namespace.
    pub(crate) fn listen(namespace: &Namespace, port: u16) -> Self {
        let listen = move || TcpListener::bind(("::", port)).unwrap();
        Self { listener: Some(namespace.thread(listen).join().unwrap()) }
    }

    /// Takes the connection that was made.
    pub(crate) fn accept(&self) -> (TcpStream, SocketAddr) {
        self.listener.as_ref().unwrap().accept().unwrap()
    }
}

/// Connects from a namespace.
pub(crate) fn connect(from: &Namespace, to: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    from.thread(move || TcpStream::connect_timeout(&to, patience)).join().unwrap()
}

/// Connects where it must be possible.
pub(crate) fn reach(from: &Namespace, address: IpAddr, port: u16) -> TcpStream {
    let to = SocketAddr::new(address, port);
    connect(from, to, AT_LAST).unwrap_or_else(|error| panic!("{} does not reach {to}: {error}", from.name))
}

/// Connects from a namespace with one of its addresses.
pub(crate) fn connect_as(from: &Namespace, source: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let connect = move || {
        let socket = socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
        socket.connect_timeout(&to.into(), IN_VAIN)?;
        Ok(socket.into())
    };
    from.thread(connect).join().unwrap()
}

/// Makes sure that a connection is not possible.
pub(crate) fn never_reaches(from: &Namespace, address: IpAddr, port: u16) {
    let to = SocketAddr::new(address, port);
    assert!(connect(from, to, IN_VAIN).is_err(), "{} reaches {to}", from.name);
}

/// Whether what is written on one end of a connection comes out at the other.
pub(crate) fn carries(from: &mut TcpStream, to: &mut TcpStream, must: bool) -> bool {
    let mut byte = [0];
    to.set_read_timeout(Some(if must { AT_LAST } else { IN_VAIN })).unwrap();
    from.write_all(b"x").unwrap();
    to.read_exact(&mut byte).is_ok()
}

/// Sends a question for a name by plaintext DNS and returns the answer's code, if one comes.
pub(crate) fn ask(from: &Namespace, server: IpAddr, name: &str, patience: Duration) -> Option<u8> {
    let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(u8::try_from(label.len()).unwrap());
        question.extend(label.bytes());
    }
    question.extend([0, 0, 1, 0, 1]);
    let ask = move || {
        let any: SocketAddr = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse().unwrap();
        let socket = UdpSocket::bind(any).unwrap();
        socket.set_read_timeout(Some(patience)).unwrap();
        // A rule that drops what is sent may say so at once.
        socket.send_to(&question, (server, 53)).ok()?;
        let mut answer = [0; 512];
        let (length, _) = socket.recv_from(&mut answer).ok()?;
        (length >= 12).then_some(answer[3] & 0x0f)
    };
    from.thread(ask).join().unwrap()
}

/// A policy of one workspace.
pub(crate) fn policy(apps: &str) -> String {
    format!(r#"{{"version":1,"workspaces":{{"ann":{{"apps":{{{apps}}}}}}}}}"#)
}

/// How often a rule was met.
pub(crate) async fn packets(net1: &Net1Proxy<'_>, rule: &str) -> u64 {
    let report: model::network::report::NetworkReport =
        net1::read_answer(&net1.report().await.unwrap()).unwrap();
    let rules = &report.firewall.rules;
    rules
        .iter()
        .find(|found| found.name == rule)
        .unwrap_or_else(|| panic!("no rule {rule}: {rules:?}"))
        .packets
}

/// A lab with a lease, so that the box has a way out.
pub(crate) async fn lab_with_lease() -> (Lab, Net1Proxy<'static>) {
    let mut lab = Lab::new();
    lab.serve_dhcp(crate::rooted::lab::RANGE, &[]).await;
    let net1 = lab.net1().await;
    crate::rooted::lab::link_shows(&net1, "eth0", "a lease", |link| {
        crate::rooted::lab::leased(link).is_some()
    })
    .await;
    (lab, net1)
}
