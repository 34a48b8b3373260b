//! rrun: an OCI config becomes a plan, a plan becomes a mount tree and a process.
//!
//! ```text
//! argv ──▶ Request ──▶ Resolved mounts ──▶ OCI Spec ──▶ Plan ──▶ process
//!    cli         storage            bundle        compile │    apply
//!                                                         └──▶ words, JSON (say)
//! ```
//!
//! # The rooms, from the top floor to the ground
//!
//! A room uses only rooms below it; `tests/tidy.rs` checks that.
//!
//! | room | what it does |
//! |---|---|
//! | `cli` | parse, dispatch, exit status; one file a command |
//! | `container` | what `run` means: request → resolved storage → OCI config → record |
//! | `say` | a plan, a result or a failure → words for people |
//! | `engine` | the life cycle: the one clone, hooks, cgroups, state |
//! | `apply` | do: the loop over the steps, the slot table, the report page |
//! | `image` | the image store: references, archives, layers; registries |
//! | `volume` | the volume store: records, references, copy-up |
//! | `plan` | decide: steps with reasons; pure |
//! | `tree` | file trees by descriptor: walk, copy |
//! | `store` | records on disk: read, lock, write atomically |
//! | `facts` | read: what the kernel can do, ids, kinds of sources |
//! | `config` | read: the OCI config, the user's flags; types that cannot be wrong |
//! | `sys` | one thin function a system call; the only `unsafe` |

pub mod apply;
#[cfg(feature = "containers")]
pub mod cli;
pub mod config;
#[cfg(feature = "containers")]
pub mod container;
pub mod engine;
pub mod facts;
#[cfg(feature = "containers")]
pub mod image;
pub mod plan;
pub mod say;
#[cfg(feature = "containers")]
pub mod store;
#[expect(unsafe_code, reason = "the one room that talks to the kernel")]
pub mod sys;
pub mod tree;
#[cfg(feature = "containers")]
pub mod volume;
