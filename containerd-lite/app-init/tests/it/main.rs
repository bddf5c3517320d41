//! The program itself, as a plain process: what it starts, and how that stops.

#[cfg(test)]
mod signals;
