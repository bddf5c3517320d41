//! What the kernel and other processes of the box say. The kernel is trusted, but much of what it says came from elsewhere.

use super::ignore;
use super::text;
use crate::Target;
use init::cmdline::CommandLine;
use init::devices::alias::Index;
use init::devices::uevent;
use init::service::notify;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "netfilter",
        source: "nfnetlink: rules, elements, connections, generations, errors",
        longest: 4096,
        run: |bytes| ignore(netlink::nft::fuzzing::datagram(bytes)),
    },
    Target {
        name: "uevent",
        source: "a device that was plugged in, by its descriptors",
        longest: 2048,
        run: |bytes| {
            let Some(modalias) = uevent::parse(bytes).and_then(|event| event.modalias) else { return };
            let index = Index::parse(
                "alias usb:v*p*d*dc*dsc*dp*ic08isc06ip50in* usb_storage\nalias pci:v0000*sv* x\n",
            );
            ignore(index.modules(&modalias));
        },
    },
    Target {
        name: "notify",
        source: "services, to init",
        longest: 4096,
        run: |bytes| ignore(notify::parse(bytes)),
    },
    Target {
        name: "command-line",
        source: "the loader",
        longest: 4096,
        run: |bytes| {
            let Some(line) = text(bytes).map(CommandLine::parse) else { return };
            ignore(line.value("hearth.root").map(str::len));
        },
    },
];
