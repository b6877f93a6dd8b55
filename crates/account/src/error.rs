use letterkeep_store::KeyStoreError;
use letterkeep_vault::OpenError;

/// Something below failed; nobody did anything wrong.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database.
    #[error(transparent)]
    Store(#[from] letterkeep_store::Error),
    /// The key store.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// A sealed column does not open: it was changed or moved.
    #[error(transparent)]
    Sealed(#[from] OpenError),
    /// A thread that hashed a password ended early.
    #[error("the work on a password was cut short; try again")]
    Interrupted,
}

/// Lets `?` carry what failed below into an error that has a variant `Fault`.
macro_rules! carries_faults {
    ($($error:ty),* $(,)?) => {$(
        impl<E> From<E> for $error
        where
            E: $crate::error::Below + Into<$crate::Fault>,
        {
            fn from(error: E) -> Self {
                Self::Fault(error.into())
            }
        }
    )*};
}
pub(crate) use carries_faults;

/// The errors of the rooms below.
pub(crate) trait Below {}
impl Below for Fault {}
impl Below for letterkeep_store::Error {}
impl Below for KeyStoreError {}
impl Below for OpenError {}
