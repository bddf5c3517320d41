//! Encrypted, incremental, proven backups.
