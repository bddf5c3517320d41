//! See the modules; [`lab`] makes the two ends of the cable.

mod addressing;
mod app;
mod apps;
mod dhcp;
mod lab;
mod leaks;
mod links;
mod mdns;
mod rules;
mod switching;
mod wait;
