//! Golden manifests, golden imports, and the published schema.

#[cfg(test)]
mod golden;
