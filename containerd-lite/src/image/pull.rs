//! Pulls an image from a registry (OCI distribution specification 1.1), over HTTPS unless the owner said otherwise.

mod challenge;
mod client;
mod settings;

use crate::image::Digest;
use crate::image::Limits;
use crate::image::Reference;
use crate::image::Refused;
use crate::image::Store;
use crate::image::gather::GatherError;
use crate::image::gather::Source;
use crate::image::gather::Top;
use crate::image::gather::Watch;
use crate::image::gather::gather;
use crate::image::manifest::ACCEPTED;
use crate::image::manifest::Descriptor;
use crate::image::store::Record;
use client::Answer;
use client::Client;
pub use settings::Credentials;
pub use settings::Endpoint;
pub use settings::Registries;
use std::io::Read;

/// How often a layer is asked for again when nothing more of it came.
const PATIENCE: u32 = 3;

/// Why a registry does not give what it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Nobody answers, or not within the time, or not with a certificate for the name.
    #[error("reach the registry {host}")]
    Unreachable {
        /// Where.
        host: String,
        /// What went wrong.
        #[source]
        source: Box<ureq::Error>,
    },
    /// Somebody is there and does not answer within the time, or answers so slowly that it would never end.
    #[error("the registry {host} does not answer in time")]
    Silent {
        /// Where.
        host: String,
    },
    /// It has no such thing.
    #[error("the registry {host} has no {what}")]
    Missing {
        /// Where.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// It wants to know who asks, or knows and does not allow it.
    #[error(
        "the registry {host} does not give {what} to this box: it needs a login, or the image does not exist"
    )]
    Forbidden {
        /// Where.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// It was asked too often.
    #[error("the registry {host} was asked too often: try again later, or log in there")]
    TooOften {
        /// Where.
        host: String,
    },
    /// It answers something else.
    #[error("the registry {host} answers with status {status}")]
    Status {
        /// Where.
        host: String,
        /// The status.
        status: u16,
    },
    /// It sends the box to a place that is not safe, or in circles.
    #[error("the registry {host} sends the box on to where it does not go")]
    SentOn {
        /// Where.
        host: String,
    },
    /// It asks for a login in a way that cannot be understood.
    #[error("the registry {host} asks for a login in a way that is not known")]
    Login {
        /// Where.
        host: String,
    },
}

/// Pulls an image into the store. Mirrors are asked first, in their order, and then the registry itself.
///
/// # Errors
/// When the image is refused, or when nobody has it; the store is as it was then.
pub fn pull(
    store: &Store,
    name: &Reference,
    registries: &Registries,
    watch: Watch<'_>,
) -> Result<Record, GatherError> {
    let mut last = None;
    for endpoint in registries.endpoints(name.registry()) {
        let source =
            Registry { client: Client::new(endpoint, name, registries), name, limits: &store.limits };
        match gather(store, name, &source, watch) {
            // A mirror that is away, or has it not, or breaks off, is no reason to give up; one that lies is.
            Err(
                error @ (GatherError::Registry(_)
                | GatherError::Stalled { .. }
                | GatherError::BrokeOff { .. }),
            ) => last = Some(error),
            done => return done,
        }
    }
    let host = name.registry().to_owned();
    Err(last.unwrap_or_else(|| RegistryError::Missing { host, what: "address".to_owned() }.into()))
}

struct Registry<'a> {
    client: Client<'a>,
    name: &'a Reference,
    limits: &'a Limits,
}

impl Source for Registry<'_> {
    fn top(&self) -> Result<Top, GatherError> {
        let tag = self.name.digest().map(|digest| digest.to_string());
        let tag = tag.as_deref().or_else(|| self.name.tag()).unwrap_or("latest");
        let answer = self.client.get(&format!("manifests/{tag}"), &ACCEPTED.join(", "), 0)?;
        let media_type = answer.header("content-type");
        let announced =
            answer.header("docker-content-digest").and_then(|digest| digest.parse::<Digest>().ok());
        let bytes = self.bounded("manifest", answer, self.limits.document)?;
        let found = Digest::of(&bytes);
        if let Some(expected) = announced.filter(|expected| *expected != found) {
            return Err(Refused::Digest { what: "the manifest".to_owned(), expected, found }.into());
        }
        Ok(Top { bytes, media_type })
    }

    fn document(&self, what: &str, wanted: &Descriptor) -> Result<Vec<u8>, GatherError> {
        // Manifests have a place of their own.
        let folder = if ACCEPTED.contains(&wanted.media_type.as_str()) { "manifests" } else { "blobs" };
        let answer = self.client.get(&format!("{folder}/{}", wanted.digest), &wanted.media_type, 0)?;
        self.bounded(what, answer, wanted.size)
    }

    fn layer(&self, wanted: &Descriptor, from: u64) -> Result<(u64, Box<dyn Read + Send + '_>), GatherError> {
        let answer = self.client.get(&format!("blobs/{}", wanted.digest), "*/*", from)?;
        let start = answer.start();
        if let Some(length) = answer.length().filter(|length| start.saturating_add(*length) != wanted.size) {
            let found = start.saturating_add(length);
            return Err(Refused::Length { what: "a layer".to_owned(), expected: wanted.size, found }.into());
        }
        Ok((start, Box::new(answer.reader(None))))
    }

    fn patience(&self) -> u32 {
        PATIENCE
    }
}

impl Registry<'_> {
    /// Reads a document, and no more than a little over its bound.
    fn bounded(&self, what: &str, answer: Answer, limit: u64) -> Result<Vec<u8>, GatherError> {
        let too_long = || Refused::DocumentSize { what: what.to_owned(), limit };
        if answer.length().is_some_and(|length| length > limit) {
            return Err(too_long().into());
        }
        let mut bytes = Vec::new();
        let read = answer.reader(Some(self.client.patience())).take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.client.unreachable(ureq::Error::from(error)))?;
        if bytes.len() as u64 > limit { Err(too_long().into()) } else { Ok(bytes) }
    }
}
