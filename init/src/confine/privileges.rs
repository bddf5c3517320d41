//! User, groups and capabilities.

use std::io;

use rustix::process::Gid;
use rustix::process::Uid;
use rustix::thread;
use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;

use crate::service::table::Service;

/// A step that the kernel refused.
#[derive(Debug, thiserror::Error)]
#[error("{step}")]
pub struct PrivilegeError {
    step: &'static str,
    source: io::Error,
}

/// Gives up everything that the row does not grant. The calls change one thread only (rustix, `set_thread_uid`): the
/// trampoline has no other.
///
/// # Errors
/// When the kernel refuses a step.
pub fn drop_to(service: &Service) -> Result<(), PrivilegeError> {
    let kept = service.capabilities;
    let (uid, gid) = (Uid::from_raw(service.user), Gid::from_raw(service.user));
    let groups: Vec<Gid> = service.groups.iter().copied().map(Gid::from_raw).collect();
    if !kept.is_all() {
        limit_bounding_set(kept)?;
    }
    // The change of user would clear the permitted set (capabilities(7), "Effect of user ID changes").
    step("keeping capabilities", thread::set_keep_capabilities(true))?;
    step("setting groups", thread::set_thread_groups(&groups))?;
    step("setting the group", thread::set_thread_res_gid(gid, gid, gid))?;
    step("setting the user", thread::set_thread_res_uid(uid, uid, uid))?;
    if !kept.is_all() {
        let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: kept };
        step("setting capabilities", thread::set_capabilities(None, sets))?;
        step("clearing the ambient set", thread::clear_ambient_capability_set())?;
        for capability in kept.iter() {
            let raised = thread::configure_capability_in_ambient_set(capability, true);
            step("raising an ambient capability", raised)?;
        }
    }
    step("forbidding new privileges", thread::set_no_new_privs(true))
}

fn limit_bounding_set(kept: CapabilitySet) -> Result<(), PrivilegeError> {
    for capability in CapabilitySet::all().difference(kept).iter() {
        match thread::remove_capability_from_bounding_set(capability) {
            // A capability that is newer than the kernel.
            Err(rustix::io::Errno::INVAL) => {}
            result => step("limiting the bounding set", result)?,
        }
    }
    Ok(())
}

fn step(step: &'static str, result: rustix::io::Result<()>) -> Result<(), PrivilegeError> {
    result.map_err(|error| PrivilegeError { step, source: error.into() })
}
