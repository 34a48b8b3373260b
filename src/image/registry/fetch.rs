//! The blobs of an image, several at once, handed over as they arrive.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use oci_spec::image::Descriptor;

use super::download::{self, Line};
use super::error::RegistryError;
use super::event::Event;
use super::partial::Partials;
use crate::image::digest::Digest;
use crate::image::store::ImageStore;

/// How many blobs come at once. Docker's number.
const AT_ONCE: usize = 3;

/// One blob to fetch, and where it is wanted.
#[derive(Debug)]
pub struct Job {
    /// Which one.
    pub digest: Digest,
    /// What the manifest says of it.
    pub descriptor: Descriptor,
    /// Where it goes.
    pub place: PathBuf,
}

/// Where blobs may be found already.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The store.
    pub store: &'a ImageStore,
    /// What came in part.
    pub partials: &'a Partials,
}

/// Who is told when a blob is in its place, or will not come; from any thread.
pub type Tell<'a> = &'a (dyn Fn(Digest, Result<PathBuf, RegistryError>) + Sync);

/// Fetches all of `jobs` while `work` takes what arrives; gives what `work` came to.
pub fn while_fetching<T>(
    line: Line<'_>,
    places: Places<'_>,
    (jobs, tell): (Vec<Job>, Tell<'_>),
    work: impl FnOnce() -> T,
) -> T {
    let workers = jobs.len().min(AT_ONCE);
    let jobs = Mutex::new(VecDeque::from(jobs));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(job) = next(&jobs) {
                    let result = fetch(line, places, &job);
                    if result.is_ok() {
                        (line.watch)(&job.digest, Event::Downloaded);
                    }
                    tell(job.digest, result.map(|()| job.place));
                }
            });
        }
        let done = work();
        // Where it failed, what is still on its way is of no use now; the next pull goes on.
        line.cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
        jobs.lock().unwrap_or_else(PoisonError::into_inner).clear();
        done
    })
}

fn next(jobs: &Mutex<VecDeque<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

fn fetch(line: Line<'_>, places: Places<'_>, job: &Job) -> Result<(), RegistryError> {
    if places.partials.is_taken(&job.digest) {
        (line.watch)(&job.digest, Event::Waiting);
    }
    let mut partial = places.partials.take(&job.digest)?;
    // Another command may have published it, or it belongs to an image whose layer was elsewhere.
    let kept = places.store.blob_path(&job.digest);
    if kept.metadata().is_ok_and(|m| m.len() == job.descriptor.size())
        && std::fs::hard_link(&kept, &job.place).is_ok()
    {
        return Ok(());
    }
    download::blob(line, &job.descriptor, &mut partial)?;
    Ok(partial.link(&job.place)?)
}
