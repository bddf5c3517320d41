//! Backups from outside, over real folders and, where built in, real servers.

#[cfg(test)]
mod damage;
#[cfg(test)]
mod household;
#[cfg(test)]
mod object_store;
#[cfg(test)]
mod power_cut;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod task;
#[cfg(test)]
mod world;
