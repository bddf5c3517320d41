//! What a test may order in the networks of a box, and what comes back.

use serde::Deserialize;
use serde::Serialize;
use std::net::SocketAddr;

/// An order. A `namespace` of none is the box's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Makes an empty network namespace and keeps it: the stand-in for the first process of an app.
    Make {
        /// Name among these orders.
        namespace: String,
    },
    /// Lets a namespace go, with all that was started in it.
    Close {
        /// Which.
        namespace: String,
    },
    /// Calls a method of `org.hearthos.Net1` that takes texts and returns a text or nothing.
    Call {
        /// Its name.
        method: String,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// `AttachApp` with a namespace made here.
    Attach {
        /// The app.
        app: String,
        /// Which.
        namespace: String,
    },
    /// Names and hardware addresses of all links.
    Links {
        /// Where.
        namespace: Option<String>,
    },
    /// Sends whole Ethernet frames, past everything that the kernel would do with them.
    Send {
        /// From where.
        namespace: Option<String>,
        /// On which link.
        link: String,
        /// In hexadecimal digits.
        frames: Vec<String>,
    },
    /// From now on notes every frame with a [token](super::watch::token).
    Watch {
        /// Where.
        namespace: Option<String>,
    },
    /// What was noted so far.
    Noted {
        /// Where.
        namespace: Option<String>,
    },
    /// Serves TCP and UDP ports: greets whoever comes and notes that they did.
    Serve {
        /// Where.
        namespace: Option<String>,
        /// Which.
        ports: Vec<u16>,
    },
    /// How often the ports of [`Order::Serve`] were used.
    Served {
        /// Where.
        namespace: Option<String>,
    },
    /// Tries to be greeted by all of these at once, as a program with the kernel's own sockets.
    Reach {
        /// From where.
        namespace: Option<String>,
        /// Whom.
        targets: Vec<Target>,
        /// How long each may take.
        milliseconds: u64,
    },
    /// Sends without end from one namespace to another and counts.
    StartFlow {
        /// Name among the flows.
        flow: String,
        /// How.
        transport: Transport,
        /// Sender.
        from: String,
        /// Receiver.
        to: String,
        /// The receiver's address and port.
        address: SocketAddr,
    },
    /// How far a flow is.
    Flow {
        /// Which.
        flow: String,
    },
    /// Ends a flow.
    EndFlow {
        /// Which.
        flow: String,
    },
    /// Everything in a table of the kernel, each entry in hexadecimal digits.
    Table {
        /// Which.
        table: Table,
    },
}

/// Transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Whom to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// How.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
}

/// Tables of the kernel of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Links.
    Links,
    /// Addresses.
    Addresses,
    /// Routes.
    Routes,
    /// Neighbours.
    Neighbours,
    /// Tracked connections.
    Connections,
    /// Tables of the packet filter.
    FilterTables,
    /// Its chains.
    FilterChains,
    /// Its rules.
    FilterRules,
    /// Its sets and maps.
    FilterSets,
    /// The elements of all sets and maps.
    FilterElements,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Links,
        Self::Addresses,
        Self::Routes,
        Self::Neighbours,
        Self::Connections,
        Self::FilterTables,
        Self::FilterChains,
        Self::FilterRules,
        Self::FilterSets,
        Self::FilterElements,
    ];
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Done, and nothing to tell.
    Done,
    /// What a method returned.
    Returned {
        /// Its text; empty when it returns none.
        text: String,
    },
    /// A method answered with a D-Bus error.
    Refused {
        /// Name of the error.
        name: String,
        /// Its words.
        words: String,
    },
    /// Links.
    Links {
        /// In the kernel's order.
        links: Vec<LinkFacts>,
    },
    /// How many frames went out, and what the kernel said of others.
    Sent {
        /// How many went out.
        count: usize,
        /// Index of a frame and why it did not go.
        refused: Vec<(usize, String)>,
    },
    /// Noted frames.
    Noted {
        /// In order.
        sightings: Vec<Sighting>,
    },
    /// Uses of served ports.
    Served {
        /// In order.
        uses: Vec<Use>,
    },
    /// Who greeted.
    Reached {
        /// In the order of the targets: the greeting, or why there is none.
        greetings: Vec<Result<String, String>>,
    },
    /// A flow.
    Flow {
        /// How far it is.
        progress: Progress,
    },
    /// A table.
    Table {
        /// Its entries.
        entries: Vec<String>,
    },
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFacts {
    /// Name.
    pub name: String,
    /// Hardware address.
    pub mac: [u8; 6],
}

/// A frame that was noted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sighting {
    /// Number of its token.
    pub token: u16,
    /// The link; empty for [`Way::Delivered`].
    pub link: String,
    /// Where it went.
    pub way: Way,
    /// The frame in hexadecimal digits, when it went out.
    pub frame: Option<String>,
}

/// Where a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// It came in on a link, before any filter.
    In,
    /// It went out on a link, after all filters.
    Out,
    /// A socket got it, after all filters.
    Delivered,
}

/// A use of a served port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// How.
    pub transport: Transport,
    /// The port.
    pub port: u16,
    /// By whom.
    pub peer: SocketAddr,
}

/// How far a flow is. Times are the box's monotonic clock in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Bytes that the sender's kernel took.
    pub sent: u64,
    /// Bytes that arrived.
    pub received: u64,
    /// When the newest record that arrived was sent.
    pub newest: u64,
    /// Bytes that had arrived when the last [`Order::Call`] returned.
    pub received_at_call: u64,
    /// When that was.
    pub called: u64,
    /// How often the sender had to connect again, or to begin with could not.
    pub breaks: u64,
}
