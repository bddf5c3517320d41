//! In which state the box is, and why: a pure function of what is known.

use crate::backups;
use model::report::BootReport;
use model::report::DataReport;
use model::report::ServiceState;
use model::report::ServicesReport;
use model::storage::KeyKind;
use model::storage::StorageReport;
use model::storage::UnlockReport;
use model::storage::health::HealthReport;
use serde::Serialize;

/// A box that breaks before that is done takes its data with it.
const NO_RECOVERY_KEY: &str = "nobody has a recovery key for the data yet: make one on the page Encrypted data, or nobody can \
                               read the disk when this box breaks";

/// State of the box as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BoxState {
    /// Nobody owns it yet.
    Setup,
    /// Waits for its storage to be unlocked.
    Locked,
    /// All is well.
    Ready,
    /// It works with something broken; the reasons say what.
    Degraded,
}

impl BoxState {
    /// The word on the console and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Locked => "locked",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
        }
    }
}

/// What is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Whether an owner exists.
    pub set_up: bool,
    /// Why nothing can be kept, if so.
    pub storage_problem: Option<&'a str>,
    /// What was lost or repaired when the store was opened, if anything.
    pub recovered: Option<&'a str>,
    /// What is wrong with the bootstrap file, if anything.
    pub bootstrap_problem: Option<&'a str>,
    /// How the boot went.
    pub boot: Option<&'a BootReport>,
    /// State of the services.
    pub services: Option<&'a ServicesReport>,
    /// What storaged tells of the keys of the data.
    pub storage: Option<&'a StorageReport>,
    /// What storaged tells of the disk.
    pub health: Option<&'a HealthReport>,
    /// What the owner has to know of backups.
    pub backups: &'a [backups::verdict::Finding],
    /// What netd complains of.
    pub network: &'a [String],
}

/// The state, with every reason in plain words.
///
/// Without storage the box is degraded and not in set-up: whether it has an owner is then unknown, and a box that has one
/// must never offer itself to the next visitor. Reasons that do not make the box degraded are told all the same.
#[must_use]
pub fn derive(facts: Facts<'_>) -> (BoxState, Vec<String>) {
    let mut grave = Vec::new();
    let mut is_locked = false;
    match facts.boot.map(|boot| &boot.data) {
        Some(DataReport::Locked { reasons, .. }) => {
            is_locked = true;
            grave.extend(reasons.iter().map(|reason| format!("the data is locked: {reason}")));
        }
        Some(DataReport::Failed { reason }) => {
            grave.push(format!("the data partition cannot be used: {reason}"));
        }
        Some(DataReport::Ready { .. }) | None => {}
    }
    // Why nothing can be saved is said already where the data is locked.
    if let Some(reason) = facts.storage_problem.filter(|_reason| !is_locked) {
        grave.insert(0, format!("nothing can be saved: {reason}"));
    }
    if let Some(recovered) = facts.recovered {
        grave.push(recovered.to_owned());
    }
    if let Some(problem) = facts.bootstrap_problem {
        grave.push(format!("the file config.json on the data partition is not used: {problem}"));
    }
    let findings = || facts.health.iter().flat_map(|health| &health.findings);
    grave.extend(findings().filter(|finding| finding.is_grave).map(|finding| finding.words.clone()));
    let of_backups = || facts.backups.iter().filter(|_finding| facts.set_up);
    grave.extend(of_backups().filter(|finding| finding.is_grave).map(|finding| finding.words.clone()));
    for service in facts.services.iter().flat_map(|report| &report.services) {
        if service.state == ServiceState::Degraded {
            let reason = service.reason.as_deref().unwrap_or("it keeps failing");
            grave.push(format!("the service {} does not work: {reason}", service.name));
        }
    }
    let state = match (facts.storage_problem, facts.set_up) {
        _ if is_locked => BoxState::Locked,
        (Some(_), _) => BoxState::Degraded,
        (None, false) => BoxState::Setup,
        (None, true) if grave.is_empty() => BoxState::Ready,
        (None, true) => BoxState::Degraded,
    };
    let told = facts.boot.iter().flat_map(|boot| &boot.reasons).chain(facts.network);
    grave.extend(told.cloned());
    grave.extend(findings().filter(|finding| !finding.is_grave).map(|finding| finding.words.clone()));
    grave.extend(of_backups().filter(|finding| !finding.is_grave).map(|finding| finding.words.clone()));
    if facts.set_up && facts.storage.is_some_and(lacks_recovery_key) {
        grave.push(NO_RECOVERY_KEY.to_owned());
    }
    (state, grave)
}

