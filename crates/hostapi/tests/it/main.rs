//! Tests over real sockets: the glue with a fake backend, and sockets handed to a child process.

#[cfg(test)]
mod activation;
#[cfg(test)]
mod containers1;
#[cfg(test)]
mod net1;
#[cfg(test)]
mod storage1;
