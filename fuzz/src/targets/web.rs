//! What a browser sends, below what hyper and rustls have already read.

use super::ignore;
use super::text;
use crate::Target;
use hostd::accounts::session::Token;
use hostd::api::body;
use hostd::api::query::Query;
use hostd::bootstrap;
use hostd::web::hosts::Names;
use std::net::Ipv4Addr;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "http-body",
        source: "anybody on the home network",
        longest: 4096,
        run: |bytes| {
            ignore(body::decode::<serde_json::Value>(bytes));
            ignore(body::decode::<model::network::settings::NetworkSettings>(bytes));
        },
    },
    Target {
        name: "http-query",
        source: "anybody on the home network",
        longest: 2048,
        run: |bytes| {
            let Some(query) = text(bytes).and_then(|text| Query::parse(text, &["unit", "from", "to"]).ok())
            else {
                return;
            };
            ignore(query.require("unit"));
        },
    },
    Target {
        name: "http-host",
        source: "anybody on the home network, in the header Host",
        longest: 512,
        run: |bytes| {
            let (Some(host), Ok(name)) = (text(bytes), "hearth".parse()) else { return };
            ignore(Names::new(vec![name], [Ipv4Addr::new(192, 0, 2, 2).into()]).ours(host));
            ignore(Token::from_cookie(host));
        },
    },
    Target {
        name: "bootstrap",
        source: "whoever wrote the disk",
        longest: 4096,
        run: |bytes| ignore(bootstrap::parse(bytes)),
    },
];
