//! nftables and conntrack over netlink: codecs and a thin socket.
