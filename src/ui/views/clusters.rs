//! The Clusters view: how specimens were grouped, and how the groups agree with labels.

use crate::analysis::concordance::{ConcordanceRow, Correspondence};
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::pipeline::cluster::{ClusterRecipe, Clustering, HDBSCAN_MIN_SIZE, Linkage};
use crate::session::columns::{Sorting, order};
use crate::session::export::Exported;
use crate::session::selection::{Mode, Rows};
use crate::session::{Command, Step};
use crate::ui::scope::Scope;
use crate::ui::shell::view_title;
use crate::ui::widgets::state;
use crate::ui::widgets::table::{Table, TableColumn};
use crate::ui::{theme, words};
use egui::{ComboBox, DragValue, Grid, RichText, Ui};
use std::cmp::Ordering;
use std::sync::Arc;

const COLUMNS: [TableColumn; 7] = [
    TableColumn::text("label", 180.0, "The label that the clusters are compared with"),
    TableColumn::text(
        "how",
        80.0,
        "Match: one cluster, alone. Split: several clusters. Merge: a cluster shared with others. Mixture: both",
    ),
    TableColumn::number("n", 60.0, "Specimens with this label"),
    TableColumn::number("clusters", 60.0, "Clusters that hold its specimens"),
    TableColumn::text("conflict at", 90.0, "The broadest rank at which labels that share a cluster differ"),
    TableColumn::number("in conflict", 80.0, "Specimens outside of its largest cluster, and others in its clusters"),
    TableColumn::text("shares clusters with", 200.0, "Other labels in the same clusters"),
];

/// What the view remembers from frame to frame.
#[derive(Default)]
pub struct ClustersView {
    sorting: Option<Sorting>,
    only: Option<Correspondence>,
    derived: Option<Derived>,
}

/// What is made of a clustering once.
struct Derived {
    of: Arc<Clustering>,
    key: (Option<Sorting>, Option<Correspondence>),
    /// Indices into the rows of the concordance table, in the order shown.
    rows: Vec<usize>,
}

impl ClustersView {
    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let about = "barcodes that lie close together, and how that fits the labels";
        view_title(ui, scope, "Clusters", about, &[Exported::Clusters, Exported::Concordance]);
        controls(ui, scope);
        let Some(clusters) = scope.session.results.clusters.shown().cloned() else {
            return state::waiting(
                ui,
                scope,
                "the clustering",
                &[Step::Model, Step::Frames, Step::Embedding, Step::Clusters],
            );
        };
        state::of_step(ui, scope, Step::Clusters);
        let Some(dataset) = scope.dataset() else { return };
        ui.scope(|ui| facts(ui, scope, &clusters));
        ui.add_space(theme::GAP);
        self.derive(&clusters);
        self.table(ui, scope, &clusters, dataset);
    }

    fn derive(&mut self, clusters: &Arc<Clustering>) {
        let key = (self.sorting, self.only);
        if self.derived.as_ref().is_some_and(|derived| Arc::ptr_eq(&derived.of, clusters) && derived.key == key) {
            return;
        }
        let all = clusters.concordance.as_ref().map_or(&[][..], |concordance| &concordance.rows);
        let kept = (0..all.len()).filter(|&index| self.only.is_none_or(|only| all[index].correspondence == only));
        let rows = match self.sorting {
            None => kept.collect(),
            Some(Sorting { column, ascending }) => order(kept, ascending, |&a, &b| compare(&all[a], &all[b], column)),
        };
        self.derived = Some(Derived { of: Arc::clone(clusters), key, rows });
    }

    fn table(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, clusters: &Clustering, dataset: &Dataset) {
        let (Some(concordance), Some(field)) = (&clusters.concordance, clusters.against) else {
            ui.label("No record carries a label to compare the clusters with.");
            return;
        };
        ui.horizontal_wrapped(|ui| {
            ui.selectable_value(&mut self.only, None, format!("All ({})", words::count(concordance.rows.len())));
            for (correspondence, count) in concordance.counts() {
                let text = format!("{} ({})", words::capitalised(correspondence.key()), words::count(count));
                ui.selectable_value(&mut self.only, Some(correspondence), text);
            }
        });
        let Some(derived) = &self.derived else { return };
        let selected = scope.session.selection.rows();
        let focus = scope.session.selection.focus().and_then(|row| dataset.labels(field).code(row));
        let table = Table {
            id: "concordance",
            name: "labels",
            columns: &COLUMNS,
            rows: derived.rows.len(),
            sorting: self.sorting,
            height: None,
            current: None,
            scroll_to: None,
        };
        let answer = table.show(
            ui,
            |position| !selected.is_empty() && focus == Some(concordance.rows[derived.rows[position]].label),
            |ui, position, column| {
                ui.label(text(&concordance.rows[derived.rows[position]], column));
            },
        );
        if let Some((position, keys)) = answer.chosen {
            let label = concordance.rows[derived.rows[position]].label;
            let labels = dataset.labels(field);
            let rows: Rows = (0..dataset.len()).filter(|&row| labels.code(row) == Some(label)).collect();
            scope.select(rows, keys);
        }
        if answer.sorting.is_some() {
            self.sorting = answer.sorting;
        }
    }
}

