//! Network namespaces that live as long as somebody holds them.

use nix::sched::CloneFlags;
use rustix::thread::LinkNameSpaceType;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

/// The namespace of the thread that opens it (proc(5)).
const OWN: &str = "/proc/thread-self/ns/net";

/// A place for sockets: a namespace, or that of the box.
pub type Place = Option<Arc<File>>;

/// Namespaces by their names.
#[derive(Debug, Default)]
pub struct Namespaces {
    held: BTreeMap<String, Arc<File>>,
}

impl Namespaces {
    /// Makes one.
    ///
    /// # Errors
    /// When there is one of this name, or the kernel refuses.
    pub fn make(&mut self, name: &str) -> io::Result<()> {
        if self.held.contains_key(name) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("there is a {name} already")));
        }
        // A thread leaves the box's namespace and ends; what it opened stays.
        let made = join(thread::spawn(|| {
            nix::sched::unshare(CloneFlags::CLONE_NEWNET)?;
            File::open(OWN)
        }))?;
        self.held.insert(name.to_owned(), Arc::new(made));
        Ok(())
    }

    /// Lets one go.
    ///
    /// # Errors
    /// When there is none.
    pub fn close(&mut self, name: &str) -> io::Result<()> {
        self.held.remove(name).map(drop).ok_or_else(|| unknown(name))
    }

    /// The place of this name; of none for the box's own.
    ///
    /// # Errors
    /// When there is none.
    pub fn place(&self, name: Option<&str>) -> io::Result<Place> {
        name.map(|name| self.held.get(name).cloned().ok_or_else(|| unknown(name))).transpose()
    }
}

/// Does something in a place: on a thread of its own, because a namespace belongs to a thread (setns(2)). Sockets keep the
/// namespace in which they were opened.
///
/// # Errors
/// When the place cannot be entered, or when it fails itself.
pub fn within<T: Send + 'static>(
    place: &Place,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let Some(namespace) = place.clone() else { return work() };
    join(thread::spawn(move || {
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        work()
    }))
}

/// An rtnetlink socket of a place.
///
/// # Errors
/// What the kernel says.
pub fn route_socket(place: &Place) -> io::Result<OwnedFd> {
    within(place, || super::tables::open(super::tables::Family::Route))
}

fn join<T>(thread: thread::JoinHandle<io::Result<T>>) -> io::Result<T> {
    thread.join().map_err(|_panic| io::Error::other("a thread of the agent panicked"))?
}

fn unknown(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no namespace {name}"))
}
