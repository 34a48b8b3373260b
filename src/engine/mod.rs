//! The life cycle of a container: the one clone, its supervision, its state.
//!
//! Not here: what is done on either side of the clone (`apply`), and why (`plan`).

pub mod bundle;
pub mod clone;
pub mod guests;
pub mod held;
pub mod reported;
pub mod resources;
pub mod running;
pub mod seccomp;
pub mod signals;
pub mod spawn;
pub mod state;
pub mod streams;
pub mod supervise;
pub mod terminal;
pub mod wires;
