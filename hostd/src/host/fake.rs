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
use model::update::LastAction;
use model::update::SlotStanding;
use model::update::SlotsReport;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// A described machine.
#[derive(Debug, Default)]
pub struct FakeHost {
    /// How the boot went.
    pub boot: Option<BootReport>,
    /// State of the services.
    pub services: Mutex<Option<ServicesReport>>,
    /// How the slots are; orders about updates change it, as the installer would.
    pub slots: Mutex<Option<SlotsReport>>,
    /// What the installer complains of, from now on.
    pub install_problem: Mutex<Option<String>>,
    /// Everything that was asked of PID 1.
    pub asked: Mutex<Vec<ControlRequest>>,
}

impl Host for FakeHost {
    fn boot_report(&self) -> Result<Option<BootReport>, HostError> {
        Ok(self.boot.clone())
    }

    fn services(&self) -> Result<Option<ServicesReport>, HostError> {
        Ok(lock(&self.services).clone())
    }

    fn slots(&self) -> Result<Option<SlotsReport>, HostError> {
        Ok(lock(&self.slots).clone())
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
            ControlRequest::InstallUpdate { version, .. } => {
                self.install(version);
                ControlAnswer::Accepted
            }
            ControlRequest::ConfirmUpdate => {
                if let Some(running) = lock(&self.slots).as_mut().and_then(|slots| slots.running.as_mut()) {
                    running.standing = SlotStanding::Kept;
                }
                ControlAnswer::Accepted
            }
            ControlRequest::RestartIntoUpdate
            | ControlRequest::FailUpdate { .. }
            | ControlRequest::Reboot
            | ControlRequest::PowerOff
            | ControlRequest::FactoryReset
            | ControlRequest::Restart { .. }
            | ControlRequest::ProtectData
            | ControlRequest::MountBackupDisk { .. }
            | ControlRequest::UnmountBackupDisk { .. }
            | ControlRequest::OpenData => ControlAnswer::Accepted,
        };
        lock(&self.asked).push(request);
        Box::pin(async move { Ok(answer) })
    }
}

impl FakeHost {
    fn install(&self, version: &str) {
        let problem = lock(&self.install_problem).clone();
        let mut slots = lock(&self.slots);
        let slots = slots.get_or_insert_default();
        slots.armed = problem.is_none().then(|| version.to_owned());
        slots.last =
            Some(LastAction { verb: "install".to_owned(), version: Some(version.to_owned()), problem });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