fn lacks_recovery_key(storage: &StorageReport) -> bool {
    let is_open = matches!(storage.unlock, UnlockReport::Opened { .. });
    is_open && !storage.keys.iter().any(|key| key.kind == KeyKind::Recovery && key.is_confirmed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::report::ServiceReport;
    use model::storage::KeySlot;
    use model::storage::health::Finding;
    use model::storage::health::FindingKind;

    fn services(state: ServiceState) -> ServicesReport {
        let service = ServiceReport {
            name: "netd".to_owned(),
            state,
            pid: None,
            restarts: 11,
            reason: Some("ended 11 times".to_owned()),
            status: None,
        };
        ServicesReport { services: vec![service] }
    }

    fn boot(data: DataReport) -> BootReport {
        BootReport { data, reasons: vec!["no watchdog".to_owned()], ..BootReport::default() }
    }

    #[test]
    fn setup_until_an_owner_exists_then_ready() {
        assert_eq!(derive(Facts::default()), (BoxState::Setup, vec![]));
        assert_eq!(derive(Facts { set_up: true, ..Facts::default() }), (BoxState::Ready, vec![]));
    }

    #[test]
    fn each_grave_reason_degrades_a_box_that_is_set_up() {
        let broken = services(ServiceState::Degraded);
        let failed = boot(DataReport::Failed { reason: "no disk".to_owned() });
        let set_up = Facts { set_up: true, ..Facts::default() };
        for (facts, reason) in [
            (Facts { services: Some(&broken), ..set_up }, "the service netd does not work: ended 11 times"),
            (Facts { recovered: Some("an older copy is used"), ..set_up }, "an older copy is used"),
            (Facts { boot: Some(&failed), ..set_up }, "the data partition cannot be used: no disk"),
        ] {
            let (state, reasons) = derive(facts);
            assert_eq!(state, BoxState::Degraded);
            assert_eq!(reasons.first().map(String::as_str), Some(reason));
        }
    }

    #[test]
    fn grave_findings_of_the_disk_degrade_and_advice_is_told() {
        let finding = |kind, is_grave, words: &str| Finding { kind, is_grave, words: words.to_owned() };
        let almost = finding(FindingKind::AlmostFull, false, "87 % full");
        let failing = finding(FindingKind::Failing, true, "failing");
        for (findings, state, told) in [
            (vec![almost.clone()], BoxState::Ready, vec!["87 % full"]),
            (vec![failing, almost], BoxState::Degraded, vec!["failing", "87 % full"]),
        ] {
            let health = HealthReport { findings, ..HealthReport::default() };
            let facts = Facts { set_up: true, health: Some(&health), ..Facts::default() };
            assert_eq!(derive(facts), (state, told.into_iter().map(str::to_owned).collect()));
        }
    }

    #[test]
    fn without_storage_the_box_never_offers_set_up() {
        let facts = Facts { storage_problem: Some("no disk"), ..Facts::default() };
        assert_eq!(derive(facts).0, BoxState::Degraded);
    }

    #[test]
    fn locked_data_is_told_once_and_never_offers_set_up() {
        let reasons = vec!["this key was sealed by another TPM".to_owned()];
        let mut report = boot(DataReport::Locked { device: "/dev/vda2".to_owned(), reasons, takes: vec![] });
        report.reasons.clear();
        let facts = Facts { storage_problem: Some("no folder"), boot: Some(&report), ..Facts::default() };
        let told = vec!["the data is locked: this key was sealed by another TPM".to_owned()];
        assert_eq!(derive(facts), (BoxState::Locked, told));
    }

    #[test]
    fn a_missing_recovery_key_is_told_to_owners_and_does_not_degrade() {
        let slot = |kind, is_confirmed| KeySlot { kind, is_confirmed };
        let opened = UnlockReport::Opened { by: KeyKind::Tpm, reasons: vec![] };
        let with = |keys: &[KeySlot]| StorageReport {
            unlock: opened.clone(),
            keys: keys.to_vec(),
            is_waiting_for_confirmation: false,
            older_copies: None,
            rotation: None,
        };
        for (keys, is_told) in [
            (&[slot(KeyKind::Tpm, true)][..], true),
            (&[slot(KeyKind::Tpm, true), slot(KeyKind::Recovery, false)], true),
            (&[slot(KeyKind::Tpm, true), slot(KeyKind::Recovery, true)], false),
        ] {
            let report = with(keys);
            let facts = Facts { set_up: true, storage: Some(&report), ..Facts::default() };
            let (state, reasons) = derive(facts);
            assert_eq!(
                (state, reasons.iter().any(|reason| reason == NO_RECOVERY_KEY)),
                (BoxState::Ready, is_told)
            );
            assert_eq!(derive(Facts { set_up: false, ..facts }).1, Vec::<String>::new());
        }
    }

    #[test]
    fn lesser_reasons_are_told_and_do_not_degrade() {
        let report = boot(DataReport::Ready { device: "/dev/vda2".to_owned(), created: true });
        let starting = services(ServiceState::Backoff);
        let network = ["no carrier on eth0".to_owned()];
        let facts = Facts {
            set_up: true,
            boot: Some(&report),
            services: Some(&starting),
            network: &network,
            ..Facts::default()
        };
        assert_eq!(
            derive(facts),
            (BoxState::Ready, vec!["no watchdog".to_owned(), "no carrier on eth0".to_owned()])
        );
    }
}
