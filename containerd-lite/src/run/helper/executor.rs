//! The last step of libcontainer's process inside of the container: the list of system calls, then the first program.

use crate::run::filter::Filter;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::Executor;
use libcontainer::workload::ExecutorError;
use libcontainer::workload::ExecutorValidationError;
use nix::unistd::execvp;
use std::convert::Infallible;
use std::ffi::CString;

/// Applies the list and becomes the program. The specification names no list: nothing runs without this.
#[derive(Clone)]
pub(super) struct Confined(pub(super) Filter);

impl Executor for Confined {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let words = spec.process().as_ref().and_then(|process| process.args().as_ref());
        let words = words.ok_or(ExecutorError::InvalidArg)?;
        let words: Result<Vec<CString>, _> = words.iter().map(|word| CString::new(word.as_bytes())).collect();
        let words = words.map_err(|_has_a_zero| ExecutorError::InvalidArg)?;
        let program = words.first().ok_or(ExecutorError::InvalidArg)?;
        self.0.apply().map_err(|error| ExecutorError::Execution(error.into()))?;
        let never: Result<Infallible, _> = execvp(program, &words);
        never.map(|_| ()).map_err(|error| ExecutorError::Execution(error.into()))
    }

    /// The program is our own, and mounted.
    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        Ok(())
    }
}
