//! Names of time servers, looked up by whoever embeds this.

use std::error::Error;
use std::future::Future;
use std::net::IpAddr;

/// Looks names up, encrypted.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of a name, the best one first.
    ///
    /// The resolver's own servers prove who they are by certificates, whose dates mean nothing while the clock is in doubt:
    /// then `dates` asks for the way that gets by without them.
    fn resolve(
        &self,
        name: &str,
        dates: CertificateDates,
    ) -> impl Future<Output = Result<Vec<IpAddr>, ResolveError>> + Send;
}

/// Whether the dates in certificates mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateDates {
    /// The clock was set by a server that proved who it is.
    Count,
    /// It was not, yet.
    Doubtful,
}

/// A name that could not be looked up.
#[derive(Debug, thiserror::Error)]
#[error("looking the name up")]
pub struct ResolveError(#[source] pub Box<dyn Error + Send + Sync>);
