//! Networks of apps: a namespace from the runtime, wired up by netd. Without its answer nothing runs.

use super::Shared;
use crate::runtime::Network;
use crate::words::chain;
use hostapi::net1;
use hostapi::net1::Net1Error;
use hostapi::net1::Net1Proxy;
use model::network::attachment::Attachment;
use model::network::names::AppKey;
use std::sync::Arc;

/// Makes an app's network; in words why there is none. Then nothing is left of it.
pub(super) async fn attach(shared: &Arc<Shared>, app: &AppKey) -> Result<Attachment, String> {
    let attached = match try_attach(shared, app).await {
        // An earlier run did not come to note what netd had answered. Nothing runs in it.
        Err(Refusal::Attached) => {
            detach(shared, app).await;
            try_attach(shared, app).await
        }
        attached => attached,
    };
    match attached {
        Ok(attachment) => Ok(attachment),
        Err(refusal) => {
            remove(shared, app).await;
            Err(match refusal {
                Refusal::Attached => "netd says that the app has a network already".to_owned(),
                Refusal::Said(words) => words,
            })
        }
    }
}

/// Takes an app's network away, as far as it can be: what netd keeps of it, it takes away by itself when the namespace is gone.
pub(super) async fn detach(shared: &Arc<Shared>, app: &AppKey) {
    let answer = match proxy(shared).await {
        Ok(proxy) => match proxy.detach_app(app.as_str()).await {
            Ok(()) | Err(Net1Error::UnknownApp(_)) => Ok(()),
            Err(error) => Err(said(error)),
        },
        Err(words) => Err(words),
    };
    if let Err(words) = answer {
        tracing::warn!(%app, words, "netd did not take the network of an app away");
    }
    remove(shared, app).await;
}

async fn remove(shared: &Arc<Shared>, app: &AppKey) {
    let (runtime, key) = (Arc::clone(&shared.runtime), app.clone());
    match tokio::task::spawn_blocking(move || runtime.remove_network(&key)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%app, words = chain(&error), "the network of an app stays"),
        Err(_broke) => tracing::error!(%app, "removing the network of an app broke off"),
    }
}

enum Refusal {
    Attached,
    Said(String),
}

async fn try_attach(shared: &Arc<Shared>, app: &AppKey) -> Result<Attachment, Refusal> {
    let (runtime, key) = (Arc::clone(&shared.runtime), app.clone());
    let made = tokio::task::spawn_blocking(move || runtime.network(&key)).await;
    let Network { namespace, route_socket } = made
        .map_err(|_broke| Refusal::Said("making its network broke off".to_owned()))?
        .map_err(|error| Refusal::Said(chain(&error)))?;
    let proxy = proxy(shared).await.map_err(Refusal::Said)?;
    match proxy.attach_app(app.as_str(), namespace.into(), route_socket.into()).await {
        Ok(answer) => net1::read_answer(&answer)
            .map_err(|error| Refusal::Said(format!("the answer of netd is strange: {}", chain(&error)))),
        Err(Net1Error::AlreadyAttached(_)) => Err(Refusal::Attached),
        Err(error) => Err(Refusal::Said(said(error))),
    }
}

/// A connection for each question: netd may have been started anew since the last.
async fn proxy(shared: &Shared) -> Result<Net1Proxy<'static>, String> {
    net1::connect(&shared.net_socket)
        .await
        .map_err(|error| format!("the network daemon cannot be asked: {}", chain(&error)))
}

fn said(error: Net1Error) -> String {
    match error {
        Net1Error::ZBus(error) => format!("the network daemon does not answer: {}", chain(&error)),
        Net1Error::InvalidHostName(said)
        | Net1Error::Stopping(said)
        | Net1Error::InvalidDocument(said)
        | Net1Error::Refused(said)
        | Net1Error::UnknownApp(said)
        | Net1Error::AlreadyAttached(said)
        | Net1Error::NothingOnTrial(said) => said,
    }
}
