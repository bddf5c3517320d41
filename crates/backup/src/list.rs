//! What can be restored.

use crate::control::Control;
use crate::repository::OpenError;
use crate::repository::Owner;
use crate::repository::Site;
use crate::series::Series;
use crate::snapshot;
use crate::snapshot::Listing;
use crate::snapshot::Snapshot;
use crate::targets::Target;

/// Lists the snapshots of a series.
///
/// # Errors
/// When the repository cannot be opened.
pub fn list(
    owner: &Owner,
    target: &Target,
    series: &Series,
    control: &Control,
) -> Result<Listing, OpenError> {
    let site = Site::new(target, control.cancel.clone())?;
    let repository = site.open(owner)?;
    let found = snapshot::find(&site, &repository, owner, series)?;
    Ok(Listing { snapshots: found.files.iter().map(Snapshot::of).collect(), damaged: found.damaged })
}
