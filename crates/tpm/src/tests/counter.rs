use tss_esapi::attributes::NvIndexAttributesBuilder;
use tss_esapi::handles::AuthHandle;
use tss_esapi::handles::NvIndexTpmHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::Provision;
use tss_esapi::structures::Auth;
use tss_esapi::structures::NvPublic;

use super::failing::clear;
use super::swtpm::Swtpm;
use crate::COUNTER_INDEX;
use crate::CounterError;

#[test]
fn the_counter_lives_through_restarts_and_only_grows() {
    let mut swtpm = Swtpm::new();
    let mut tpm = swtpm.open();
    assert!(matches!(tpm.read_counter().unwrap_err(), CounterError::Missing));
    assert!(matches!(tpm.increment_counter().unwrap_err(), CounterError::Missing));
    assert!(matches!(tpm.undefine_counter().unwrap_err(), CounterError::Missing));

    let first = tpm.define_counter().unwrap();
    assert_eq!(tpm.read_counter().unwrap(), first);
    assert!(matches!(tpm.define_counter().unwrap_err(), CounterError::Exists));
    assert_eq!(tpm.increment_counter().unwrap(), first + 1);
    drop(tpm);

    swtpm.restart();
    let mut tpm = swtpm.open();
    assert_eq!(tpm.read_counter().unwrap(), first + 1);
    assert_eq!(tpm.increment_counter().unwrap(), first + 2);

    tpm.undefine_counter().unwrap();
    assert!(matches!(tpm.read_counter().unwrap_err(), CounterError::Missing));
    let anew = tpm.define_counter().unwrap();
    assert!(anew > first + 2, "{anew} after {first} + 2");
}

#[test]
fn a_password_of_the_owner_hierarchy_is_told_and_nobody_counts_without_it() {
    let swtpm = Swtpm::new();
    let mut tpm = swtpm.open();
    assert!(!tpm.has_owner_password().unwrap());
    let password = Auth::try_from(b"somebody's".to_vec()).unwrap();
    tpm.with_empty_password("", |context| context.hierarchy_change_auth(AuthHandle::Owner, password))
        .unwrap();
    // The library remembers the password as long as the TPM is open.
    drop(tpm);
    let mut tpm = swtpm.open();
    assert!(tpm.has_owner_password().unwrap());
    assert!(matches!(tpm.define_counter().unwrap_err(), CounterError::Tpm(_)));
}

#[test]
fn a_cleared_tpm_has_no_counter() {
    let swtpm = Swtpm::new();
    let mut tpm = swtpm.open();
    tpm.define_counter().unwrap();
    clear(&mut tpm);
    assert!(matches!(tpm.read_counter().unwrap_err(), CounterError::Missing));
    tpm.define_counter().unwrap();
    tpm.read_counter().unwrap();
}

#[test]
fn a_counter_whose_making_was_interrupted_is_recognised_and_usable() {
    let swtpm = Swtpm::new();
    let mut tpm = swtpm.open();
    tpm.define_without_counting().unwrap();
    assert!(matches!(tpm.read_counter().unwrap_err(), CounterError::NeverCounted));
    assert!(matches!(tpm.define_counter().unwrap_err(), CounterError::Exists));
    let value = tpm.increment_counter().unwrap();
    assert_eq!(tpm.read_counter().unwrap(), value);
}

#[test]
fn something_else_in_its_place_is_left_alone() {
    let swtpm = Swtpm::new();
    let mut tpm = swtpm.open();
    let attributes =
        NvIndexAttributesBuilder::new().with_owner_write(true).with_owner_read(true).build().unwrap();
    let public = NvPublic::builder()
        .with_nv_index(NvIndexTpmHandle::new(COUNTER_INDEX).unwrap())
        .with_index_name_algorithm(HashingAlgorithm::Sha256)
        .with_index_attributes(attributes)
        .with_data_area_size(8)
        .build()
        .unwrap();
    let made = tpm
        .with_empty_password("", |context| context.nv_define_space(Provision::Owner, None, public))
        .unwrap();
    tpm.close(made).unwrap();
    assert!(matches!(tpm.read_counter().unwrap_err(), CounterError::Foreign));
    assert!(matches!(tpm.increment_counter().unwrap_err(), CounterError::Foreign));
    assert!(matches!(tpm.undefine_counter().unwrap_err(), CounterError::Foreign));
    assert!(matches!(tpm.define_counter().unwrap_err(), CounterError::Exists));
}
