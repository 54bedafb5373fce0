//! The index of very many points, made beside the window.

use super::MapScene;
use super::index::MapIndex;
use egui::Context;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

/// Points that are being ordered.
#[derive(Debug)]
pub(super) struct Ordering {
    pub(super) positions: Arc<Vec<[f32; 2]>>,
    pub(super) specimens: u64,
    pub(super) space: u64,
    index: Receiver<MapIndex>,
}

impl Ordering {
    /// Orders the points of `scene`, and has the window drawn when that is done.
    pub(super) fn begin(scene: &MapScene, context: &Context) -> Self {
        let (sender, index) = channel();
        let (places, context) = (Arc::clone(&scene.positions), context.clone());
        std::thread::spawn(move || {
            // A map that was closed meanwhile does not listen.
            let _ = sender.send(MapIndex::build(&places));
            context.request_repaint();
        });
        Self { positions: Arc::clone(&scene.positions), specimens: scene.specimens, space: scene.space, index }
    }

    /// Whether these are the specimens of `scene` on its map, if perhaps not where they are now.
    pub(super) fn is_of(&self, scene: &MapScene) -> bool {
        let same_rows = self.specimens == scene.specimens && self.positions.len() == scene.positions.len();
        same_rows && self.space == scene.space
    }

    /// The index, once it is made.
    pub(super) fn made(&self) -> Option<MapIndex> {
        match self.index.try_recv() {
            Ok(index) => Some(index),
            Err(TryRecvError::Empty) => None,
            // The thread failed: here the failure is seen.
            Err(TryRecvError::Disconnected) => Some(MapIndex::build(&self.positions)),
        }
    }
}
