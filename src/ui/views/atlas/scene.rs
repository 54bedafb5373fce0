//! From the session to the arrays of the map. Each array is made anew only when what it is made from is another.

use super::palette::Palette;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::LabelColumn;
use crate::jobs::Live;
use crate::key::DatasetId;
use crate::pipeline::classify::Classification;
use crate::pipeline::colour;
use crate::pipeline::project::{Projection, Source};
use crate::session::look::Look;
use crate::session::selection::Rows;
use crate::session::{Session, Step};
use crate::ui::legend::Groups;
use crate::ui::theme::Tokens;
use crate::ui::widgets::map::{MapScene, Mark, TaxonLabel, taxon_labels};
use egui::Color32;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// What of the map is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    /// Filtered-out specimens, as faint points.
    pub(super) ghosts: bool,
    /// Rings around misclassified specimens.
    pub(super) rings: bool,
    /// Names of groups.
    pub(super) names: bool,
}

impl Default for Shown {
    fn default() -> Self {
        Self { ghosts: true, rings: true, names: true }
    }
}

/// Which map is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShownMap {
    /// What it is made from.
    pub(super) source: Source,
    /// Whether it is still being laid out.
    pub(super) growing: bool,
}

/// A value and what it was made from.
#[derive(Debug)]
struct Kept<K, V> {
    made: Option<(K, V)>,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self { made: None }
    }
}

impl<K: PartialEq, V: Clone> Kept<K, V> {
    fn get(&mut self, key: K, make: impl FnOnce() -> V) -> V {
        match &self.made {
            Some((of, value)) if *of == key => value.clone(),
            _ => {
                let value = make();
                self.made = Some((key, value.clone()));
                value
            }
        }
    }
}

/// Shared data that is the same only if it is the very same piece. Holding it keeps its address from being used again.
#[derive(Debug)]
struct Same<T>(Arc<T>);

impl<T> Same<T> {
    fn of(data: &Arc<T>) -> Self {
        Self(Arc::clone(data))
    }
}

impl<T> PartialEq for Same<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What selection, filters and search mean for the marks and the groups.
#[derive(Debug, Clone, PartialEq)]
struct LookKey {
    dataset: DatasetId,
    look: u64,
    selection: u64,
    search: String,
    ghosts: bool,
}

/// The palette of a column, and colours by row, `[N]`.
type Colours = (Arc<Palette>, Arc<Vec<Color32>>);
/// The column, the specimens, and whether it is dark.
type ColourKey = (Option<Same<LabelColumn>>, DatasetId, bool);

/// Colours and marks of the specimens on other maps than the atlas's: the same ones.
#[derive(Debug, Default)]
pub(in crate::ui::views) struct Colouring {
    colours: Kept<ColourKey, Colours>,
    marks: Kept<LookKey, Arc<Vec<Mark>>>,
}

impl Colouring {
    /// By row, `[N]`; empty while nothing is open.
    pub(in crate::ui::views) fn of(
        &mut self,
        session: &Session,
        tokens: &Tokens,
        dark: bool,
    ) -> (Arc<Vec<Color32>>, Arc<Vec<Mark>>) {
        let Some(opened) = session.dataset() else { return Default::default() };
        let dataset = opened.dataset.key();
        let labels = session.look.colouring.as_ref().map(|values| &values.labels);
        let (_, colours) = self
            .colours
            .get((labels.map(Same::of), dataset, dark), || coloured(session, &opened.dataset, tokens, dark));
        let (look, selection) = (&session.look, &session.selection);
        let key = LookKey {
            dataset,
            look: look.revision,
            selection: selection.revision(),
            search: String::new(),
            ghosts: true,
        };
        let marks = self.marks.get(key, || {
            let lit = lit_rows(look, labels, &Groups::default(), "");
            let visible = look.visible.as_ref().map(|visible| visible.mask(opened.dataset.len()));
            Arc::new(marks(opened.dataset.len(), visible.as_deref(), selection.rows(), lit.as_deref(), true))
        });
        (colours, marks)
    }
}

/// The palette of the column that maps are coloured by, and the colour of every specimen.
fn coloured(session: &Session, dataset: &Dataset, tokens: &Tokens, dark: bool) -> Colours {
    let values = session.look.colouring.as_ref();
    let named_at = session.results.named().shown().map(|names| names.rank);
    let palette = values.map_or_else(Palette::default, |values| Palette::of(dataset, values, named_at, dark));
    let shade = if dark { colour::Shade::Dark } else { colour::Shade::Light };
    let [red, green, blue] = shade.unlabelled();
    let none = if values.is_some() { Color32::from_rgb(red, green, blue) } else { tokens.accent };
    let code = |row: usize| values.and_then(|values| values.labels.code(row));
    let by_row = (0..dataset.len()).map(|row| code(row).map_or(none, |code| palette.colours[code as usize])).collect();
    (Arc::new(palette), Arc::new(by_row))
}