fn controls(ui: &mut Ui, scope: &mut Scope<'_>) {
    let is_wide = ui.available_width() >= theme::WIDE_VIEW;
    ui.horizontal(|ui| {
        recipe_choice(ui, scope);
        recipe_number(ui, scope);
        if is_wide {
            label_choice(ui, scope);
        }
    });
    if !is_wide {
        ui.horizontal(|ui| label_choice(ui, scope));
    }
}

fn label_choice(ui: &mut Ui, scope: &mut Scope<'_>) {
    let label = ui.label("Compare with");
    let chosen = scope.session.choices.compare_with;
    let used = scope.session.results.clusters.shown().and_then(|clusters| clusters.against);
    ComboBox::from_id_salt("against")
        .selected_text(chosen.or(used).map_or("nothing", Field::title))
        .show_ui(ui, |ui| {
            let fields: Vec<Field> = scope.session.overview.fields.iter().map(|overview| overview.field).collect();
            for field in fields.into_iter().filter(|field| field.is_rank() || *field == Field::Bin) {
                if ui.selectable_label(chosen.or(used) == Some(field), field.title()).clicked() {
                    scope.ask(Command::CompareClustersWith(Some(field)));
                }
            }
        })
        .response
        .labelled_by(label.id);
}

fn recipe_choice(ui: &mut Ui, scope: &mut Scope<'_>) {
    let recipe = scope.session.choices.recipe;
    let label = ui.label("Recipe");
    let choices = [
        ClusterRecipe::Threshold { linkage: Linkage::Average, threshold: None },
        ClusterRecipe::Threshold { linkage: Linkage::Single, threshold: None },
        ClusterRecipe::Hdbscan { min_size: HDBSCAN_MIN_SIZE },
        ClusterRecipe::Ward { clusters: None },
    ];
    ComboBox::from_id_salt("recipe")
        .width(2.0 * theme::NAME_COLUMN)
        .selected_text(recipe_name(recipe))
        .show_ui(ui, |ui| {
            for choice in choices {
                let response = ui.selectable_label(recipe_name(choice) == recipe_name(recipe), recipe_name(choice));
                if response.on_hover_text(recipe_hint(choice)).clicked() {
                    scope.ask(Command::ClusterBy(choice));
                }
            }
        })
        .response
        .labelled_by(label.id)
        .on_hover_text(recipe_hint(recipe));
}

fn recipe_name(recipe: ClusterRecipe) -> &'static str {
    match recipe {
        ClusterRecipe::Threshold { linkage: Linkage::Average, .. } => "Distance, average linkage",
        ClusterRecipe::Threshold { linkage: Linkage::Single, .. } => "Distance, single linkage",
        ClusterRecipe::Hdbscan { .. } => "Dense regions (HDBSCAN)",
        ClusterRecipe::Ward { .. } => "Published: uses the true number",
    }
}

fn recipe_hint(recipe: ClusterRecipe) -> &'static str {
    match recipe {
        ClusterRecipe::Threshold { linkage: Linkage::Average, .. } => {
            "Joins clusters whose specimens are on average nearer than a cosine distance"
        }
        ClusterRecipe::Threshold { linkage: Linkage::Single, .. } => {
            "Joins clusters as soon as two of their specimens are nearer than a cosine distance"
        }
        ClusterRecipe::Hdbscan { .. } => "Dense regions of any shape; what lies between them belongs to no cluster",
        ClusterRecipe::Ward { .. } => {
            "UMAP to 50 dimensions, then Ward's linkage into as many clusters as there are labels, which no real survey knows"
        }
    }
}

