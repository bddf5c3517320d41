//! See the modules; [`lab`] makes the two ends of the cable.

mod addressing;
mod addressing6;
mod app;
mod apps;
mod dhcp;
mod lab;
mod leaks;
mod links;
mod mdns;
mod restarts;
mod rules;
mod switching;
mod two_links;
mod wait;
