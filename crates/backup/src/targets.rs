//! Where backups go, as the owner set it.

use crate::secret::Secret;
use serde::Deserialize;
use serde::Serialize;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// Longest document that is read.
const MAX_DOCUMENT: usize = 32 * 1024;
const KIND: &str = "hearth-backup-target";
const VERSION: u32 = 1;

/// A place for backups. `parse` and `to_json` are its versioned document; `Debug` shows no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Target {
    /// A folder: a USB disk, or a share that is mounted.
    Folder(FolderTarget),
    /// An object store.
    S3(S3Target),
}

/// A folder of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FolderTarget {
    /// The folder of the repository.
    pub path: PathBuf,
    /// The mount the folder lies on. When given, it must be mounted, so that nothing is written to the box's own
    /// disk while the USB disk is away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mounted_at: Option<PathBuf>,
}

/// A bucket of an object store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct S3Target {
    /// `https://host[:port]`; plain `http://` only for addresses of the home network.
    pub endpoint: String,
    /// The bucket; it must exist.
    pub bucket: String,
    /// The region, `us-east-1` for stores that know none.
    pub region: String,
    /// Access key.
    pub access_key: String,
    /// Its secret.
    pub secret_key: Secret,
    /// What all names begin with; empty for the bucket's top.
    #[serde(default)]
    pub path: String,
}

/// What is wrong with a target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The document is too long to be one.
    #[error("the backup target has more than {MAX_DOCUMENT} bytes")]
    TooLong,
    /// The document cannot be read.
    #[error("the backup target cannot be read")]
    Syntax(#[source] serde_json::Error),
    /// Another kind of document.
    #[error("this is no backup target but {found:?}")]
    Kind {
        /// Which kind.
        found: String,
    },
    /// Written by a newer system.
    #[error("the backup target has version {found}, this system knows {VERSION}")]
    Version {
        /// Which version.
        found: u32,
    },
    /// A field that cannot work.
    #[error("the backup target's {field} {problem}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    kind: String,
    version: u32,
    target: serde_json::Value,
}

impl Target {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// When it is no target of a version this system knows, or a field cannot work.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if text.len() > MAX_DOCUMENT {
            return Err(TargetError::TooLong);
        }
        let document: Document = serde_json::from_str(text).map_err(TargetError::Syntax)?;
        if document.kind != KIND {
            return Err(TargetError::Kind { found: document.kind.chars().take(64).collect() });
        }
        if document.version != VERSION {
            return Err(TargetError::Version { found: document.version });
        }
        let target: Self = serde_json::from_value(document.target).map_err(TargetError::Syntax)?;
        target.check_form(false)?;
        Ok(target)
    }

    /// The document, secrets included.
    ///
    /// # Errors
    /// When the target cannot be written, which no target that passes [`Target::check`] does.
    pub fn to_json(&self) -> Result<String, TargetError> {
        let target = serde_json::to_value(self).map_err(TargetError::Syntax)?;
        let document = Document { kind: KIND.to_owned(), version: VERSION, target };
        serde_json::to_string_pretty(&document).map_err(TargetError::Syntax)
    }

    /// The target without its secrets, to show and to print.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut shown = self.clone();
        match &mut shown {
            Self::Folder(_) => {}
            Self::S3(s3) => s3.secret_key = Secret::default(),
        }
        shown
    }

    /// In one line, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Folder(folder) => format!("folder {}", folder.path.display()),
            Self::S3(s3) => format!("{}/{}/{}", s3.endpoint, s3.bucket, s3.path),
        }
    }

    /// Checks everything that can be checked without asking the place.
    ///
    /// # Errors
    /// The first field that cannot work.
    pub fn check(&self) -> Result<(), TargetError> {
        self.check_form(true)
    }

    /// A redacted target has the right form, it only cannot be used.
    fn check_form(&self, secrets: bool) -> Result<(), TargetError> {
        match self {
            Self::Folder(folder) => {
                plain_path("path", &folder.path)?;
                let Some(mount) = &folder.mounted_at else { return Ok(()) };
                plain_path("mounted-at", mount)?;
                require(folder.path.starts_with(mount), "path", "does not lie below mounted-at")
            }
            Self::S3(s3) => s3.check(secrets),
        }
    }
}

impl S3Target {
    fn check(&self, secrets: bool) -> Result<(), TargetError> {
        let (secure, authority) =
            match (self.endpoint.strip_prefix("https://"), self.endpoint.strip_prefix("http://")) {
                (Some(rest), _) => (true, rest),
                (None, Some(rest)) => (false, rest),
                (None, None) => {
                    return Err(TargetError::Field {
                        field: "endpoint",
                        problem: "does not begin with https://",
                    });
                }
            };
        let authority = authority.trim_end_matches('/');
        let (host, port) = split_port(authority);
        require(is_host(host), "endpoint", "has no host name, or more than host and port")?;
        require(
            port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0)),
            "endpoint",
            "has no port",
        )?;
        require(secure || is_at_home(host), "endpoint", "is not https:// and not in the home network")?;
        // Rules for bucket names: docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
        let bucket =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        require(self.bucket.len() >= 3 && fits(&self.bucket, 63, bucket), "bucket", "is no bucket's name")?;
        let region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        require(fits(&self.region, 32, region), "region", "is no region's name")?;
        let printable = |byte: u8| byte.is_ascii_graphic();
        require(fits(&self.access_key, 256, printable), "access-key", "is empty or has strange characters")?;
        let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
        require(
            self.path.is_empty() || fits(&self.path, 256, name),
            "path",
            "has characters other than a-zA-Z0-9-_./",
        )?;
        let plain = self.path.is_empty() || self.path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        require(plain, "path", "begins or ends with a slash, or has . or .. in it")?;
        require(!secrets || fits(self.secret_key.expose(), 256, printable), "secret-key", "is missing")
    }
}

fn require(holds: bool, field: &'static str, problem: &'static str) -> Result<(), TargetError> {
    if holds { Ok(()) } else { Err(TargetError::Field { field, problem }) }
}

fn fits(text: &str, longest: usize, allowed: impl Fn(u8) -> bool) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(allowed)
}

fn plain_path(field: &'static str, path: &Path) -> Result<(), TargetError> {
    require(path.as_os_str().len() <= 1024, field, "is too long")?;
    require(path.is_absolute(), field, "does not begin with /")?;
    let normal = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    require(normal && path.components().count() > 1, field, "is / or has .. in it")
}

fn is_host(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    inner.parse::<std::net::IpAddr>().is_ok() || (fits(host, 253, name) && !host.starts_with(['-', '.']))
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        Some(_) | None => (authority, None),
    }
}

/// Content is encrypted and requests are signed, but names of files and the access key are seen on the way.
fn is_at_home(host: &str) -> bool {
    use std::net::IpAddr;
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_private() || address.is_loopback() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        Err(_) => host == "localhost",
    }
}

#[cfg(test)]
mod tests;
