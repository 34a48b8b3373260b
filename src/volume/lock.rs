//! Proofs that the store is locked: a function that needs it asks for it by type.

use crate::store::{Lock, LockKind, Store, StoreError};

/// The store's lock, shared: nothing is made or removed meanwhile.
#[derive(Debug)]
pub struct StoreShared {
    _lock: Lock,
}

/// The store's lock, alone: the one place where volumes are made and removed.
#[derive(Debug)]
pub struct StoreAlone {
    _lock: Lock,
}

impl StoreShared {
    /// Waits for the lock.
    pub fn take(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { _lock: store.lock(LockKind::Shared)? })
    }
}

impl StoreAlone {
    /// Waits for the lock.
    pub fn take(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { _lock: store.lock(LockKind::Exclusive)? })
    }
}

/// The store is locked, in one way or the other.
pub trait StoreHeld {}
impl StoreHeld for StoreShared {}
impl StoreHeld for StoreAlone {}