/// The arrays of the map and the groups of the legend.
#[derive(Debug, Default)]
#[expect(clippy::type_complexity, reason = "each key names just what its value is made from")]
pub(super) struct Derived {
    scene: MapScene,
    groups: Arc<Groups>,
    range: Option<[f64; 2]>,
    shown: Option<ShownMap>,
    map: Option<(Same<Projection>, u64)>,
    colours: Kept<ColourKey, Colours>,
    visible: Kept<(DatasetId, u64), Option<Arc<Vec<bool>>>>,
    counted: Kept<(Option<Same<LabelColumn>>, DatasetId, u64, bool), Arc<Groups>>,
    marks: Kept<LookKey, Arc<Vec<Mark>>>,
    rings: Kept<(Option<Same<Classification>>, bool), Arc<Vec<u32>>>,
    labels: Kept<(Same<Vec<[f32; 2]>>, Option<Same<LabelColumn>>, u64, bool), Arc<Vec<TaxonLabel>>>,
}

impl Derived {
    /// The map as of the last [`Self::update`].
    pub(super) fn scene(&self) -> &MapScene {
        &self.scene
    }

    /// The groups of the column that the map is coloured by.
    pub(super) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Smallest and largest number of the column that the map is coloured by, where it holds numbers.
    pub(super) fn range(&self) -> Option<[f64; 2]> {
        self.range
    }

    /// Which map that is.
    pub(super) fn shown(&self) -> Option<ShownMap> {
        self.shown
    }

    /// Follows the session. Whether there is a map to show.
    pub(super) fn update(
        &mut self,
        session: &Session,
        live: Option<&Live>,
        tokens: &Tokens,
        dark: bool,
        shown: Shown,
        search: &str,
    ) -> bool {
        let Some(opened) = session.dataset() else { return false };
        let rows = opened.dataset.len();
        let Some((positions, space)) = self.places(session, live, rows) else { return false };
        let dataset = opened.dataset.key();
        let labels = session.look.colouring.as_ref().map(|values| &values.labels);
        let (palette, colours) = self
            .colours
            .get((labels.map(Same::of), dataset, dark), || coloured(session, &opened.dataset, tokens, dark));
        let look = &session.look;
        let visible = self
            .visible
            .get((dataset, look.revision), || look.visible.as_ref().map(|visible| Arc::new(visible.mask(rows))));
        let shows = |row: usize| visible.as_ref().is_none_or(|visible| visible[row]);
        self.range = palette.range;
        self.groups = self.counted.get((labels.map(Same::of), dataset, look.revision, dark), || {
            Arc::new(labels.map_or_else(Groups::default, |labels| Groups::of(labels, &palette.colours, shows)))
        });
        let key = LookKey {
            dataset,
            look: look.revision,
            selection: session.selection.revision(),
            search: search.trim().to_lowercase(),
            ghosts: shown.ghosts,
        };
        let groups = Arc::clone(&self.groups);
        let marks = self.marks.get(key, || {
            let lit = lit_rows(look, labels, &groups, search);
            let visible = visible.as_ref().map(|visible| visible.as_slice());
            Arc::new(marks(rows, visible, session.selection.rows(), lit.as_deref(), shown.ghosts))
        });
        let names = session.results.named().shown();
        let rings = self.rings.get((names.map(Same::of), shown.rings), || {
            let misnamed = |row: &usize| shown.rings && session.results.is_misnamed(*row) == Some(true);
            Arc::new((0..rows).filter(misnamed).map(|row| row as u32).collect())
        });
        let key = (Same::of(&positions), labels.map(Same::of), look.revision, shown.names);
        let labels = self.labels.get(key, || {
            let taxa = labels.filter(|_| shown.names && palette.range.is_none());
            Arc::new(taxa.map_or_else(Vec::new, |labels| {
                taxon_labels(&positions, labels.names(), |row| labels.code(row).filter(|_| shows(row)))
            }))
        });
        let focus = session.selection.focus().and_then(|row| u32::try_from(row).ok());
        let specimens = number(dataset);
        self.scene = MapScene { positions, specimens, space, colours, marks, rings, labels, focus };
        true
    }

    /// Where the specimens are, and in which space: on the model's map in the making, else the model's, else that of 6-mers in
    /// the making, else that of 6-mers, whichever there is.
    fn places(&mut self, session: &Session, live: Option<&Live>, rows: usize) -> Option<(Arc<Vec<[f32; 2]>>, u64)> {
        let results = &session.results;
        let picture = live.and_then(|live| live.picture.as_ref()).filter(|picture| picture.len() == rows);
        let (ready, growing) = (results.model_map.shown(), results.model_map.job().is_some());
        let (stage, source) = if growing && picture.is_some() || ready.is_some() {
            (&results.model_map, Source::Model)
        } else {
            (&results.kmer_map, Source::Kmers)
        };
        let growing = stage.job().and(picture);
        self.shown = Some(ShownMap { source, growing: growing.is_some() });
        if let Some(picture) = growing {
            return Some((Arc::clone(picture), number(stage.key()?)));
        }
        let map = stage.shown()?;
        // While the next map is being made, the stage's key is that of the next; the map shown keeps the number that it had.
        let same = self.map.as_ref().filter(|(known, _)| *known == Same::of(map)).map(|(_, space)| *space);
        let space = same.or_else(|| Some(number(stage.key()?)))?;
        self.map = Some((Same::of(map), space));
        Some((Arc::clone(&map.points), space))
    }
}

