//! A kernel in memory, for tests of what surrounds the real one.

use crate::kernel::Kernel;
use crate::kernel::KernelError;
use crate::knob::NewKnob;
use crate::observe::Address;
use crate::observe::Maker;
use crate::observe::Observed;
use crate::observe::Route;
use crate::plan::NewAddress;
use crate::plan::Plan;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

/// Holds state as the kernel would; clones share it.
#[derive(Clone, Debug, Default)]
pub struct FakeKernel {
    state: Arc<Mutex<Observed>>,
    refuses_routes: Arc<Mutex<bool>>,
}

impl FakeKernel {
    /// A kernel in this state.
    #[must_use]
    pub fn new(state: Observed) -> Self {
        Self { state: Arc::new(Mutex::new(state)), refuses_routes: Arc::default() }
    }

    /// Its present state.
    #[must_use]
    pub fn snapshot(&self) -> Observed {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes its state from outside, as another program would.
    pub fn change(&self, edit: impl FnOnce(&mut Observed)) {
        edit(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether it refuses routes from now on.
    pub fn refuse_routes(&self, refuses: bool) {
        *self.refuses_routes.lock().unwrap_or_else(PoisonError::into_inner) = refuses;
    }

    /// Carries out a plan at once.
    ///
    /// # Errors
    ///
    /// What the kernel would refuse.
    pub fn carry_out(&mut self, plan: &Plan) -> Result<(), KernelError> {
        plan.knobs.iter().for_each(|knob| self.turn(knob));
        plan.switch_on.iter().for_each(|index| self.set_up(*index));
        plan.mtus.iter().for_each(|(index, mtu)| self.resize(*index, *mtu));
        plan.remove_routes.iter().for_each(|route| self.delete_route(route));
        plan.remove_addresses.iter().for_each(|address| self.delete_address(address));
        plan.put_addresses.iter().for_each(|address| self.insert_address(address));
        plan.put_routes.iter().try_for_each(|route| self.insert_route(route))
    }

    fn set_up(&self, index: u32) {
        self.change(|state| state.links.iter_mut().filter(|l| l.index == index).for_each(|l| l.is_up = true));
    }

    fn turn(&self, new: &NewKnob) {
        self.change(|state| {
            for link in state.links.iter_mut().filter(|link| link.index == new.index) {
                link.knobs.insert(new.knob, new.value.clone());
            }
        });
    }

    fn resize(&self, index: u32, mtu: u32) {
        self.change(|state| state.links.iter_mut().filter(|l| l.index == index).for_each(|l| l.mtu = mtu));
    }

    fn insert_address(&self, new: &NewAddress) {
        let address = Address {
            index: new.index,
            address: new.address,
            prefix: new.prefix,
            valid_for: new.valid_for,
            maker: if new.address.is_ipv6() { Maker::Netd } else { Maker::Unknown },
            is_duplicate: false,
        };
        self.change(|state| {
            let place = |a: &Address| (a.index, a.address, a.prefix);
            state.addresses.retain(|a| place(a) != place(&address));
            state.addresses.push(address);
        });
    }

    fn delete_address(&self, gone: &Address) {
        self.change(|state| state.addresses.retain(|a| a != gone));
    }

    fn insert_route(&self, route: &Route) -> Result<(), KernelError> {
        if *self.refuses_routes.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(KernelError::Change {
                action: "add a route".to_owned(),
                source: rtnetlink::Error::RequestFailed,
            });
        }
        self.change(|state| {
            state.routes.retain(|have| !route.takes_place_of(have));
            state.routes.push(*route);
        });
        Ok(())
    }

    fn delete_route(&self, gone: &Route) {
        self.change(|state| state.routes.retain(|r| r != gone));
    }
}

impl Kernel for FakeKernel {
    async fn observe(&self) -> Result<Observed, KernelError> {
        Ok(self.snapshot())
    }

    async fn switch_on(&self, index: u32) -> Result<(), KernelError> {
        self.set_up(index);
        Ok(())
    }

    async fn set_knob(&self, knob: &NewKnob) -> Result<(), KernelError> {
        self.turn(knob);
        Ok(())
    }

    async fn set_mtu(&self, index: u32, mtu: u32) -> Result<(), KernelError> {
        self.resize(index, mtu);
        Ok(())
    }

    async fn put_address(&self, address: &NewAddress) -> Result<(), KernelError> {
        self.insert_address(address);
        Ok(())
    }

    async fn remove_address(&self, address: &Address) -> Result<(), KernelError> {
        self.delete_address(address);
        Ok(())
    }

    async fn put_route(&self, route: &Route) -> Result<(), KernelError> {
        self.insert_route(route)
    }

    async fn remove_route(&self, route: &Route) -> Result<(), KernelError> {
        self.delete_route(route);
        Ok(())
    }
}
