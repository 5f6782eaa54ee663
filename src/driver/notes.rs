//! Notes of other rooms on a transaction, at most one of each type (a type map), so that this room need not know
//! what they are (decision 77).

use std::any::Any;

/// Values of different types.
#[derive(Default)]
pub(super) struct Notes(Vec<Box<dyn Any + Send>>);

impl Notes {
    /// Passes the value of type `T` to `f`; the default, if there is none yet.
    pub(super) fn with<T, R>(&mut self, f: impl FnOnce(&mut T) -> R) -> R
    where
        T: Any + Default + Send,
    {
        for note in &mut self.0 {
            if let Some(note) = note.downcast_mut() {
                return f(note);
            }
        }
        let mut note = T::default();
        let returned = f(&mut note);
        self.0.push(Box::new(note));
        returned
    }
}
