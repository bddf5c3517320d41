//! See the modules; [`lab`] makes the two ends of the cable.

mod dhcp;
mod lab;
mod links;
mod mdns;
mod wait;
