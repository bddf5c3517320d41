//! hearthctl as people meet it: real boxes on loop-back ports, and a terminal with a script.

#[cfg(test)]
mod app;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod flash;
#[cfg(test)]
mod household;
#[cfg(test)]
mod login;
#[cfg(test)]
mod network;
#[cfg(test)]
mod person;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod reset;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod storage;
#[cfg(test)]
mod update;
#[cfg(test)]
mod users;
#[cfg(test)]
mod wifi;
