//! Network namespaces of apps: made and entered by threads that end right after, as a namespace belongs to a thread (setns(2)), and pinned by a mount.
//!
//! They belong to the box's own user namespace: nobody in a container has any power over the links and rules in them, root included.

use super::places;
use crate::runtime::Network;
use model::containers::Traffic;
use model::network::names::AppKey;
use nix::sched::CloneFlags;
use rustix::fs::fstatfs;
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use rustix::net::AddressFamily;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::socket_with;
use rustix::thread::LinkNameSpaceType;
use std::fs;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::thread;

/// Type of the file system of pinned namespaces (magic.h).
const NSFS: u64 = 0x6e73_6673;
/// Mode of folders that root of a container must get through on the way to its root, and nobody reads.
pub(super) const PASSABLE: u32 = 0o711;
/// Settings of a new namespace, below `/proc/sys/net/ipv4`: web servers run as users and have no capability for low ports, and there is nobody else in
/// the namespace to take one from; and asking who is there (ping) needs no raw socket.
const SETTINGS: [(&str, &str); 2] =
    [("ip_unprivileged_port_start", "0"), ("ping_group_range", "0 2147483647")];

/// The namespace of an app, made when there is none.
pub(super) fn open(app: &AppKey) -> io::Result<Network> {
    let path = places::network(app);
    let namespace = match pinned(&path)? {
        Some(namespace) => namespace,
        None => {
            fs::DirBuilder::new().recursive(true).mode(PASSABLE).create(places::app(app))?;
            File::create(&path)?;
            make(&path)?;
            pinned(&path)?.ok_or_else(|| io::Error::other("the new namespace is not where it was pinned"))?
        }
    };
    let inside = namespace.try_clone()?;
    let route_socket = apart(move || {
        let kind = Some(LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(inside.as_fd(), kind)?;
        // Protocol 0 of that family is routing.
        Ok(socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?)
    })?;
    Ok(Network { namespace, route_socket })
}

/// What went over the links of an app's namespace; none when there is no namespace.
pub(super) fn traffic(app: &AppKey) -> io::Result<Option<Traffic>> {
    let Some(namespace) = pinned(&places::network(app))? else { return Ok(None) };
    let table = apart(move || {
        let kind = Some(LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(namespace.as_fd(), kind)?;
        fs::read_to_string("/proc/thread-self/net/dev")
    })?;
    Ok(Some(count(&table)))
}

/// The sum over all links but loopback of `/proc/net/dev` (`dev_seq_printf_stats`, net/core/net-procfs.c): eight numbers of what was received,
/// bytes first, then the same of what was sent.
fn count(table: &str) -> Traffic {
    let links = table.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| name.trim() != "lo");
    links.fold(Traffic::default(), |sum, (_, numbers)| {
        let number = |index| numbers.split_whitespace().nth(index).and_then(|text| text.parse().ok());
        Traffic {
            received_bytes: sum.received_bytes.saturating_add(number(0).unwrap_or_default()),
            sent_bytes: sum.sent_bytes.saturating_add(number(8).unwrap_or_default()),
        }
    })
}

/// Takes it away; what still runs in it keeps it until then.
pub(super) fn remove(app: &AppKey) -> io::Result<()> {
    let path = places::network(app);
    match rustix::mount::unmount(&path, UnmountFlags::DETACH) {
        // Nothing there, or only the file on which it was to be mounted.
        Ok(()) | Err(Errno::NOENT | Errno::INVAL) => {}
        Err(error) => return Err(error.into()),
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Not empty as long as the app has a container.
    drop(fs::remove_dir(places::app(app)));
    Ok(())
}

fn pinned(path: &Path) -> io::Result<Option<OwnedFd>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let is_namespace = u64::try_from(fstatfs(&file)?.f_type).is_ok_and(|kind| kind == NSFS);
    Ok(is_namespace.then(|| file.into()))
}

fn make(path: &Path) -> io::Result<()> {
    let path = path.to_owned();
    apart(move || {
        nix::sched::unshare(CloneFlags::CLONE_NEWNET)?;
        // These files are those of the namespace of the thread that opens them.
        for (name, value) in SETTINGS {
            fs::write(Path::new("/proc/sys/net/ipv4").join(name), value)?;
        }
        Ok(rustix::mount::mount_bind("/proc/thread-self/ns/net", &path)?)
    })
}

/// Does something on a thread of its own.
fn apart<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let thread = thread::Builder::new().name("app-network".to_owned()).spawn(work)?;
    thread.join().map_err(|_panic| io::Error::other("the thread that sets up a network panicked"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_within_the_app_is_no_traffic() {
        let table = "Inter-|   Receive                                                |  Transmit\n\
             \x20face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n\
             \x20   lo: 9000      90    0    0    0     0          0         0     9000      90    0    0    0     0       0          0\n\
             \x20 eth0:  150       2    0    0    0     0          0         0       70       1    0    0    0     0       0          0\n\
             eth1:18446744073709551615 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n";
        assert_eq!(count(table), Traffic { received_bytes: u64::MAX, sent_bytes: 75 });
        for odd in ["", "eth0:", "eth0: x", ":::"] {
            assert_eq!(count(odd), Traffic::default(), "{odd}");
        }
    }
}
