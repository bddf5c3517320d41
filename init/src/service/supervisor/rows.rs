//! Which rows of the table are part of the box now.

use super::Supervisor;
use super::Unit;
use crate::devices::wireless;
use crate::service::table::SERVICES;
use crate::service::table::When;

impl Supervisor {
    /// Takes in the rows whose condition holds now, each in its place: the order of the table is that of the way down.
    pub(super) fn take_in(&mut self) {
        let mut at = 0;
        let mut has_radio = false;
        for service in SERVICES {
            if self.units.get(at).is_some_and(|unit| unit.service.name == service.name) {
                at += 1;
            } else if service.when.holds() {
                has_radio |= service.when == When::Wireless;
                self.units.insert(at, Unit::new(service));
                at += 1;
            }
        }
        if has_radio {
            wireless::prepare(&mut self.parts.loader);
        }
    }
}
