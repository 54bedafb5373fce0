//! Long work off the window's thread: one heavy slot, turns among all that use every core, progress, cancellation, panics as errors.
//!
//! | road | what travels | how |
//! |---|---|---|
//! | latest value | progress, the projection in the making | a `watch` slot per job, overwritten ([`Live`]) |
//! | history | warnings, the end | one bounded queue, nothing is dropped ([`Event`]) |
//!
//! Both wake the window through one callback, at most thirty times a second.

mod discover;
mod error;
mod export;
mod lab;
mod review;
mod runner;
mod task;
#[cfg(test)]
mod testing;
mod turns;
mod waker;
mod work;

pub use crate::pipeline::opened::Opened;
pub use discover::{DiscoverTask, Discovered};
pub use error::{JobError, WorkError};
pub use export::{Chosen, ColouredMap, DiscoveryExport, DiscoveryFile, Export, LabExport, ReviewExport, ReviewFile};
pub use lab::{AlongBarcode, LabOutput, LabTask, MaskedReadings, ModelSource, TwoMaps};
pub use review::{
    AddTask, AuditTask, Change, DossierTask, GapTask, KeepPlace, KeepTask, Kept, OpenedSession, Recovery, SaveTask,
    StandingTask, StateTask, TreeTask,
};
pub use runner::{Event, JobId, Kind, Live, Reporter, Runner};
pub use task::{Against, Closest, ColumnQuestion, FirstRows, Near, Output, Task, TrainNews};
pub use work::{Workshop, WorkshopOptions};
