//! A disk that fails is not written to any more, so that what is on it can still be read.

use crate::host::Host;
use model::control::ControlAnswer;
use model::control::ControlRequest;
use std::error::Error;
use std::future::Future;

/// Waits for `stopped`, the end of a store whose disk did not confirm a change, and has init protect the data.
///
/// Left alone, the kernel goes on writing until its journal fails too, and Linux 6.12 then refuses reads as well (`fs/ext4/super.c`,
/// `ext4_handle_error`).
pub async fn follow(stopped: impl Future<Output = ()>, host: &dyn Host) {
    stopped.await;
    match host.ask(ControlRequest::ProtectData).await {
        Ok(ControlAnswer::Accepted) => {
            tracing::error!("the disk did not confirm a change: the data is read-only now");
        }
        Ok(ControlAnswer::Refused { reason }) => {
            tracing::error!(reason, "the disk did not confirm a change, and the data was not made read-only");
        }
        Ok(ControlAnswer::Logs { .. }) => tracing::error!("init answered something else"),
        Err(error) => tracing::error!(error = &error as &dyn Error, "the data was not made read-only"),
    }
}
