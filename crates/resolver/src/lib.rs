//! DNS resolver of the box: encrypted upstreams, cache, views, rebinding protection.
//!
//! ```text
//! clients ─> listen ─┐                       ┌─> special names, names of the box, multicast DNS
//! RFC 8484 ──────────┼─> request ─> view ────┤
//! netd ── resolve() ─┘              │        └─> cache ─> validate (DNSSEC) ─> chain ─> upstream pool ══ TLS ══> 853, 443
//!                             refused, counted          │
//!                                                  rebinding ─> reply ─> observer ─> client
//! ```
//!
//! * [`resolver`] is what others hold: [`Resolver`], its [`Observer`], its [`MdnsResolver`].
//! * [`view`] says who may resolve what; an address without a view is refused.
//! * [`upstream`] asks over TLS or not at all. No type here can express a plaintext upstream.
//! * [`reply`] keeps answers as the bytes that are sent.
//!
//! Nothing here decides policy or touches the kernel's tables: netd gives views and takes addresses through the observer.
//! DNSSEC judges signatures by the system's clock. While that is not set (say so by [`Resolver::set_clock_synchronised`]) every name
//! fails, signed or not, because "unsigned" has to be proved by signatures too; only [`Resolver::resolve_for_time`] works.

pub mod cache;
pub(crate) mod chain;
pub mod config;
pub(crate) mod forward;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod listen;
pub mod name;
pub(crate) mod quota;
pub mod rebinding;
pub mod reply;
pub(crate) mod request;
pub mod resolver;
pub(crate) mod special;
pub mod stats;
pub mod tls;
pub mod upstream;
pub mod validate;
pub mod view;
pub(crate) mod wildcard;
pub(crate) mod wire;

pub use config::Settings;
pub use hickory_proto::dnssec::TrustAnchors;
pub use listen::Listener;
pub use listen::Listeners;
pub use name::DomainName;
pub use resolver::Granted;
pub use resolver::MdnsResolver;
pub use resolver::Observer;
pub use resolver::Resolver;
pub use resolver::Surroundings;
pub use view::Views;