/// The number that a recipe takes, where it takes one.
fn recipe_number(ui: &mut Ui, scope: &mut Scope<'_>) {
    let used = scope.session.results.clusters.shown().and_then(|clusters| clusters.threshold);
    match scope.session.choices.recipe {
        ClusterRecipe::Threshold { linkage, threshold } => {
            let label = ui.label("Distance");
            let mut value = threshold.or(used).unwrap_or(0.1);
            let drag =
                DragValue::new(&mut value).range(0.001..=1.0).speed(0.002).max_decimals(3).update_while_editing(false);
            let response =
                ui.add(drag).labelled_by(label.id).on_hover_text("Cosine distance at which clusters are cut");
            if response.drag_stopped() || (response.changed() && !response.dragged()) {
                scope.ask(Command::ClusterBy(ClusterRecipe::Threshold { linkage, threshold: Some(value) }));
            }
            if threshold.is_some() && ui.button("Use the suggestion").clicked() {
                scope.ask(Command::ClusterBy(ClusterRecipe::Threshold { linkage, threshold: None }));
            }
        }
        ClusterRecipe::Hdbscan { min_size } => {
            let label = ui.label("Smallest cluster");
            let mut value = min_size;
            let response =
                ui.add(DragValue::new(&mut value).range(2..=100).update_while_editing(false)).labelled_by(label.id);
            if response.drag_stopped() || (response.changed() && !response.dragged()) {
                scope.ask(Command::ClusterBy(ClusterRecipe::Hdbscan { min_size: value }));
            }
        }
        ClusterRecipe::Ward { .. } => {}
    }
}

fn facts(ui: &mut Ui, scope: &mut Scope<'_>, clusters: &Clustering) {
    let tokens = theme::tokens(ui);
    let mut found = format!("{} found", words::counted(clusters.found, "cluster", "clusters"));
    if let (Some(number), Some(field)) = (clusters.true_number, clusters.against) {
        found.push_str(&format!("; the labels have {} different {}", words::count(number), plural(field)));
    }
    ui.label(RichText::new(found).strong());
    if clusters.used_true_number {
        ui.label(
            RichText::new("The number of clusters was taken from the labels, which no real survey knows.")
                .color(tokens.warning),
        );
    }
    if clusters.noise > 0 {
        let text = format!("{} in no cluster", words::counted(clusters.noise, "specimen", "specimens"));
        if ui.link(text).on_hover_text("Select them").clicked() {
            let rows: Rows = (0..clusters.labels.len()).filter(|&row| clusters.labels[row] < 0).collect();
            scope.ask(Command::Select(rows, Mode::Replace));
        }
    }
    if let (Some(threshold), Some(suggested)) = (clusters.threshold, clusters.suggested) {
        let text = format!("cut at a cosine distance of {threshold:.3}; the data suggest {suggested:.3}");
        ui.label(RichText::new(text).color(tokens.quiet));
    }
    let Some(agreement) = &clusters.agreement else { return };
    ui.spacing_mut().interact_size.y = 0.0;
    Grid::new("agreement").num_columns(4).spacing([theme::GROUP_GAP, theme::GRID]).show(ui, |ui| {
        let scores = [
            ("AMI", agreement.ami, "Adjusted mutual information: 1 for the same clusters, about 0 by chance"),
            ("ARI", agreement.ari, "Adjusted Rand index: 1 for the same clusters, about 0 by chance"),
            ("Homogeneity", agreement.homogeneity, "1 where every cluster holds one label only"),
            ("Completeness", agreement.completeness, "1 where every label lies in one cluster"),
        ];
        for (name, _, hint) in scores {
            ui.label(RichText::new(name).color(tokens.quiet)).on_hover_text(hint);
        }
        ui.end_row();
        for (_, score, hint) in scores {
            ui.label(RichText::new(format!("{score:.3}")).strong()).on_hover_text(hint);
        }
        ui.end_row();
    });
}

fn plural(field: Field) -> &'static str {
    match field {
        Field::Phylum => "phyla",
        Field::Class => "classes",
        Field::Order => "orders",
        Field::Family => "families",
        Field::Subfamily => "subfamilies",
        Field::Genus => "genera",
        Field::Species => "species",
        Field::Bin => "BINs",
        Field::Split => "splits",
        Field::Country => "countries",
    }
}

fn text(row: &ConcordanceRow, column: usize) -> String {
    match column {
        0 => row.name.clone(),
        1 => row.correspondence.key().to_owned(),
        2 => words::count(row.specimens),
        3 => words::count(row.clusters.len()),
        4 => row.conflict.map_or_else(String::new, |field| field.title().to_owned()),
        5 => words::count(row.in_conflict),
        _ => row.shared_with.join(", "),
    }
}

fn compare(a: &ConcordanceRow, b: &ConcordanceRow, column: usize) -> Ordering {
    match column {
        0 => a.name.cmp(&b.name),
        1 => a.correspondence.cmp(&b.correspondence),
        2 => a.specimens.cmp(&b.specimens),
        3 => a.clusters.len().cmp(&b.clusters.len()),
        4 => a.conflict.cmp(&b.conflict),
        5 => a.in_conflict.cmp(&b.in_conflict),
        _ => a.shared_with.cmp(&b.shared_with),
    }
}
