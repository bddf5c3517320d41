//! Time keeping of the box: NTP client, step rules, last known time.
