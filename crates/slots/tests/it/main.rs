//! The exhaustive check: every state that a box can reach with three updates, the power lost between any two effects, and writes to FAT
//! folders that reach the disk in any order or in part. And the proof that it finds mistakes: wrong rules, each with what it breaks.

#[cfg(test)]
mod explore;
#[cfg(test)]
mod fat;
#[cfg(test)]
mod life;
#[cfg(test)]
mod loader;
#[cfg(test)]
mod pi;
#[cfg(test)]
mod uefi;
#[cfg(test)]
mod wrong_pi;
#[cfg(test)]
mod wrong_uefi;
