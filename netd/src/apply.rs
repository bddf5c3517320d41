//! Runs a plan; one failure does not keep the rest from being done.

use crate::kernel::Kernel;
use crate::kernel::KernelError;
use crate::plan::Plan;

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Report {
    /// Changes made.
    pub done: usize,
    /// Changes refused.
    pub failures: Vec<KernelError>,
}

impl Report {
    fn note(&mut self, outcome: Result<(), KernelError>) {
        match outcome {
            Ok(()) => self.done += 1,
            Err(error) => self.failures.push(error),
        }
    }
}

/// Runs every step of a plan, in the plan's order.
pub async fn apply<K: Kernel>(kernel: &K, plan: &Plan) -> Report {
    let mut report = Report::default();
    for knob in &plan.knobs {
        report.note(kernel.set_knob(knob).await);
    }
    for index in &plan.switch_on {
        report.note(kernel.switch_on(*index).await);
    }
    for (index, mtu) in &plan.mtus {
        report.note(kernel.set_mtu(*index, *mtu).await);
    }
    for route in &plan.remove_routes {
        report.note(kernel.remove_route(route).await);
    }
    for address in &plan.remove_addresses {
        report.note(kernel.remove_address(address).await);
    }
    for address in &plan.put_addresses {
        report.note(kernel.put_address(address).await);
    }
    for route in &plan.put_routes {
        report.note(kernel.put_route(route).await);
    }
    report
}
