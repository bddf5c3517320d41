//! A kernel in memory, for tests of what surrounds the real one.

use crate::kernel::Kernel;
use crate::kernel::KernelError;
use crate::observe::Address;
use crate::observe::Link;
use crate::observe::Observed;
use crate::observe::Route;
use crate::plan::NewAddress;
use crate::plan::Plan;
use std::net::IpAddr;
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
        plan.switch_on.iter().for_each(|index| self.set_up(*index));
        plan.heed_routers.iter().for_each(|link| self.set_heeding(link.index));
        plan.remove_routes.iter().for_each(|route| self.delete_route(route));
        plan.remove_addresses.iter().for_each(|address| self.delete_address(address));
        plan.put_addresses.iter().for_each(|address| self.insert_address(address));
        plan.put_routes.iter().try_for_each(|route| self.insert_route(route))
    }

    fn set_up(&self, index: u32) {
        self.change(|state| state.links.iter_mut().filter(|l| l.index == index).for_each(|l| l.is_up = true));
    }

    fn set_heeding(&self, index: u32) {
        self.change(|state| {
            state.links.iter_mut().filter(|l| l.index == index).for_each(|l| l.heeds_routers = true);
        });
    }

    fn insert_address(&self, new: &NewAddress) {
        let address = IpAddr::V4(new.address);
        self.change(|state| {
            state.addresses.retain(|a| (a.index, a.address, a.prefix) != (new.index, address, new.prefix));
            state.addresses.push(Address {
                index: new.index,
                address,
                prefix: new.prefix,
                valid_for: new.valid_for,
            });
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
            state.routes.retain(|r| (r.destination, r.metric) != (route.destination, route.metric));
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

    async fn heed_routers(&self, link: &Link) -> Result<(), KernelError> {
        self.set_heeding(link.index);
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
