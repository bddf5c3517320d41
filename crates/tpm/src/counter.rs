//! A counter that only grows, to notice when files were put back to an older copy of themselves.
//!
//! It is removed when the TPM is cleared; whoever can clear it, or owns the owner hierarchy, can also make it count. A
//! new counter begins above all values that the TPM's counters ever had, until it is cleared (TPM 2.0 Library, part
//! 3, TPM2_NV_Increment), so that removing one and making it anew does not bring old values back.

use tss_esapi::attributes::NvIndexAttributesBuilder;
use tss_esapi::constants::NvIndexType;
use tss_esapi::constants::response_code::Tss2ResponseCodeKind;
use tss_esapi::handles::NvIndexHandle;
use tss_esapi::handles::NvIndexTpmHandle;
use tss_esapi::handles::ObjectHandle;
use tss_esapi::handles::TpmHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::NvAuth;
use tss_esapi::interface_types::resource_handles::Provision;
use tss_esapi::structures::NvPublic;

use crate::Tpm;
use crate::TpmError;

/// Where the counter is: in the range for the owner of a machine (TCG Registry of Reserved TPM 2.0 Handles and
/// Localities: 0x01800000 to 0x01bfffff), away from its beginning, where others are likely to put theirs.
pub const COUNTER_INDEX: u32 = 0x0180_4854;
const COUNTER_SIZE: u16 = 8;

/// Why the counter could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CounterError {
    /// It is not there.
    #[error("the TPM has no counter: it was cleared, or none was made yet")]
    Missing,
    /// It is there already.
    #[error("the TPM has the counter already")]
    Exists,
    /// It was made, but never counted: making it was interrupted. Incrementing makes it usable.
    #[error("the TPM's counter has never counted")]
    NeverCounted,
    /// There is something else in its place.
    #[error("the TPM has something else in the place of the counter ({COUNTER_INDEX:#010x})")]
    Foreign,
    /// Anything else.
    #[error(transparent)]
    Tpm(#[from] TpmError),
}

impl Tpm {
    /// Makes the counter and counts once, without which it cannot be read. The answer is its value.
    ///
    /// # Errors
    /// When it is there already, or the TPM does not answer or refuses.
    pub fn define_counter(&mut self) -> Result<u64, CounterError> {
        self.define_without_counting()?;
        self.increment_counter()
    }

    pub(crate) fn define_without_counting(&mut self) -> Result<(), CounterError> {
        let doing = "making the counter";
        let public = public_area().map_err(|source| TpmError::new(doing, source))?;
        let made = self
            .with_empty_password(doing, |context| context.nv_define_space(Provision::Owner, None, public));
        match made {
            Ok(handle) => Ok(self.close(handle)?),
            Err(error) if error.code() == Some(Tss2ResponseCodeKind::NvDefined) => Err(CounterError::Exists),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the counter.
    ///
    /// # Errors
    /// When it is not there, or the TPM does not answer or refuses.
    pub fn read_counter(&mut self) -> Result<u64, CounterError> {
        self.with_counter(Self::read)
    }

    /// Counts, and answers with the new value.
    ///
    /// # Errors
    /// When it is not there, or the TPM does not answer or refuses.
    pub fn increment_counter(&mut self) -> Result<u64, CounterError> {
        self.with_counter(|tpm, counter| {
            tpm.with_empty_password("counting", |context| context.nv_increment(NvAuth::Owner, counter))?;
            tpm.read(counter)
        })
    }

    /// Removes the counter.
    ///
    /// # Errors
    /// When it is not there, or the TPM does not answer or refuses.
    pub fn undefine_counter(&mut self) -> Result<(), CounterError> {
        let counter = self.counter()?;
        let removed = self.with_empty_password("removing the counter", |context| {
            context.nv_undefine_space(Provision::Owner, counter)
        });
        Ok(removed?)
    }

    fn read(&mut self, counter: NvIndexHandle) -> Result<u64, CounterError> {
        let doing = "reading the counter";
        let value = self
            .with_empty_password(doing, |context| context.nv_read(NvAuth::Owner, counter, COUNTER_SIZE, 0));
        let value = value.map_err(|error| match error.code() {
            Some(Tss2ResponseCodeKind::NvUninitialized) => CounterError::NeverCounted,
            _ => error.into(),
        })?;
        let bytes = <[u8; 8]>::try_from(value.as_slice()).ok().ok_or(CounterError::Foreign)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn with_counter<T>(
        &mut self,
        run: impl FnOnce(&mut Self, NvIndexHandle) -> Result<T, CounterError>,
    ) -> Result<T, CounterError> {
        let counter = self.counter()?;
        let result = run(self, counter);
        self.close(counter)?;
        result
    }

    /// Looks for the counter.
    fn counter(&mut self) -> Result<NvIndexHandle, CounterError> {
        let doing = "looking for the counter";
        let index = index().map_err(|source| TpmError::new(doing, source))?;
        let found = self.plain(doing, |context| context.tr_from_tpm_public(TpmHandle::NvIndex(index)));
        let counter = NvIndexHandle::from(found.map_err(|error| match error.code() {
            Some(Tss2ResponseCodeKind::Handle) => CounterError::Missing,
            _ => error.into(),
        })?);
        let (public, _) = self.plain(doing, |context| context.nv_read_public(counter))?;
        let right = public.attributes().index_type() == Ok(NvIndexType::Counter)
            && public.data_size() == usize::from(COUNTER_SIZE);
        if right {
            return Ok(counter);
        }
        self.close(counter)?;
        Err(CounterError::Foreign)
    }

    /// Forgets what the library knows of an index; it stays in the TPM.
    pub(crate) fn close(&mut self, counter: NvIndexHandle) -> Result<(), TpmError> {
        let mut handle = ObjectHandle::from(counter);
        self.plain("letting go of the counter", |context| context.tr_close(&mut handle))
    }
}

fn index() -> tss_esapi::Result<NvIndexTpmHandle> {
    NvIndexTpmHandle::new(COUNTER_INDEX)
}

/// Only the owner hierarchy, whose password is empty, counts and reads: the index itself has no password to guess.
fn public_area() -> tss_esapi::Result<NvPublic> {
    let attributes = NvIndexAttributesBuilder::new()
        .with_nv_index_type(NvIndexType::Counter)
        .with_owner_write(true)
        .with_owner_read(true)
        .with_no_da(true)
        .build()?;
    NvPublic::builder()
        .with_nv_index(index()?)
        .with_index_name_algorithm(HashingAlgorithm::Sha256)
        .with_index_attributes(attributes)
        .with_data_area_size(usize::from(COUNTER_SIZE))
        .build()
}
