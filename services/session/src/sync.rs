use std::sync::{Mutex, MutexGuard, PoisonError};

/// A panic elsewhere must not take every session down: each critical section leaves its data whole.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
