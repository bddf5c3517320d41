//! The way to a TPM, and opening it.

use std::fs::OpenOptions;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::str::FromStr;

use tss_esapi::Context;
use tss_esapi::tcti_ldr::DeviceConfig;
use tss_esapi::tcti_ldr::NetworkTPMConfig;
use tss_esapi::tcti_ldr::TctiNameConf;

use crate::OpenError;
use crate::Tpm;
use crate::error::Fault;

/// Where a TPM is (TCTI: TPM command transmission interface).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tcti {
    /// A device of the kernel.
    Device(PathBuf),
    /// The software TPM on this machine: commands at the port, control at the port after it.
    Swtpm {
        /// TCP port on 127.0.0.1.
        port: u16,
    },
}

/// The kernel's resource manager: gives each opener sessions and objects of its own.
const RESOURCE_MANAGER: &str = "/dev/tpmrm0";
/// The kernel has a device file, but nothing behind it (`include/uapi/asm-generic/errno-base.h`).
const NOTHING_THERE: [i32; 2] = [6, 19]; // ENXIO, ENODEV

impl Default for Tcti {
    fn default() -> Self {
        Self::Device(RESOURCE_MANAGER.into())
    }
}

impl Tcti {
    fn configuration(&self) -> Result<TctiNameConf, tss_esapi::Error> {
        match self {
            Self::Device(path) => DeviceConfig::from_str(&path.to_string_lossy()).map(TctiNameConf::Device),
            Self::Swtpm { port } => {
                let address = format!("host={},port={port}", Ipv4Addr::LOCALHOST);
                NetworkTPMConfig::from_str(&address).map(TctiNameConf::Swtpm)
            }
        }
    }

    /// The library below cannot tell an absent device from one that fails, opening it can.
    fn require_device(&self) -> Result<(), OpenError> {
        let Self::Device(path) = self else { return Ok(()) };
        let Err(source) = OpenOptions::new().read(true).write(true).open(path) else { return Ok(()) };
        let absent = source.kind() == io::ErrorKind::NotFound
            || source.raw_os_error().is_some_and(|code| NOTHING_THERE.contains(&code));
        let path = path.clone();
        Err(if absent { OpenError::NoTpm { path } } else { OpenError::Device { path, source } })
    }
}

impl Tpm {
    /// Opens a TPM and makes sure that it answers.
    ///
    /// # Errors
    /// Tells apart that there is none, that it cannot be opened, that it does not answer, and that it is in a state in
    /// which it does nothing.
    pub fn open(tcti: &Tcti) -> Result<Self, OpenError> {
        tcti.require_device()?;
        let context = tcti
            .configuration()
            .and_then(Context::new)
            .map_err(|source| OpenError::NotAnswering { source })?;
        let mut tpm = Self { context, loaded: Vec::new() };
        tpm.lockout().map_err(|error| match error.fault() {
            Fault::NotAnswering => OpenError::NotAnswering { source: error.into_source() },
            Fault::Lockout | Fault::Code(_) => OpenError::Unusable { source: error.into_source() },
        })?;
        Ok(tpm)
    }
}
