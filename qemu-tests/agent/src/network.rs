//! The networks of a box under test: namespaces in the place of apps, root in each of them, and eyes everywhere.
//!
//! ```text
//!  order ── Lab ── namespaces   made and held here, handed to netd over `bus`
//!                  ├── watch    packet sockets: whole frames out, tokens in
//!                  ├── reach    the kernel's own sockets: servers and visitors
//!                  ├── flow     traffic without end
//!                  └── tables   what the kernel holds: links, routes, rules, connections
//! ```

use crate::network::bus::Reply;
use crate::network::flow::Flow;
use crate::network::namespaces::Namespaces;
use crate::network::order::Order;
use crate::network::order::Outcome;
use crate::network::reach::Server;
use crate::network::watch::Watcher;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

pub mod bus;
pub mod flow;
pub mod namespaces;
pub mod order;
pub mod reach;
pub mod tables;
pub mod watch;

/// Where netd's bus is (`model::paths::NET_BUS_SOCKET`).
const BUS: &str = "/run/hearth/net/bus.sock";

/// Everything that was started. The key of none is the box itself.
#[derive(Debug, Default)]
pub struct Lab {
    namespaces: Namespaces,
    watchers: BTreeMap<Option<String>, Watcher>,
    servers: BTreeMap<Option<String>, Vec<Server>>,
    flows: BTreeMap<String, Flow>,
}

impl Lab {
    /// Carries out an order.
    ///
    /// # Errors
    /// When it cannot be done; a refusal by netd is an outcome.
    pub fn carry_out(&mut self, order: &Order) -> io::Result<Outcome> {
        match order {
            Order::Make { namespace } => self.namespaces.make(namespace).map(|()| Outcome::Done),
            Order::Close { namespace } => {
                let key = Some(namespace.clone());
                self.watchers.remove(&key);
                self.servers.remove(&key);
                self.namespaces.close(namespace).map(|()| Outcome::Done)
            }
            Order::Call { method, arguments } => {
                let reply = bus::call(Path::new(BUS), method, arguments, &[])?;
                self.flows.values().for_each(Flow::note_call);
                Ok(outcome(reply))
            }
            Order::Attach { app, namespace } => self.attach(app, namespace),
            Order::Links { namespace } => {
                let links = watch::links(&self.namespaces.place(namespace.as_deref())?)?;
                Ok(Outcome::Links { links })
            }
            Order::Send { namespace, link, frames } => {
                let place = self.namespaces.place(namespace.as_deref())?;
                let frames = frames.iter().map(|frame| from_hex(frame)).collect::<io::Result<Vec<_>>>()?;
                let refused = watch::send(&place, link, &frames)?;
                Ok(Outcome::Sent { count: frames.len() - refused.len(), refused })
            }
            Order::Watch { namespace } => {
                let watcher = Watcher::start(&self.namespaces.place(namespace.as_deref())?)?;
                self.watchers.insert(namespace.clone(), watcher);
                Ok(Outcome::Done)
            }
            Order::Noted { namespace } => {
                let watcher = self.watchers.get(namespace).ok_or_else(|| missing("watcher"))?;
                Ok(Outcome::Noted { sightings: watcher.noted() })
            }
            Order::Serve { namespace, ports } => self.serve(namespace.as_deref(), ports),
            Order::Served { namespace } => {
                let servers = self.servers.get(namespace).ok_or_else(|| missing("server"))?;
                Ok(Outcome::Served { uses: servers.iter().flat_map(Server::uses).collect() })
            }
            Order::Reach { namespace, targets, milliseconds } => {
                let place = self.namespaces.place(namespace.as_deref())?;
                let greetings = reach::reach(&place, targets, Duration::from_millis(*milliseconds));
                Ok(Outcome::Reached { greetings })
            }
            Order::StartFlow { flow, transport, from, to, address } => {
                let [from, to] = [from, to].map(|name| self.namespaces.place(Some(name)));
                let started = Flow::start(*transport, &from?, &to?, *address)?;
                self.flows.insert(flow.clone(), started);
                Ok(Outcome::Done)
            }
            Order::Flow { flow } => {
                let flow = self.flows.get(flow).ok_or_else(|| missing("flow"))?;
                Ok(Outcome::Flow { progress: flow.progress() })
            }
            Order::EndFlow { flow } => {
                self.flows.remove(flow).ok_or_else(|| missing("flow"))?;
                Ok(Outcome::Done)
            }
            Order::Table { table } => {
                let entries = tables::read(*table)?;
                Ok(Outcome::Table { entries: entries.iter().map(|entry| to_hex(entry)).collect() })
            }
        }
    }

    fn attach(&self, app: &str, namespace: &str) -> io::Result<Outcome> {
        let place = self.namespaces.place(Some(namespace))?;
        let socket = namespaces::route_socket(&place)?;
        let namespace = place.ok_or_else(|| missing("namespace"))?;
        let descriptors = [namespace.as_fd(), socket.as_fd()];
        bus::call(Path::new(BUS), "AttachApp", &[app.to_owned()], &descriptors).map(outcome)
    }

    fn serve(&mut self, namespace: Option<&str>, ports: &[u16]) -> io::Result<Outcome> {
        let place = self.namespaces.place(namespace)?;
        let greeting = format!("served by {}", namespace.unwrap_or("the box"));
        let server = Server::start(&place, ports, &greeting)?;
        self.servers.entry(namespace.map(str::to_owned)).or_default().push(server);
        Ok(Outcome::Done)
    }
}

/// Lower case hexadecimal digits.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of hexadecimal digits.
///
/// # Errors
/// When they are none.
pub fn from_hex(text: &str) -> io::Result<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
    bytes.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no hexadecimal digits"))
}

fn outcome(reply: Reply) -> Outcome {
    match reply {
        Reply::Returned(text) => Outcome::Returned { text },
        Reply::Refused(name, words) => Outcome::Refused { name, words },
    }
}

fn missing(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no such {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_become_the_same_bytes() {
        let bytes = [0, 1, 0xab, 0xff];
        assert_eq!(from_hex(&to_hex(&bytes)).unwrap(), bytes);
        assert_eq!(from_hex("0x").unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn an_order_for_something_unknown_is_refused() {
        let order = Order::Noted { namespace: Some("a".to_owned()) };
        assert_eq!(Lab::default().carry_out(&order).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
