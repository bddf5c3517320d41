//! What the API tells as it happens.

use crate::harness::DEADLINE;
use crate::harness::Router;
use hostd::server::Visitor;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::Value;
use std::net::IpAddr;
use std::net::Ipv4Addr;

/// Frames of a stream of events, as far as they came.
pub(crate) struct Stream {
    body: hostd::web::body::ReplyBody,
    text: String,
}

impl Stream {
    pub(crate) async fn open(router: &Router, path: &str, cookie: &str) -> Self {
        let request = Request::builder().uri(path).header("host", "hearth.local").header("cookie", cookie);
        let request = request.body(Full::new(Bytes::new())).unwrap();
        let visitor = Visitor::at(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let reply = router.app.answer(request, &visitor).await;
        assert_eq!(
            (reply.status().as_u16(), &reply.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        Self { body: reply.into_body(), text: String::new() }
    }

    /// Reads until an event of this name fits; its data.
    pub(crate) async fn until(&mut self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let read = async {
            loop {
                while let Some((one, rest)) =
                    self.text.split_once("\n\n").map(|(a, b)| (a.to_owned(), b.to_owned()))
                {
                    self.text = rest;
                    let data = one.strip_prefix(&format!("event: {event}\ndata: "));
                    let data = data.map(|data| serde_json::from_str::<Value>(data).unwrap());
                    if let Some(data) = data.filter(|data| fits(data)) {
                        return data;
                    }
                }
                let frame = self.body.frame().await.expect("the stream goes on").unwrap();
                self.text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
            }
        };
        tokio::time::timeout(DEADLINE, read).await.expect("the event within the deadline")
    }
    /// Reads until it ends, as it does with its session.
    pub(crate) async fn end(&mut self) {
        let ended = async { while self.body.frame().await.is_some() {} };
        tokio::time::timeout(DEADLINE, ended).await.expect("a stream ends with its session");
    }
}
