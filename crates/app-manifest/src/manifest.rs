//! The manifest: `hearth.json`, version 1. Sizes are in bytes, times in seconds.
//!
//! The doc comments of fields are the descriptions of the published schema.

use crate::schema;
use crate::text::ApiId;
use crate::text::ContainerName;
use crate::text::ContainerPath;
use crate::text::Description;
use crate::text::HttpPath;
use crate::text::Line;
use crate::text::Reason;
use crate::text::Version;
use model::apps::AppId;
use model::network::app_policy::Port;
use model::network::names::DomainPattern;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::num::NonZeroU16;

mod container;

pub use container::*;

/// Most containers of one app.
pub const MAX_CONTAINERS: usize = 16;
/// Most entries in each list of permissions, and most exports.
pub const MAX_PERMISSIONS_EACH: usize = 16;

/// What an app says of itself, and what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format: 1.
    pub format: Format,
    /// The ID that the app would like; the owner may give it another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::AppId>")]
    pub id: Option<AppId>,
    /// What the app is called.
    pub title: Line,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// Who makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Line>,
    /// Its licence, best as an SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<Line>,
    /// Version of the app (semver.org).
    pub version: Version,
    /// Whether each user has a copy of their own, or one serves the household.
    #[serde(default)]
    pub scope: Scope,
    /// Its containers by name. They share one network: they reach each other at 127.0.0.1.
    #[schemars(schema_with = "containers")]
    pub containers: BTreeMap<ContainerName, Container>,
    /// Its web page, which opens at the app's own address; none for an app without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<Display>,
    /// APIs that others may call through the box.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub exports: Vec<Export>,
    /// What it asks for beyond its own sandbox.
    #[serde(default, skip_serializing_if = "Permissions::is_none")]
    pub permissions: Permissions,
}

fn containers(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schema::map_of::<ContainerName, Container>(generator, 1, MAX_CONTAINERS)
}

/// The only version of the format so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Format;

/// A manifest of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("format {0} is not known; 1 is")]
pub struct UnknownFormat(u8);

impl TryFrom<u8> for Format {
    type Error = UnknownFormat;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        if number == 1 { Ok(Self) } else { Err(UnknownFormat(number)) }
    }
}

impl From<Format> for u8 {
    fn from(_only: Format) -> Self {
        1
    }
}

impl JsonSchema for Format {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Format".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "const": 1 })
    }
}

/// For whom one copy of the app is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// For one user; others may have copies of their own, with other data.
    #[default]
    User,
    /// For the whole household.
    System,
}

/// The web page of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Display {
    /// TCP port at which the app serves HTTP.
    pub port: NonZeroU16,
    /// Path of the page that opens first.
    #[serde(default = "HttpPath::root")]
    pub path: HttpPath,
}

/// An API that the app serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Its name, below a domain of its maker: `example.com/notes-api`.
    pub api: ApiId,
    /// Path of its HTTP or WebSocket endpoint.
    pub path: HttpPath,
    /// How it is called.
    #[serde(default)]
    pub transport: Transport,
    /// Its TCP port; none for the port that the box assigns (`HEARTH_ASSIGNED_PORT`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<NonZeroU16>,
}

/// How an API is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// JSON-RPC by HTTP POST.
    #[default]
    Rpc,
    /// A WebSocket that the box passes on.
    Proxy,
}

/// What an app asks for; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Permissions {
    /// Every host of the Internet; none of the home network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internet: Option<Wish>,
    /// Some hosts of the Internet, by name; 64 names in all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub domains: Vec<DomainsWish>,
    /// Devices in the home network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lan: Option<Wish>,
    /// The owner's other boxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh: Option<Wish>,
    /// Ports at which devices at home may reach it. Its web page needs none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub inbound: Vec<InboundWish>,
    /// Ports of other apps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub apps: Vec<AppWish>,
    /// Devices of the box. No app may have any so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub devices: Vec<DeviceWish>,
}

impl Permissions {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A permission that needs no more words than its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Why, for people.
    pub reason: Reason,
}

/// Hosts by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DomainsWish {
    /// `example.com` for exactly this name, `*.example.com` for all below it.
    #[schemars(with = "BTreeSet<schema::DomainPattern>", length(min = 1, max = 64))]
    pub names: BTreeSet<DomainPattern>,
    /// Why, for people.
    pub reason: Reason,
}

/// A port of the box that leads to the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InboundWish {
    /// Port of the box.
    #[schemars(with = "schema::Port")]
    pub port: Port,
    /// Port of the app; none for the same number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_port: Option<NonZeroU16>,
    /// Why, for people.
    pub reason: Reason,
}

/// A port of another app of the same user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppWish {
    /// ID of the app.
    #[schemars(with = "schema::AppId")]
    pub app: AppId,
    /// Its port.
    #[schemars(with = "schema::Port")]
    pub port: Port,
    /// Why, for people.
    pub reason: Reason,
}

/// A device of the box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceWish {
    /// Which, such as `/dev/ttyUSB0`.
    pub path: ContainerPath,
    /// Why, for people.
    pub reason: Reason,
}
