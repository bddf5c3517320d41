//! What must hold of vaults as a whole: any sequence of changes, cut off between any two.

mod credentials;
mod damage;
mod histories;
mod system;
