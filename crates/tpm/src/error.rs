//! What can go wrong with any command, and what the numbers mean.

use std::io;
use std::path::PathBuf;

use tss_esapi::Error;
use tss_esapi::constants::response_code::Tss2ResponseCode;
use tss_esapi::constants::response_code::Tss2ResponseCodeKind;

/// A TPM that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none.
    #[error("there is no TPM ({})", path.display())]
    NoTpm {
        /// Where it would be.
        path: PathBuf,
    },
    /// The device is there and could not be opened.
    #[error("the TPM at {} cannot be opened", path.display())]
    Device {
        /// Device.
        path: PathBuf,
        /// Reason.
        #[source]
        source: io::Error,
    },
    /// No answer, or none that makes sense.
    #[error("the TPM does not answer")]
    NotAnswering {
        /// Reason.
        #[source]
        source: Error,
    },
    /// It answers, with an error to a question that needs no permission: not started, or failed its self-test.
    #[error("the TPM is in a state in which it does nothing")]
    Unusable {
        /// Its answer.
        #[source]
        source: Error,
    },
}

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub enum TpmError {
    /// No answer, or none that makes sense. From then on it has to be opened anew.
    #[error("the TPM does not answer ({doing})")]
    NotAnswering {
        /// What was being done.
        doing: &'static str,
        /// Reason.
        #[source]
        source: Error,
    },
    /// Too many wrong tries, of whomever and whatever: [`Tpm::lockout`](crate::Tpm::lockout) tells until when.
    #[error("the TPM is in lockout ({doing})")]
    Lockout {
        /// What was being done.
        doing: &'static str,
        /// Its answer.
        #[source]
        source: Error,
    },
    /// It said no.
    #[error("the TPM refuses: {doing}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// Its answer.
        #[source]
        source: Error,
    },
    /// It has no such register, or does not keep SHA-256 of it.
    #[error("the TPM has no register {0} with SHA-256")]
    NoRegister(u32),
}

/// Why a command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NotAnswering,
    Lockout,
    /// Everything else; the TPM's answer when it is a known one.
    Code(Option<Tss2ResponseCodeKind>),
}

impl TpmError {
    pub(crate) fn new(doing: &'static str, source: Error) -> Self {
        match fault(&source) {
            Fault::NotAnswering => Self::NotAnswering { doing, source },
            Fault::Lockout => Self::Lockout { doing, source },
            Fault::Code(_) => Self::Refused { doing, source },
        }
    }

    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::NotAnswering { .. } => Fault::NotAnswering,
            Self::Lockout { .. } => Fault::Lockout,
            Self::Refused { source, .. } => fault(source),
            Self::NoRegister(_) => Fault::Code(None),
        }
    }

    pub(crate) fn code(&self) -> Option<Tss2ResponseCodeKind> {
        match self.fault() {
            Fault::Code(code) => code,
            Fault::NotAnswering | Fault::Lockout => None,
        }
    }

    pub(crate) fn into_source(self) -> Error {
        match self {
            Self::NotAnswering { source, .. }
            | Self::Lockout { source, .. }
            | Self::Refused { source, .. } => source,
            Self::NoRegister(_) => Error::WrapperError(tss_esapi::WrapperErrorKind::WrongValueFromTpm),
        }
    }
}

pub(crate) fn fault(error: &Error) -> Fault {
    let Error::Tss2Error(code) = error else { return Fault::Code(None) };
    match number(*code) {
        AFTER_NO_ANSWER => return Fault::NotAnswering,
        number => match number >> 16 & 0xff {
            TCTI_LAYER => return Fault::NotAnswering,
            TPM_LAYER | RESOURCE_MANAGER_TPM_LAYER => {}
            _ => return Fault::Code(None),
        },
    }
    match code.kind() {
        Some(Tss2ResponseCodeKind::Lockout) => Fault::Lockout,
        kind => Fault::Code(kind),
    }
}

/// The library still waits for an answer that never came (`TSS2_ESYS_RC_BAD_SEQUENCE`).
const AFTER_NO_ANSWER: u32 = 0x0007_0007;
/// Who answered: bits 16 to 23 of a code (TCG TSS 2.0 Overview and Common Structures).
const TPM_LAYER: u32 = 0;
const TCTI_LAYER: u32 = 10;
const RESOURCE_MANAGER_TPM_LAYER: u32 = 12;

/// tss-esapi shows the number in text only, and names a code without looking at its layer.
fn number(code: Tss2ResponseCode) -> u32 {
    let text = match code {
        Tss2ResponseCode::Success => return 0,
        Tss2ResponseCode::FormatZero(code) => code.to_string(),
        Tss2ResponseCode::FormatOne(code) => code.to_string(),
    };
    text.rsplit_once("0x").and_then(|(_, digits)| u32::from_str_radix(digits, 16).ok()).unwrap_or_default()
}