/// A number for a key, as maps tell specimens and projections apart.
pub(in crate::ui::views) fn number(key: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// The step that is about to replace the map shown, or that failed to.
pub(super) fn pending(session: &Session) -> Option<Step> {
    let steps = [Step::Model, Step::Embedding, Step::ModelMap];
    let stage = |step: &Step| session.results.stage(*step);
    let failed = steps.iter().find(|step| stage(step).problem().is_some());
    failed.or_else(|| steps.iter().find(|step| stage(step).job().is_some())).copied()
}

/// Which rows are lit: those of the taxon that is lit everywhere, and of the groups that the legend's search finds. `None` if
/// nothing is lit.
fn lit_rows(look: &Look, labels: Option<&Arc<LabelColumn>>, groups: &Groups, search: &str) -> Option<Vec<bool>> {
    let found = labels.filter(|_| !search.trim().is_empty());
    if look.lit.is_none() && found.is_none() {
        return None;
    }
    let mut lit = vec![false; labels.map_or(0, |labels| labels.len())];
    if let Some(taxon) = &look.lit {
        lit.resize(lit.len().max(taxon.rows.iter().last().map_or(0, |row| row + 1)), false);
        taxon.rows.iter().for_each(|row| lit[row] = true);
    }
    if let Some(labels) = found {
        let mut codes = vec![false; labels.distinct()];
        groups.matching(search).into_iter().for_each(|place| codes[groups.list[place].code as usize] = true);
        for (row, lit) in lit.iter_mut().enumerate().take(labels.len()) {
            *lit |= labels.code(row).is_some_and(|code| codes[code as usize]);
        }
    }
    Some(lit)
}

/// How each specimen is treated, `[N]`; `visible` are those that pass the filters.
fn marks(rows: usize, visible: Option<&[bool]>, selected: &Rows, lit: Option<&[bool]>, ghosts: bool) -> Vec<Mark> {
    // Around a single specimen the colours of its neighbours are what one looks for.
    let plain = if selected.len() <= 1 && lit.is_none() { Mark::Shown } else { Mark::Muted };
    let out = if ghosts { Mark::Ghost } else { Mark::Hidden };
    let mut marks = vec![plain; rows];
    if let Some(lit) = lit {
        marks.iter_mut().zip(lit).filter(|(_, lit)| **lit).for_each(|(mark, _)| *mark = Mark::Shown);
    }
    for row in selected.iter().filter(|&row| row < rows) {
        marks[row] = Mark::Lifted;
    }
    if let Some(visible) = visible {
        marks.iter_mut().zip(visible).filter(|(_, visible)| !**visible).for_each(|(mark, _)| *mark = out);
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(list: &[u32]) -> Rows {
        list.iter().copied().collect()
    }

    #[test]
    fn around_a_selection_the_others_turn_grey_and_what_is_filtered_out_cannot_be_hit() {
        use Mark::{Ghost, Hidden, Lifted, Muted, Shown};
        assert_eq!(marks(3, None, &rows(&[]), None, true), [Shown; 3]);
        assert_eq!(marks(3, None, &rows(&[1]), None, true), [Shown, Lifted, Shown]);
        assert_eq!(marks(3, None, &rows(&[0, 1]), None, true), [Lifted, Lifted, Muted]);
        assert_eq!(marks(3, None, &rows(&[]), Some(&[true, false, false]), true), [Shown, Muted, Muted]);
        assert_eq!(marks(3, None, &rows(&[1]), Some(&[true, true, false]), true), [Shown, Lifted, Muted]);
        let visible = rows(&[0, 2, 7]).mask(3);
        assert_eq!(marks(3, Some(&visible), &rows(&[1, 2]), None, true), [Muted, Ghost, Lifted]);
        assert_eq!(marks(3, Some(&visible), &rows(&[]), None, false), [Shown, Hidden, Shown]);
        assert!(!Ghost.is_pickable() && !Hidden.is_pickable() && Muted.is_pickable());
    }

    #[test]
    fn the_search_of_the_legend_lights_up_every_group_it_finds() {
        let labels = Arc::new(LabelColumn::from_labels([Some("Apis"), None, Some("Bombus"), Some("Megapis")]));
        let groups = Groups::of(&labels, &[], |_| true);
        let look = Look::default();
        assert_eq!(lit_rows(&look, Some(&labels), &groups, " "), None);
        assert_eq!(lit_rows(&look, Some(&labels), &groups, "apis"), Some(vec![true, false, false, true]));
        assert_eq!(lit_rows(&look, Some(&labels), &groups, "wasp"), Some(vec![false; 4]));
    }

    #[test]
    fn what_is_kept_is_made_anew_only_for_another_key() {
        let mut kept = Kept::default();
        assert_eq!(kept.get(Some(Same(Arc::new(1))), || 10), 10);
        let two = Arc::new(1);
        assert_eq!(kept.get(Some(Same::of(&two)), || 11), 11, "equal is not the same");
        assert_eq!(kept.get(Some(Same::of(&two)), || 12), 11);
    }
}
