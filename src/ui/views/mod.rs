//! The views: one per page, and the welcome page.

pub mod atlas;
pub mod classify;
pub mod clusters;
pub mod confusion;
pub mod dataset;
pub mod discover;
pub mod masking;
mod recommendation;
pub mod review;
pub mod train;
pub mod welcome;

use super::scope::Scope;
use super::widgets::state;
use super::words;
use crate::session::Page;
use egui::Ui;

/// What the views remember from frame to frame.
#[derive(Default)]
pub struct Views {
    /// The welcome page.
    pub welcome: welcome::Welcome,
    atlas: atlas::Atlas,
    dataset: dataset::DatasetView,
    classify: classify::ClassifyView,
    clusters: clusters::ClustersView,
    masking: masking::MaskingView,
    train: train::TrainView,
    discover: discover::DiscoverView,
    review: review::ReviewView,
}

impl Views {
    /// Draws the current page.
    pub fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        not_coi(ui, scope);
        match scope.session.page {
            Page::Dataset => self.dataset.show(ui, scope),
            Page::Atlas => self.atlas.show(ui, scope),
            Page::Classify => self.classify.show(ui, scope),
            Page::Clusters => self.clusters.show(ui, scope),
            Page::Masking => self.masking.show(ui, scope),
            Page::Train => self.train.show(ui, scope),
            Page::Discover => self.discover.show(ui, scope),
            Page::Review => self.review.show(ui, scope),
        }
    }
}

/// A file that mostly is no COI says so, whatever the page.
fn not_coi(ui: &mut Ui, scope: &Scope<'_>) {
    let Some(dataset) = scope.dataset() else { return };
    let count = scope.session.not_coi();
    if 2 * count > dataset.len() {
        let text = format!(
            "{} of {} barcodes do not look like COI: what the model says about them means little.",
            words::count(count),
            words::count(dataset.len())
        );
        state::banner(ui, &text);
    }
}
