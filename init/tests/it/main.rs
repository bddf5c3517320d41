//! Tests that start processes: the reaper takes every child of its process, so each test here has that process to
//! itself by a lock.

#[cfg(test)]
mod reaper;
