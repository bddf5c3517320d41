//! A machine that tests describe; it remembers what was asked of PID 1.

use super::Host;
use super::HostError;
use super::Space;
use super::control::ControlError;
use futures_util::future::BoxFuture;
use model::control::ControlAnswer;
use model::control::ControlRequest;
use model::report::BootReport;
use model::report::ServicesReport;
use std::sync::Mutex;
use std::sync::PoisonError;

/// A described machine.
#[derive(Debug, Default)]
pub struct FakeHost {
    /// How the boot went.
    pub boot: Option<BootReport>,
    /// State of the services.
    pub services: Mutex<Option<ServicesReport>>,
    /// Everything that was asked of PID 1.
    pub asked: Mutex<Vec<ControlRequest>>,
}

impl Host for FakeHost {
    fn boot_report(&self) -> Result<Option<BootReport>, HostError> {
        Ok(self.boot.clone())
    }

    fn services(&self) -> Result<Option<ServicesReport>, HostError> {
        Ok(self.services.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn memory(&self) -> Result<Space, HostError> {
        Ok(Space { total_bytes: 512 << 20, available_bytes: 300 << 20 })
    }

    fn disk(&self) -> Result<Space, HostError> {
        Ok(Space { total_bytes: 4 << 30, available_bytes: 3 << 30 })
    }

    fn ask(&self, request: ControlRequest) -> BoxFuture<'_, Result<ControlAnswer, ControlError>> {
        let answer = match &request {
            ControlRequest::Logs { unit: Some(unit), .. } if unit == "nobody" => {
                ControlAnswer::Refused { reason: "there is no service named nobody".to_owned() }
            }
            ControlRequest::Logs { unit, .. } => {
                let unit = unit.as_deref().unwrap_or("init");
                ControlAnswer::Logs { lines: vec![format!("1.5 {unit}: started")] }
            }
            ControlRequest::Reboot
            | ControlRequest::PowerOff
            | ControlRequest::FactoryReset
            | ControlRequest::Restart { .. }
            | ControlRequest::ProtectData
            | ControlRequest::MountBackupDisk { .. }
            | ControlRequest::UnmountBackupDisk { .. }
            | ControlRequest::OpenData => ControlAnswer::Accepted,
        };
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        Box::pin(async move { Ok(answer) })
    }
}
